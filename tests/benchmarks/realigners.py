"""Who realigns volumes in the benchmark of motion: ours, and python-rtspm if it is installed."""

import os
import sys
import time
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from rtrecon.motion import Realign
from tests import phantom

CORES = len(os.sched_getaffinity(0))
clock = time.process_time if CORES == 1 else time.perf_counter
HAVE_RTSPM = find_spec("rtspm") is not None
# OpenNFT's own settings
RTSPM_FLAGS = {"quality": 0.9, "fwhm": 5, "sep": 4, "interp": 4, "wrap": np.zeros((3, 1))}


class Ours:
    """`fast` or not; `pose` maps the reference's mm to the volume's."""

    def __init__(self, reference, affine, voxels, fast: bool = False) -> None:
        self.name = "ours, fast" if fast else "ours"
        self._realign = Realign(reference, affine, voxels, fast=fast)
        self.restart = self._realign.restart

    def __call__(self, volume) -> tuple[NDArray, NDArray, float]:
        """The pose, the voxels, and the seconds it took."""
        start = clock()
        voxels, found = self._realign(volume)
        took_s = clock() - start
        if not found.trusted:
            print(f"{self.name}: not trusted: {found.reason}", file=sys.stderr)
        return pose_of(found.translation_mm, found.rotation_rad), voxels, took_s


class Rtspm:
    """SPM as OpenNFT calls it: each volume estimated, then resliced whole."""

    name = "python-rtspm"

    def __init__(self, reference, affine, voxels) -> None:
        self._voxels = voxels
        self._mat = affine.copy()
        self._mat[:3, 3] -= affine[:3, :3].sum(axis=1)  # SPM counts voxels from 1
        self._still = self._image(reference)
        self._prepared: tuple = ([],) * 6
        self._seen = 0
        self._estimate(self._image(reference))

    def restart(self) -> None:
        """Each of its fits starts from the reference anyway."""

    def __call__(self, volume) -> tuple[NDArray, NDArray | None, float]:
        image = self._image(volume)
        start = clock()
        both = self._estimate(image)
        # its reslicing takes volumes with as many columns as rows, others make it fail
        voxels = self._reslice(both) if volume.shape[0] == volume.shape[1] else None
        took_s = clock() - start
        return np.linalg.inv(both[1]["mat"] @ np.linalg.inv(self._mat)), voxels, took_s

    def _image(self, volume) -> dict:
        data = np.array(volume, float, order="F")
        return {"mat": self._mat.copy(), "dim": np.array(volume.shape), "Vol": data}

    def _estimate(self, image: dict) -> list[dict]:
        from rtspm import spm_realign_rt

        self._seen += 1
        flags = RTSPM_FLAGS | {"rtm": 0, "PW": "", "lkp": np.arange(6)}
        both = [self._still, image]
        both, *prepared = spm_realign_rt(both, flags, self._seen, 1, *self._prepared)
        self._prepared = tuple(prepared[:6])
        return both

    def _reslice(self, both: list[dict]) -> NDArray:
        from rtspm import spm_reslice_rt

        whole = spm_reslice_rt(both, RTSPM_FLAGS | {"mask": 1, "mean": 0, "which": 2})
        return whole.ravel(order="F")[self._voxels]


def all_of(reference, affine, voxels) -> list:
    """Everybody who is here."""
    ours = [Ours(reference, affine, voxels), Ours(reference, affine, voxels, fast=True)]
    return [Rtspm(reference, affine, voxels), *ours] if HAVE_RTSPM else ours


def pose_of(translation_mm, rotation_rad) -> NDArray[np.float64]:
    """SPM's six numbers as the map from the reference's mm to the volume's."""
    return np.linalg.inv(phantom.spm_matrix(translation_mm, rotation_rad))
