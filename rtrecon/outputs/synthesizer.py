"""Sound made of what is told: a voice a person, whose pitch, loudness and timbre glide."""

from dataclasses import dataclass
from math import cos, log, nan, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

HARMONICS = 8
_SILENT = 1e-5  # of full scale, below the smallest step of 16 bits


@dataclass(frozen=True)
class Mapping:
    """What is told, 0 to 1, as sound: each a pair, at 0 and at 1.

    Attributes
    ----------
    pitch_hz : (float, float)
        Of the fundamental; even steps of what is told are even musical intervals.
    loudness_db : (float, float)
        Root mean square against a full scale of 1.
    brightness : (float, float)
        How much of each harmonic the next one has: 0 is a sine.
    """

    pitch_hz: tuple[float, float] = (220.0, 440.0)
    loudness_db: tuple[float, float] = (-30.0, -18.0)
    brightness: tuple[float, float] = (0.1, 0.5)

    def at(self, told: float) -> tuple[float, float, float]:
        """Logarithm of the pitch (Hz), root mean square, brightness."""
        told = min(1.0, max(0.0, told))
        low, high = self.pitch_hz
        loudness = _between(self.loudness_db, told)
        return (
            _between((log(low), log(high)), told),
            10 ** (loudness / 20),
            _between(self.brightness, told),
        )


class Voice:
    """One person's sound, rendered block by block without a seam.

    Parameters
    ----------
    mapping : Mapping
    rate_hz : int
        Samples per second.
    glide_s : float
        Time constant with which pitch, loudness and timbre go to new values.
    pan : float
        0 left, 0.5 middle, 1 right.
    share : float
        Factor of the loudness, for voices that sound together.

    Attributes
    ----------
    told : float
        What the voice makes heard from the next block on; nan: silence.
    """

    def __init__(
        self, mapping: Mapping, rate_hz: int, glide_s: float, pan: float = 0.5, share: float = 1.0
    ) -> None:
        self.told = nan
        self._mapping, self._rate_hz, self._glide_s = mapping, rate_hz, glide_s
        self._sides = share * np.array([cos(pan * pi / 2), sin(pan * pi / 2)])
        self._pitch, _, self._brightness = mapping.at(0.0)
        self._gain = self._phase = 0.0

    def render(self, n: int) -> NDArray[np.float64]:
        """The next n samples (n, 2), left and right, of full scale 1."""
        pitch, gain, brightness = self._goals()
        if gain == self._gain == 0:
            return np.zeros((n, 2))
        left = np.exp(-np.arange(1, n + 1) / (self._glide_s * self._rate_hz))  # of the way, (n,)
        hz = np.exp(pitch + (self._pitch - pitch) * left)
        gains = gain + (self._gain - gain) * left
        colours = brightness + (self._brightness - brightness) * left
        phases = self._phase + 2 * pi * np.cumsum(hz) / self._rate_hz
        self._phase = float(phases[-1] % (2 * pi))
        self._pitch, self._brightness = float(np.log(hz[-1])), float(colours[-1])
        self._gain = 0.0 if gain == 0 and gains[-1] < _SILENT else float(gains[-1])
        wave = gains * waveform(phases, colours, hz / self._rate_hz)
        return wave[:, None] * self._sides  # (n, 2)

    def stop(self) -> None:
        """Whatever follows begins in silence."""
        self.told, self._gain = nan, 0.0

    def _goals(self) -> tuple[float, float, float]:
        """Where pitch, gain and brightness go; out of silence only the gain has to."""
        if self.told != self.told:
            return self._pitch, 0.0, self._brightness
        goals = self._mapping.at(self.told)
        if self._gain == 0:
            self._pitch, _, self._brightness = goals
        return goals


class Choir:
    """The voices of several people, spread from left to right.

    Parameters
    ----------
    people : tuple of str
    mapping, rate_hz, glide_s
        As for `Voice`. The loudness is that of all together.
    """

    def __init__(
        self, people: tuple[str, ...], mapping: Mapping, rate_hz: int, glide_s: float
    ) -> None:
        pans = [0.5] if len(people) == 1 else np.linspace(0.0, 1.0, len(people)).tolist()
        self._voices = {
            person: Voice(mapping, rate_hz, glide_s, pan, 1 / sqrt(len(people)))
            for person, pan in zip(people, pans, strict=True)
        }

    def tell(self, told: dict[str, float]) -> None:
        """What each is told now; the others are silent."""
        for person, voice in self._voices.items():
            voice.told = told.get(person, nan)

    def render(self, n: int) -> NDArray[np.float32]:
        """The next n samples (n, 2), within -1 to 1."""
        mixed = sum((voice.render(n) for voice in self._voices.values()), np.zeros((n, 2)))
        return np.clip(mixed, -1.0, 1.0).astype(np.float32)

    def ending(self, n: int) -> NDArray[np.float32]:
        """The next n samples (n, 2), faded to nothing."""
        fading = np.linspace(1.0, 0.0, n, dtype=np.float32)[:, None] * self.render(n)
        for voice in self._voices.values():
            voice.stop()
        return fading


def waveform(
    phases: NDArray[np.float64], brightness: NDArray[np.float64], pitch: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Harmonics that fall off evenly, with a root mean square of 1; all arrays are (n,).

    `pitch` is in cycles per sample. Harmonics fade out before half of the rate, above which they
    would be heard as other tones.
    """
    wave, power = np.zeros_like(phases), np.zeros_like(phases)
    weight = np.ones_like(phases)
    for harmonic in range(1, HARMONICS + 1):
        fading = np.clip((0.45 - harmonic * pitch) / 0.05, 0.0, 1.0)
        wave += weight * fading * np.sin(harmonic * phases)
        power += (weight * fading) ** 2 / 2
        weight = weight * brightness
    return wave / np.sqrt(power)


def _between(pair: tuple[float, float], told: float) -> float:
    return pair[0] + told * (pair[1] - pair[0])
