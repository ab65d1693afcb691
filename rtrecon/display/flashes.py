"""Fades instead of flashes: the next picture to paint on the way to the one that is wanted.

Photosensitive people are endangered by more than three flashes a second (WCAG 2.3.1): pairs of
opposing changes of relative luminance by 10 % or more, or of saturated red by 20/320 or more. Here
a pixel simply moves too slowly for that, whatever is asked of it and however late a picture is
painted; the proof is in docs/decisions/0008-fades-instead-of-flashes.md.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

STEP_S = 0.031
"""Two changes of the picture are at least so far apart: no more than 33 in any one second."""

FASTEST_S = 1.9
"""Black to white takes at least so long."""

WHITE = 16383
"""Linear light of a channel's full drive, in which everything moves; three of them fit int16."""

LIGHT_A_STEP = 270  # of WHITE: 33 steps are 54 % of full luminance, less than six changes of 10 %
RED_A_STEP = 139  # of red - green - blue: 35 steps are 30 %, less than seven changes of 20/320

TILE = (128, 256)  # pixels that are moved or left alone together; a tile's light fits the cache


def _light_of_codes() -> NDArray[np.int16]:
    code = np.arange(256) / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return np.round(linear * WHITE).astype(np.int16)


def _codes_of_light() -> NDArray[np.uint8]:
    linear = np.arange(WHITE + 1) / WHITE
    code = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(code * 255).astype(np.uint8)


LIGHT = _light_of_codes()
CODE = _codes_of_light()

Tile = tuple[slice, slice]


class Fades:
    """What is painted, and how it moves towards what is wanted.

    Pictures are uint8 (height, width, 4): blue, green, red and a byte that is not looked at, as
    Qt's RGB32 has them, in sRGB. No thread may use this beside another.

    Parameters
    ----------
    first : uint8 (height, width, 4)
        What is on the screen already.
    fade_s : float
        How long black to white takes; `FASTEST_S` where less is asked for.

    Attributes
    ----------
    picture : uint8 (height, width, 4)
        What has to be painted now; changed in place by `step`.
    """

    def __init__(self, first: NDArray[np.uint8], fade_s: float = FASTEST_S) -> None:
        self.picture = first.copy()
        self.fade_s = fade_s
        self._slowed = min(1.0, FASTEST_S / fade_s)
        self._light = np.stack([LIGHT[first[..., 2 - channel]] for channel in range(3)])
        self._wanted = self._light.copy()
        self._moving: set[tuple[int, int]] = set()
        self._stepped = -np.inf

    def want(self, picture: NDArray[np.uint8], part: Tile = (slice(None), slice(None))) -> None:
        """Ask for a picture, or for a part of it only: rows and columns."""
        rows, columns = (range(n)[s] for n, s in zip(picture.shape[:2], part, strict=True))
        if not rows or not columns:
            return
        for channel in range(3):
            self._wanted[channel][part] = np.take(LIGHT, picture[(*part, 2 - channel)])
        down, across = TILE
        self._moving |= {
            (i, j)
            for i in range(rows[0] // down, rows[-1] // down + 1)
            for j in range(columns[0] // across, columns[-1] // across + 1)
        }

    def step(self, now: float) -> None:
        """Move the picture on, if it is time.

        To be called when the picture is painted, and only then: what is never seen does not move.
        """
        if self.due(now):
            self._stepped = now
            self._moving = {tile for tile in self._moving if self._move(_part(tile))}

    def due(self, now: float) -> bool:
        """Whether a step would move anything."""
        return bool(self._moving) and now - self._stepped >= STEP_S

    @property
    def settled(self) -> bool:
        """Whether all that is wanted is painted."""
        return not self._moving

    def moving_parts(self) -> Iterator[Tile]:
        """Rows and columns that the next step may change."""
        return map(_part, self._moving)

    def resized(self, fill: NDArray[np.uint8]) -> "Fades":
        """The same on a surface of another size: what was painted stays where it was.

        Parameters
        ----------
        fill : uint8 (height, width, 4)
            What stands where nothing was painted yet.
        """
        other = Fades(fill, self.fade_s)
        height, width = np.minimum(fill.shape[:2], self.picture.shape[:2])
        other.picture[:height, :width] = self.picture[:height, :width]
        other._light[:, :height, :width] = self._light[:, :height, :width]
        other._stepped = self._stepped
        other.want(fill)
        return other

    def _move(self, part: Tile) -> bool:
        """Take one step; returns whether there is more to do."""
        light, wanted = self._light[(slice(None), *part)], self._wanted[(slice(None), *part)]
        step = wanted - light  # int16 (3, rows, columns)
        if not step.any():
            return False
        most = max(1, round(LIGHT_A_STEP * self._slowed))
        _shorten(step, np.abs(step).max(axis=0), most)
        reddens = np.abs(_red(light + step) - _red(light))
        if (reddens > RED_A_STEP).any():
            moves = np.abs(step[0] - step[1] - step[2])
            _shorten(step, np.where(reddens > RED_A_STEP, moves, 0), RED_A_STEP - 2)
        light += step
        for channel in range(3):
            self.picture[(*part, 2 - channel)] = np.take(CODE, light[channel], mode="clip")
        return bool((light != wanted).any())


def _shorten(step: NDArray[np.int16], length: NDArray[np.int16], most: int) -> None:
    """Shorten, in place, the steps (3, ...) whose length is above `most`; their hue stays."""
    share = most / np.maximum(length, most).astype(np.float32)
    np.multiply(step, share, out=step, casting="unsafe")  # towards 0


def _red(light: NDArray[np.int16]) -> NDArray[np.int16]:
    return np.maximum(light[0] - light[1] - light[2], 0)


def _part(tile: tuple[int, int]) -> Tile:
    (i, j), (down, across) = tile, TILE
    return slice(i * down, (i + 1) * down), slice(j * across, (j + 1) * across)
