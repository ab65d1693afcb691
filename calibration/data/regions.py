"""Which voxels are decoded: from masks or an atlas, else what responds reliably, else the back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.data.atlas import Area
from calibration.data.reliability import FDR, reliable_in_runs
from rtrecon.bids import Run
from rtrecon.errors import BadDataset
from rtrecon.quality import START_UP
from rtrecon.types import Geometry

_IN_HEAD = 0.1  # of the bright voxels' mean: below that a voxel lies outside the head
_FEWEST = 50  # reliable voxels, fewer of which are no visual cortex


@dataclass(frozen=True)
class Region:
    """The voxels to decode from, all counted with i fastest.

    Attributes
    ----------
    voxels : int64 (n_voxels,)
    early, ventral : bool (n_voxels,)
        Which of them predict z and which c; they may be the same.
    chosen_by : str
        How they were found, for people.
    """

    voxels: NDArray[np.int64]
    early: NDArray[np.bool_]
    ventral: NDArray[np.bool_]
    chosen_by: str = ""


@dataclass(frozen=True)
class Areas:
    """What was named: one mask for everything, or an area for z and one for c, or nothing."""

    mask: Area | None = None
    early: Area | None = None
    ventral: Area | None = None

    @property
    def pair(self) -> tuple[Area, Area] | None:
        """For z and for c; None where nothing was named.

        Raises
        ------
        BadDataset
            Half of it, or too much.
        """
        if self.mask is None and self.early is None and self.ventral is None:
            return None
        if self.mask is not None and self.early is None and self.ventral is None:
            return self.mask, self.mask
        if self.mask is None and self.early is not None and self.ventral is not None:
            return self.early, self.ventral
        raise BadDataset("name one --mask, or both --early and --ventral, or none of the three")

    def problems(self, geometry: Geometry) -> list[str]:
        """All that keeps the areas from being found in volumes that lie so."""
        problems = []
        try:
            pair = self.pair or ()
        except BadDataset as error:
            return [str(error)]
        for area in dict.fromkeys(pair):
            try:
                if not area.within(geometry).any():
                    problems.append(f"{area} covers no voxel at all")
            except BadDataset as error:
                problems.append(str(error))
        return problems

    def region(self, geometry: Geometry, alive: NDArray[np.bool_]) -> Region | None:
        """The areas' voxels among those alive (n_voxels,); None where nothing was named.

        Raises
        ------
        BadDataset
            An area that cannot be read, lies in another space or has no live voxels.
        """
        if self.pair is None:
            return None
        early, ventral = (area.within(geometry) & alive for area in self.pair)
        for area, chosen in zip(self.pair, (early, ventral), strict=True):
            if not chosen.any():
                raise BadDataset(
                    f"{area} covers no voxel inside the head: check that it lies in the runs' space"
                )
        voxels = np.flatnonzero(early | ventral)
        told = "mask {0}" if self.mask else "early {0}, ventral {1}"
        return Region(voxels, early[voxels], ventral[voxels], told.format(*self.pair))


NOTHING_NAMED = Areas()


def load_region(
    runs: Sequence[Run],
    mask: Area | Path | None = None,
    early: Area | Path | None = None,
    ventral: Area | Path | None = None,
    realign: bool = False,
) -> Region:
    """Voxels from one area for everything, or from one for z and one for c.

    Where none is named: those whose responses to repeated pictures repeat (`reliability`); where
    pictures do not repeat, or too few voxels do, the posterior third of the head, where visual
    cortex lies. Voxels outside the head or without variance are left out.

    Raises
    ------
    BadDataset
        An area that cannot be read, lies in another space or has no live voxels.
    """
    named = Areas(*(Area(a) if isinstance(a, Path) else a for a in (mask, early, ventral)))
    alive, geometry = _alive(runs), runs[0].geometry
    if (region := named.region(geometry, alive)) is not None:
        return region
    head = np.flatnonzero(alive)
    found = reliable_in_runs(runs, head, realign)
    if found is not None and found.mask.sum() >= _FEWEST:
        told = f"reliable over {found.stimuli} repeated stimuli (false discovery rate {FDR:g})"
        return _one(head[found.mask], told)
    region = _one(_posterior(head, geometry), "posterior third of the head")
    if found is None:
        return region
    return replace(region, chosen_by=f"{region.chosen_by}: too few voxels responded reliably")


def _one(voxels: NDArray[np.int64], chosen_by: str) -> Region:
    every = np.ones(len(voxels), bool)
    return Region(voxels, every, every, chosen_by)


def _alive(runs: Sequence[Run]) -> NDArray[np.bool_]:
    """Voxels (i fastest) inside the head with some variance in every run that lies as the first."""
    alive = np.ones(runs[0].geometry.n_voxels, bool)
    for run in runs:
        if not np.allclose(run.geometry.affine, runs[0].geometry.affine, atol=0.01):
            continue
        flat = run.data.reshape(-1, run.n_volumes, order="F")
        some = flat[:, START_UP :: max(1, run.n_volumes // 40)].astype(np.float32)
        mean = some.mean(axis=1)
        alive &= (mean > _IN_HEAD * np.percentile(mean, 98)) & (some.std(axis=1) > 0)
    return alive


def _posterior(voxels: NDArray[np.int64], geometry: Geometry) -> NDArray[np.int64]:
    """Those of the voxels that lie in the posterior third of all of them."""
    at = np.array(np.unravel_index(voxels, geometry.shape, order="F"))
    y_mm = (geometry.affine[:3, :3] @ at)[1]  # NIfTI's second axis points to the front
    back, front = np.percentile(y_mm, (0.5, 99.5))
    return voxels[y_mm < back + (front - back) / 3]
