"""What the voxels of visual cortex respond to: pixels in early areas, things in ventral ones.

Neither knows of any model: early responses are computed from the picture, ventral responses from
the picture's description, so that nothing can be decoded from them but what was shown.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.spatial.distance import cdist

from simulator.gallery import Gallery, Shown

SIDE_PX = 64  # pictures are reduced to this before anything else
_MAP_PX = 32
_PAD_PX = 8  # mirrored border, so that filters do not see the opposite edge
_CYCLES = (4.0, 8.0, 16.0)  # per picture
_ORIENTATIONS = np.arange(4) * np.pi / 4
_LINEAR = 3  # luminance, red-green and blue-yellow, before the Gabor channels
_N_CHANNELS = _LINEAR + len(_CYCLES) * len(_ORIENTATIONS)
_CHUNK = 64  # pictures filtered at a time
_HIDDEN = 240  # units that mix properties on the way to ventral voxels
_SMOOTH_MM = 6.0  # over which neighbouring ventral voxels agree


class EarlyVision:
    """Receptive fields with Gabor energy, luminance and colour-opponent responses.

    Parameters
    ----------
    mni_mm : float32 (n_voxels, 3)
        Where the voxels are: the picture is mapped smoothly on the cortex, the fovea at the
        back, each half of the picture in the other hemisphere, the upper half below.
    gallery : Gallery
        Whose pictures the voxels are used to.
    rng : numpy.random.Generator
        Drives each voxel's tuning.

    Attributes
    ----------
    centre, size : float32 (n_voxels, 2), (n_voxels,)
        Receptive fields, see `retinotopy`.
    standard : float32 (n_pictures, n_voxels)
        Responses to the standard pictures.
    """

    def __init__(
        self, mni_mm: NDArray[np.float32], gallery: Gallery, rng: np.random.Generator
    ) -> None:
        self.centre, self.size = retinotopy(mni_mm, rng)
        self._fields = _fields(self.centre, self.size)
        self._weights = _early_weights(self.centre, rng)
        channels = self._channels(standard_images(gallery))
        self._mean, self._sd = channels.mean(0), channels.std(0)
        mixed = self._mix(channels)
        self._response_sd = mixed.std(0)
        self.standard = mixed / self._response_sd

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Responses in standard deviations over the standard pictures.

        `images`: (n, s, s, 3), s a multiple of 64; returns (n, n_voxels).
        """
        return self._mix(self._channels(images)) / self._response_sd

    def _channels(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What each kind of filter sees in each field: (n, n_channels, n_voxels)."""
        chunks = (images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK))
        seen = [_feature_maps(chunk).reshape(-1, _MAP_PX**2) @ self._fields.T for chunk in chunks]
        return np.concatenate(seen).reshape(len(images), _N_CHANNELS, -1)

    def _mix(self, channels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.einsum("ncv,cv->nv", (channels - self._mean) / self._sd, self._weights)


class VentralVision:
    """Smoothly varying mixed selectivity for what a picture shows.

    Parameters
    ----------
    mni_mm : float32 (n_voxels, 3)
    gallery : Gallery
        Whose pictures the voxels are used to, and which of their properties matter.
    rng : numpy.random.Generator
        Drives which properties a voxel mixes.

    Attributes
    ----------
    standard : float32 (n_pictures, n_voxels)
        Responses to the standard pictures.
    """

    def __init__(
        self, mni_mm: NDArray[np.float32], gallery: Gallery, rng: np.random.Generator
    ) -> None:
        self._properties = gallery.properties
        standard = standard_pictures(gallery)
        n_properties = len(gallery.properties(standard[0]))
        self._tuning = rng.standard_normal((n_properties, _HIDDEN), np.float32)
        self._bias = rng.normal(0, 0.5, _HIDDEN).astype(np.float32)
        own = rng.standard_normal((_HIDDEN, len(mni_mm)), np.float32)
        self._weights = smoothed(own, mni_mm) + 0.7 * own
        mixed = self._mix(standard)
        self._mean, self._sd = mixed.mean(0), mixed.std(0)
        self.standard = (mixed - self._mean) / self._sd

    def __call__(self, shown: Sequence[Shown]) -> NDArray[np.float32]:
        """Responses in standard deviations over the standard pictures: (n, n_voxels)."""
        return (self._mix(shown) - self._mean) / self._sd

    def _mix(self, shown: Sequence[Shown]) -> NDArray[np.float32]:
        properties = np.stack([self._properties(picture) for picture in shown])
        return np.maximum(properties @ self._tuning + self._bias, 0) @ self._weights


def retinotopy(
    mni_mm: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where in the picture early voxels look and how large a part of it they see.

    Centres are x and y from -1 to 1 (right and down are positive), (n_voxels, 2); sizes are the
    Gaussian's standard deviation in the same unit, (n_voxels,).
    """
    x, y, z = mni_mm.T
    eccentricity = 0.06 * (1.25 / 0.06) ** _rank(y)  # logarithmic, as cortex magnifies the fovea
    left = x < 0
    angle = np.empty(len(x), np.float32)
    for side in (left, ~left):  # up the cortex is down in the picture
        angle[side] = (_rank((z - 0.15 * y)[side]) - 0.5) * np.pi
    across = eccentricity * np.cos(angle) * np.where(left, 1, -1)
    centre = np.stack([across, eccentricity * np.sin(angle)], axis=1)
    centre += rng.normal(0, 0.03, centre.shape)
    return centre.astype(np.float32), (0.07 + 0.16 * eccentricity).astype(np.float32)


@lru_cache(maxsize=2)
def standard_pictures(gallery: Gallery) -> tuple[Shown, ...]:
    """The fixed pictures over which responses have mean 0 and standard deviation 1."""
    rng = np.random.default_rng(20230601)
    return tuple(gallery.sample(rng) for _ in range(400))


@lru_cache(maxsize=2)
def standard_images(gallery: Gallery) -> NDArray[np.uint8]:
    """As they are drawn: (400, 64, 64, 3)."""
    return np.stack([gallery.draw(picture, SIDE_PX) for picture in standard_pictures(gallery)])


def _feature_maps(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luminance, two colour-opponent maps and Gabor energies: (n, n_channels, 32 * 32)."""
    red, green, blue = np.moveaxis(_reduced(images, SIDE_PX), -1, 0)
    luminance = 0.3 * red + 0.59 * green + 0.11 * blue
    linear = np.stack([luminance, red - green, blue - (red + green) / 2], axis=1)
    maps = np.concatenate([linear, _energy(luminance)], axis=1)
    coarse = _reduced(np.moveaxis(maps, 1, -1), _MAP_PX)
    return np.moveaxis(coarse, -1, 1).reshape(len(images), _N_CHANNELS, -1)


def _energy(luminance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gabor amplitude at each frequency and orientation: (n, n_gabors, 64, 64)."""
    padding = ((0, 0), (_PAD_PX, _PAD_PX), (_PAD_PX, _PAD_PX))
    spectrum = fft.fft2(np.pad(luminance, padding, mode="reflect"))
    maps = [np.abs(fft.ifft2(spectrum * gabor)) for gabor in _gabors()]
    inside = slice(_PAD_PX, -_PAD_PX)
    return np.stack(maps, axis=1)[..., inside, inside]


@lru_cache(maxsize=1)
def _gabors() -> NDArray[np.float32]:
    """One-sided Gabor filters in the frequency domain: (n_gabors, 80, 80)."""
    side = SIDE_PX + 2 * _PAD_PX
    down, across = np.meshgrid(*2 * [fft.fftfreq(side) * SIDE_PX], indexing="ij")
    frequency, angle = np.hypot(down, across), np.arctan2(down, across)
    gabors = []
    for cycles in _CYCLES:
        band = np.exp(-(np.log2(np.maximum(frequency, 1e-3) / cycles) ** 2) / (2 * 0.5**2))
        gabors += [band * np.exp(2.5 * (np.cos(angle - a) - 1)) for a in _ORIENTATIONS]
    return np.array(gabors, np.float32)


def _reduced(images: NDArray[np.generic], side_px: int) -> NDArray[np.float32]:
    """Block means down to `side_px`, as float32; bytes become 0 to 1."""
    n, height, width, depth = images.shape
    if height != width or height % side_px:
        raise ValueError(f"pictures of {height} x {width}: square, a multiple of {side_px} wanted")
    block = height // side_px
    scale = 1 / 255 if images.dtype == np.uint8 else 1.0
    blocks = images.reshape(n, side_px, block, side_px, block, depth)
    return (blocks.mean((2, 4), dtype=np.float32) * scale).astype(np.float32)


def _fields(centre: NDArray[np.float32], size: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaussian receptive fields over the maps' pixels: (n_voxels, 32 * 32)."""
    at = (np.arange(_MAP_PX, dtype=np.float32) + 0.5) * 2 / _MAP_PX - 1
    across = np.exp(-((at - centre[:, :1]) ** 2) / (2 * size[:, None] ** 2))
    down = np.exp(-((at - centre[:, 1:]) ** 2) / (2 * size[:, None] ** 2))
    fields = down[:, :, None] * across[:, None, :]
    # Normalised over the whole plane: what lies beyond the picture's edge is not seen.
    fields *= ((2 / _MAP_PX) ** 2 / (2 * np.pi * size**2))[:, None, None]
    return fields.reshape(len(centre), -1).astype(np.float32)


def _early_weights(centre: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """How much of each channel a voxel takes: (n_channels, n_voxels)."""
    n = len(centre)
    preferred = rng.uniform(0, np.pi, n)
    cycles = 13 * np.exp(-0.8 * np.hypot(*centre.T)) * np.exp(rng.normal(0, 0.3, n))
    angle = np.tile(_ORIENTATIONS, len(_CYCLES))[:, None]
    frequency = np.repeat(_CYCLES, len(_ORIENTATIONS))[:, None]
    gabor = np.exp(1.5 * np.cos(2 * (angle - preferred)) - np.log2(frequency / cycles) ** 2)
    gabor *= 0.7 / np.linalg.norm(gabor, axis=0)
    linear = rng.normal(0, 1, (_LINEAR, n)) * np.array([[0.6], [0.4], [0.4]])
    return np.concatenate([linear, gabor]).astype(np.float32)


def smoothed(weights: NDArray[np.float32], mni_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights (n_hidden, n_voxels) averaged over neighbouring voxels, their variance kept."""
    near = np.exp(-cdist(mni_mm, mni_mm, "sqeuclidean") / (2 * _SMOOTH_MM**2))
    return weights @ (near / np.linalg.norm(near, axis=0)).astype(np.float32)


def _rank(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each value's place among all, from 0 to 1."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return (order / max(1, len(values) - 1)).astype(np.float32)
