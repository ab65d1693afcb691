"""People with electrodes: EEG with known rhythms, blinks, muscle, mains and dropouts, over LSL."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import pylsl
from numpy.typing import NDArray
from scipy import signal as dsp

from rtrecon.errors import StreamMissing
from simulator.pace import Clock, Pace

Samples = NDArray[np.float32]  # (n, n_channels), microvolts

LABELS = (
    "Fp1", "Fp2", "C3", "Cz", "C4", "Pz", "O1", "O2", "F3", "F4", "F7", "F8", "Fz", "T7", "T8", "P3",
    "P4", "P7", "P8", "Oz", "FC1", "FC2", "FC5", "FC6", "CP1", "CP2", "CP5", "CP6", "PO3", "PO4",
    "TP9", "TP10",
)  # fmt: skip
_FRONT = {"Fp": 1.0, "F": 0.6, "FC": 0.4, "C": 0.25, "T": 0.25, "CP": 0.15, "TP": 0.15, "P": 0.1,
          "PO": 0.05, "O": 0.0}  # fmt: skip
"""How near to the eyes, by the letters of a label."""

# 1/f by a filter of white noise, -3 dB an octave within 0.3 dB (J. O. Smith, Spectral Audio Signal
# Processing, "Example: Synthesis of 1/F Noise").
_PINK_B = (0.049922035, -0.095993537, 0.050612699, -0.004408786)
_PINK_A = (1.0, -2.494956002, 2.017265875, -0.522189400)
_PINK_SD = 0.086  # of its output over minutes, for white noise of 1
_RAMP_S = 0.05  # a rhythm's rise and fall
_SEND_S = 0.02
_LINGER_S = 0.5  # the last samples get so long to be taken


class Rhythm(Enum):
    """What comes in bursts."""

    ALPHA = "alpha"  # 10 Hz, strongest at the back: a relaxed person
    BETA = "beta"  # 18 Hz, and half as much of alpha and theta: a person who concentrates


@dataclass(frozen=True)
class Plan:
    """What all people of a simulation do; each in their own way, by `seed`.

    Attributes
    ----------
    people, channels : int
    rate_hz : float
        Samples a second.
    rhythm : Rhythm
    first_s, length_s, every_s, stagger_s : float
        The first person's bursts begin at first_s, first_s + every_s, ... and last length_s; the
        n-th person's begin (n - 1) x stagger_s later.
    amplitude_uv : float
        Of the rhythm in a burst.
    background_uv : float
        Standard deviation of the 1/f background.
    blinks, muscle : float
        How many a minute, on average.
    mains_uv, mains_hz : float
        Amplitude and frequency of the mains.
    dropouts : tuple of (float, float)
        Onset and length, s, of what is never sent.
    duration_s : float
    seed : int
    """

    people: int = 1
    channels: int = 8
    rate_hz: float = 250.0
    rhythm: Rhythm = Rhythm.ALPHA
    first_s: float = 30.0
    length_s: float = 8.0
    every_s: float = 20.0
    stagger_s: float = 0.0
    amplitude_uv: float = 20.0
    background_uv: float = 10.0
    blinks: float = 4.0
    muscle: float = 1.0
    mains_uv: float = 5.0
    mains_hz: float = 50.0
    dropouts: tuple[tuple[float, float], ...] = ()
    duration_s: float = 3600.0
    seed: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the channels."""
        more = (f"E{n + 1}" for n in range(len(LABELS), self.channels))
        return (*LABELS, *more)[: self.channels]

    def onsets_s(self, person: int) -> NDArray[np.float64]:
        """When a person's bursts begin; people count from 1."""
        first = self.first_s + (person - 1) * self.stagger_s
        return np.arange(first, self.duration_s, self.every_s)

    def sent(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of these samples are no dropouts."""
        kept = np.ones(len(times_s), bool)
        for onset, length in self.dropouts:
            kept &= (times_s < onset) | (times_s >= onset + length)
        return kept


@dataclass
class Head:
    """One simulated person: the same samples for a seed, however they are asked for. One thread.

    Parameters
    ----------
    plan : Plan
    person : int
        Counts from 1.
    """

    plan: Plan
    person: int
    position: int = 0  # samples given so far
    _noise: np.random.Generator = field(init=False)
    _twitch: np.random.Generator = field(init=False)
    _pink: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        key = (plan.seed, self.person)
        self._noise, self._twitch, events = (
            np.random.default_rng((*key, part)) for part in range(3)
        )
        self._pink = np.zeros((3, plan.channels + 1))
        self._front = np.array([_front(label) for label in plan.labels])
        self._alpha_hz, self._beta_hz = events.uniform(9.5, 10.5), events.uniform(17, 19)
        self._phases = events.uniform(0, 2 * np.pi, 4)
        self.blinks_s = _at_random(events, plan.blinks, plan.duration_s)
        self.muscle_s = _at_random(events, plan.muscle, plan.duration_s)

    def next(self, n: int) -> Samples:
        """The next n samples (n, n_channels), microvolts."""
        times = (self.position + np.arange(n)) / self.plan.rate_hz
        self.position += n
        signal = self._background(n) + self._rhythms(times)
        blink = _bumps(times, self.blinks_s, 0.3)
        signal += 150 * blink[:, None] * (0.02 + 0.98 * self._front**2)
        tense = _bumps(times, self.muscle_s, 0.8)
        twitches = self._twitch.standard_normal((n, self.plan.channels))
        signal += 40 * tense[:, None] * twitches * (0.3 + 0.7 * self._front)
        mains = np.sin(2 * np.pi * self.plan.mains_hz * times + self._phases[3])
        return (signal + self.plan.mains_uv * mains[:, None]).astype(np.float32)

    def _background(self, n: int) -> NDArray[np.float64]:
        """1/f noise, half of its variance common to all channels, as volume conduction has it."""
        white = self._noise.standard_normal((n, self.plan.channels + 1))
        pink, self._pink = dsp.lfilter(_PINK_B, _PINK_A, white, axis=0, zi=self._pink)
        pink *= self.plan.background_uv / _PINK_SD / np.sqrt(2)
        return pink[:, 1:] + pink[:, :1]

    def _rhythms(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        plan, turn = self.plan, 2 * np.pi * times
        burst = _plateaus(times, plan.onsets_s(self.person), plan.length_s)
        theta, alpha, beta = np.full((3, len(times)), 0.15 * plan.amplitude_uv)
        if plan.rhythm is Rhythm.ALPHA:
            alpha = alpha + (plan.amplitude_uv - alpha) * burst
        else:
            beta = beta + (plan.amplitude_uv - beta) * burst
            theta, alpha = theta * (1 - burst / 2), alpha * (1 - burst / 2)
        back = 1 - 0.6 * self._front
        theta = theta * np.sin(6 * turn + self._phases[0])
        alpha = alpha * np.sin(self._alpha_hz * turn + self._phases[1])
        beta = beta * np.sin(self._beta_hz * turn + self._phases[2])
        return (theta + beta)[:, None] + alpha[:, None] * back


def info_of(plan: Plan, name: str, speed: float = 1.0) -> pylsl.StreamInfo:
    """A stream as an amplifier would describe it (docs/eeg.md)."""
    rate = plan.rate_hz * speed
    info = pylsl.StreamInfo(
        name, "EEG", plan.channels, rate, "float32", f"rtrecon-simulated-{name}"
    )
    info.desc().append_child_value("speed", f"{speed:g}")
    channels = info.desc().append_child("channels")
    for label in plan.labels:
        channel = channels.append_child("channel")
        for key, value in (("label", label), ("unit", "microvolts"), ("type", "EEG")):
            channel.append_child_value(key, value)
    return info


def stream_names(plan: Plan, stream: str) -> list[str]:
    """`eeg-1`, `eeg-2` and so on for `eeg`."""
    return [f"{stream}-{person}" for person in range(1, plan.people + 1)]


def send(
    plan: Plan,
    stream: str,
    speed: float = 1.0,
    wait_s: float = 60.0,
    progress: Callable[[float], object] = lambda seconds: None,
    clock: Clock | None = None,
) -> None:
    """Wait until somebody listens to every person, then send them all, in step, until the end.

    Ends early when everybody has stopped listening.

    Raises
    ------
    StreamMissing
        Nobody listens within `wait_s`.
    """
    names = stream_names(plan, stream)
    outlets = [pylsl.StreamOutlet(info_of(plan, name, speed), max_buffered=60) for name in names]
    _wait(outlets, names, wait_s)
    heads = [Head(plan, person) for person in range(1, plan.people + 1)]
    pace = Pace(clock or Clock(), speed, paused=lambda: False)
    for begin, n in _turns(plan, speed):
        times = (begin + np.arange(n)) / plan.rate_hz
        kept = plan.sent(times)
        stamp = pace.wait((begin + n) / plan.rate_hz)  # a sample is there when its time is over
        if not any(outlet.have_consumers() for outlet in outlets):
            return
        for head, outlet in zip(heads, outlets, strict=True):
            samples = head.next(n)
            for piece in _pieces(kept):
                late_s = (n - piece.stop) / plan.rate_hz / speed
                outlet.push_chunk(np.ascontiguousarray(samples[piece]), stamp - late_s)
        progress(n / plan.rate_hz)
    pace.wait(plan.duration_s + _LINGER_S * speed)


def _turns(plan: Plan, speed: float) -> Iterator[tuple[int, int]]:
    """From which sample on how many are sent together."""
    total = round(plan.duration_s * plan.rate_hz)
    step = max(1, round(_SEND_S * plan.rate_hz * speed))
    yield from ((begin, min(step, total - begin)) for begin in range(0, total, step))


def _pieces(kept: NDArray[np.bool_]) -> Iterator[slice]:
    """The stretches that are sent."""
    edges = np.flatnonzero(np.diff(kept.astype(int), prepend=0, append=0))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        yield slice(int(begin), int(end))


def _wait(outlets: Sequence[pylsl.StreamOutlet], names: Sequence[str], wait_s: float) -> None:
    deadline = pylsl.local_clock() + wait_s
    for name, outlet in zip(names, outlets, strict=True):
        if not outlet.wait_for_consumers(max(0.01, deadline - pylsl.local_clock())):
            raise StreamMissing(
                f"nobody listens to '{name}' within {wait_s:g} s: start rtrecon run with a "
                "configuration that names it, or wait longer with --wait"
            )


def _front(label: str) -> float:
    letters = label.rstrip("0123456789z")
    return _FRONT.get(letters, 0.2)


def _at_random(events: np.random.Generator, a_minute: float, until_s: float) -> NDArray[np.float64]:
    """Onsets at random, none in the first two seconds."""
    if not a_minute:
        return np.zeros(0)
    steps = events.exponential(60 / a_minute, int(a_minute * until_s / 60 * 2) + 20)
    return 2.0 + np.cumsum(steps)


def _bumps(
    times: NDArray[np.float64], onsets: NDArray[np.float64], length: float
) -> NDArray[np.float64]:
    """Half a sine of so many seconds from each onset on."""
    place = np.searchsorted(onsets, times, "right") - 1
    since = times - onsets[np.maximum(place, 0)] if len(onsets) else times
    inside = (place >= 0) & (since < length)
    return np.where(inside, np.sin(np.pi * np.clip(since / length, 0, 1)), 0.0)


def _plateaus(
    times: NDArray[np.float64], onsets: NDArray[np.float64], length: float
) -> NDArray[np.float64]:
    """1 for so many seconds from each onset on, with short ramps inside; 0 elsewhere."""
    place = np.searchsorted(onsets, times, "right") - 1
    since = times - onsets[np.maximum(place, 0)] if len(onsets) else times
    inside = (place >= 0) & (since < length)
    ramp = np.minimum(since, length - since) / _RAMP_S
    return np.where(inside, np.clip(ramp, 0, 1), 0.0)
