"""From a person's samples to their index, causally, however the samples come in chunks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, nan

import numpy as np
from numpy.typing import NDArray

from rtrecon.eeg.artefacts import KINDS, Detector, cleaned
from rtrecon.eeg.filters import Filter, Samples, Tail, band_pass, notch
from rtrecon.eeg.settings import Eeg, Index
from rtrecon.eeg.signal import Signal, chosen
from rtrecon.errors import Mismatch

THETA, ALPHA, BETA = (4.0, 8.0), (8.0, 13.0), (13.0, 22.0)
"""Bands of the engagement index beta / (alpha + theta) of Pope, Bogart and Bartolome (1995),
Biological Psychology 40, 187-195."""

RELAXED = (8.0, 12.0)
_LEAST_UV2 = 1e-6  # power has a logarithm then, even that of a dead channel


def bands_of(settings: Eeg) -> tuple[tuple[float, float], ...]:
    """Whose power the index is made of, Hz."""
    if settings.index is Index.ATTENTION:
        return THETA, ALPHA, BETA
    return ((settings.band[0], settings.band[1]) if settings.band else RELAXED,)


def index_of(settings: Eeg, powers: Sequence[float]) -> float:
    """The index of the powers of `bands_of`, microvolts squared, mean over the channels."""
    if settings.index is Index.BAND:
        return float(powers[0])
    safe = [max(power, _LEAST_UV2) for power in powers]
    if settings.index is Index.RELAXATION:
        return float(np.log(safe[0]))
    theta, alpha, beta = safe
    return float(np.log(beta / (alpha + theta)))


@dataclass(frozen=True)
class Reading:
    """The index after so many samples of the session (`sample`); nan with a `fault`."""

    sample: int
    raw: float
    fault: str = ""


class Measure:
    """One person's index, at fixed numbers of samples. Owned by one thread.

    What comes later changes nothing that was said, and how samples are cut into chunks changes
    nothing at all.

    Parameters
    ----------
    settings : Eeg
    signal : Signal

    Raises
    ------
    Mismatch
        A channel is not there, or the signal is too slow for a band.
    """

    def __init__(self, settings: Eeg, signal: Signal) -> None:
        self.places = chosen(signal, settings.channels)
        self.labels = tuple(signal.labels[place] for place in self.places)
        self._settings, self._rate_hz = settings, signal.rate_hz
        _check_rate(settings, signal)
        self._unit_uv = units_uv(settings, signal)[self.places]
        self._window = max(1, round(settings.window_s * signal.rate_hz))
        mains = notch(settings.mains_hz, signal.rate_hz) if settings.mains_hz else None
        self._mains = None if mains is None else Filter(mains)
        self._bands = [
            (Filter(band_pass(low, high, signal.rate_hz)), Tail(self._window))
            for low, high in bands_of(settings)
        ]
        self._detect = Detector(settings.artefacts, signal.rate_hz)
        self._blind = self._window + round(settings.artefacts.refractory_s * signal.rate_hz)
        self._clean: NDArray[np.float64] | None = None  # the last sample, (n_channels,)
        self._seen = 0  # samples of the session
        self._began = 0  # `_seen` when the filters did
        self._bad = -1, 0, 0  # the last artefact: its sample, channel and kind
        self.artefact_samples = 0
        self.faults = np.zeros(len(self.places), np.uint8)  # of each channel, in the newest chunk

    @property
    def spread_uv(self) -> NDArray[np.float64]:
        """Standard deviation of each used channel's newest half second, microvolts."""
        return self._detect.spread_uv

    def add(self, samples: NDArray[np.generic]) -> Iterator[Reading]:
        """The readings that the next samples (n, all channels) as sent bring."""
        if not len(samples):
            return
        with np.errstate(over="ignore", invalid="ignore"):  # what is sent may be anything
            values = samples[:, self.places].astype(np.float64, order="C") * self._unit_uv
        values, missing = cleaned(values, self._clean)
        self._clean = values[-1]
        if self._mains is not None:
            values = self._mains(values)
        first, self._seen = self._seen, self._seen + len(samples)
        artefact = self._artefacts(self._detect(values, missing), first)
        squares = [tail.extended(filter_(values) ** 2) for filter_, tail in self._bands]
        for sample in self._due(first):
            yield self._reading(sample, artefact(sample), squares)

    def gap(self) -> None:
        """Samples are missing here: what was before tells nothing of what comes."""
        self._began = self._seen
        self._clean = None
        self._bad = -1, 0, 0
        self._detect.reset()
        for part in (self._mains, *(part for pair in self._bands for part in pair)):
            if part is not None:
                part.reset()

    def _due(self, first: int) -> list[int]:
        """After how many samples there is a reading: the first at or after each 1/rate_hz."""
        rate_hz, turns_hz = self._rate_hz, self._settings.rate_hz
        turns = range(int(first * turns_hz / rate_hz), int(self._seen * turns_hz / rate_hz) + 2)
        due = (ceil(turn * rate_hz / turns_hz) for turn in turns)
        return [sample for sample in due if first < sample <= self._seen]

    def _artefacts(
        self, found: NDArray[np.uint8], first: int
    ) -> Callable[[int], tuple[int, int, int]]:
        """The last artefact up to a sample: when, in which channel, of which kind."""
        self.faults = found.max(axis=0)
        rows = np.flatnonzero(found.any(axis=1))
        self.artefact_samples += len(rows)
        before = self._bad

        def last(sample: int) -> tuple[int, int, int]:
            n = int(np.searchsorted(rows, sample - first)) - 1
            if n < 0:
                return before
            kinds = np.where(found[rows[n]], found[rows[n]], 255)
            return first + int(rows[n]) + 1, int(kinds.argmin()), int(kinds.min())

        self._bad = last(self._seen)
        return last

    def _reading(
        self, sample: int, bad: tuple[int, int, int], squares: Sequence[Samples]
    ) -> Reading:
        at, channel, kind = bad
        if kind and sample - at < self._blind:
            return Reading(sample, nan, f"artefact: {self.labels[channel]} {KINDS[kind - 1]}")
        if sample - self._began < self._blind:
            return Reading(sample, nan, "settling: too little signal yet")
        newer = self._seen - sample  # samples of this chunk that come after
        powers = [
            float(
                square[len(square) - newer - self._window : len(square) - newer].mean(axis=0).mean()
            )
            for square in squares
        ]
        return Reading(sample, index_of(self._settings, powers))


def units_uv(settings: Eeg, signal: Signal) -> NDArray[np.float64]:
    """Microvolts of one unit sent, of each channel."""
    if settings.unit_uv:
        return np.full(signal.n_channels, settings.unit_uv)
    return np.nan_to_num(np.array(signal.unit_uv), nan=1.0)


def _check_rate(settings: Eeg, signal: Signal) -> None:
    highest = max(settings.mains_hz, *(high for _, high in bands_of(settings)))
    if signal.rate_hz <= 2 * highest:
        raise Mismatch(
            f"stream '{signal.name}' has {signal.rate_hz:g} samples a second, too few for "
            f"{highest:g} Hz: set the amplifier to more than {2 * highest:g} Hz"
        )
