"""What an EEG stream says of itself, checked before anything is made in its size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.errors import BadStream, Mismatch

MOST_CHANNELS = 1024
RATES_HZ = (100.0, 2000.0)
_SPEEDS = (0.1, 100.0)
_DTYPES = {
    pylsl.cf_float32: "float32",
    pylsl.cf_double64: "float64",
    pylsl.cf_int16: "int16",
    pylsl.cf_int32: "int32",
}
_MICROVOLTS = {
    "microvolts": 1.0, "microvolt": 1.0, "uv": 1.0, "µv": 1.0, "μv": 1.0,
    "millivolts": 1e3, "millivolt": 1e3, "mv": 1e3,
    "volts": 1e6, "volt": 1e6, "v": 1e6,
    "nanovolts": 1e-3, "nanovolt": 1e-3, "nv": 1e-3,
}  # fmt: skip
_LONGEST_LABEL = 32


@dataclass(frozen=True)
class Signal:
    """One stream of EEG.

    Attributes
    ----------
    name : str
    labels : tuple of str
        Of each channel; its number from "1" on where the stream gives none. Untrusted.
    rate_hz : float
        Samples in a second of the person's time.
    dtype : str
        What a value is sent as: float32, float64, int16 or int32.
    unit_uv : tuple of float
        Microvolts of one unit sent, of each channel; nan: the stream does not say.
    speed : float
        1 for an amplifier; a simulation ten times as fast says 10.
    host, source_id : str
        Where it comes from; untrusted.
    """

    name: str
    labels: tuple[str, ...]
    rate_hz: float
    dtype: str
    unit_uv: tuple[float, ...]
    speed: float = 1.0
    host: str = ""
    source_id: str = ""

    @property
    def n_channels(self) -> int:
        """How many values a sample has."""
        return len(self.labels)

    @property
    def units_known(self) -> bool:
        """Whether it says of all channels what a unit is."""
        return not np.isnan(self.unit_uv).any()

    def fits(self, other: "Signal") -> bool:
        """Whether another stream of this name can take its place."""
        same = ("labels", "rate_hz", "dtype", "speed")
        return all(getattr(self, key) == getattr(other, key) for key in same)


def check(info: pylsl.StreamInfo) -> None:
    """Refuse a stream that is no EEG, by what was found of it before connecting.

    Raises
    ------
    BadStream
    """
    if not 1 <= info.channel_count() <= MOST_CHANNELS:
        raise _bad(info, f"{info.channel_count()} channels: 1 to {MOST_CHANNELS} are read")
    if info.channel_format() not in _DTYPES:
        raise _bad(info, "values must be float32, float64, int16 or int32")
    low, high = RATES_HZ[0] * _SPEEDS[0], RATES_HZ[1] * _SPEEDS[1]
    if not low <= info.nominal_srate() <= high:
        raise _bad(info, f"a rate of {info.nominal_srate():g} Hz: EEG has a fixed rate{_RANGE}")


_RANGE = f" of {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz"


def signal_of(info: pylsl.StreamInfo) -> Signal:
    """What a connected stream says of itself, its description included.

    Raises
    ------
    BadStream
        It breaks what docs/eeg.md says.
    """
    check(info)
    speed = _speed(info)
    rate_hz = round(info.nominal_srate() / speed, 6)
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise _bad(info, f"a rate of {rate_hz:g} Hz: EEG has one{_RANGE}")
    labels, units = _channels(info)
    return Signal(
        info.name(), labels, rate_hz, _DTYPES[info.channel_format()], units, speed,
        _plain(info.hostname(), 64), _plain(info.source_id(), 64),
    )  # fmt: skip


def recorded_signal(told: Mapping[str, Any]) -> Signal:
    """What a session recorded of a stream, held to the same bounds as when it came.

    Raises
    ------
    ValueError, LookupError, TypeError
        It was not written by a session.
    """
    units = tuple(np.nan if unit is None else float(unit) for unit in told["unit_uv"])
    labels = tuple(_plain(str(label), _LONGEST_LABEL) for label in told["labels"])
    signal = Signal(**{**told, "labels": labels, "unit_uv": units})
    if not 1 <= signal.n_channels == len(units) <= MOST_CHANNELS:
        raise ValueError(f"{signal.n_channels} channels with {len(units)} units")
    if not (RATES_HZ[0] <= signal.rate_hz <= RATES_HZ[1] and signal.dtype in _DTYPES.values()):
        raise ValueError(f"{signal.dtype} at {signal.rate_hz} Hz")
    if not _SPEEDS[0] <= signal.speed <= _SPEEDS[1]:
        raise ValueError(f"a speed of {signal.speed}")
    return signal


def chosen(signal: Signal, channels: Sequence[str]) -> NDArray[np.intp]:
    """Places of the channels that were asked for, by label (of any case) or number from 1.

    Raises
    ------
    Mismatch
        The stream has no such channel.
    """
    if not channels:
        return np.arange(signal.n_channels)
    labels = [label.casefold() for label in signal.labels]
    numbers = [str(n + 1) for n in range(signal.n_channels)]
    places: list[int] = []
    for channel in channels:
        for names in (labels, numbers):
            if (name := channel.strip().casefold()) in names:
                places.append(names.index(name))
                break
        else:
            shown = ", ".join(signal.labels[:32]) + (", ..." if signal.n_channels > 32 else "")
            raise Mismatch(
                f"stream '{signal.name}' has no channel '{channel}': it has {shown}; "
                "name some of these in [eeg] channels"
            )
    return np.array(sorted(set(places)))


def _speed(info: pylsl.StreamInfo) -> float:
    text = info.desc().child_value("speed") or "1"
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not _SPEEDS[0] <= speed <= _SPEEDS[1]:
        raise _bad(info, f"speed is {text[:20]!r}: must be {_SPEEDS[0]:g} to {_SPEEDS[1]:g}")
    return speed


def _channels(info: pylsl.StreamInfo) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Labels and units; a description of another number of channels is as good as none."""
    labels: list[str] = []
    units: list[float] = []
    channel = info.desc().child("channels").child("channel")
    while not channel.empty() and len(labels) <= info.channel_count():
        labels.append(_plain(channel.child_value("label"), _LONGEST_LABEL))
        units.append(_MICROVOLTS.get(channel.child_value("unit").strip().lower(), np.nan))
        channel = channel.next_sibling("channel")
    n = info.channel_count()
    if len(labels) != n:
        labels, units = [""] * n, [np.nan] * n
    known = [label.casefold() for label in labels]
    named = (
        label if label and known.count(label.casefold()) == 1 else str(place + 1)
        for place, label in enumerate(labels)
    )
    return tuple(named), tuple(units)


def _plain(text: str, longest: int) -> str:
    """Text from the network on one line, not too long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]


def _bad(info: pylsl.StreamInfo, what: str) -> BadStream:
    return BadStream(f"stream '{_plain(info.name(), 64)}': {what} (docs/eeg.md)")
