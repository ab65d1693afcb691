"""Calibration runs -> patterns and targets, through the live path's own preprocessing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from rtrecon.bids import Run, find_runs, load_run
from rtrecon.decode import Decode
from rtrecon.errors import BadDataset
from rtrecon.motion import Motion, Realign
from rtrecon.preprocess import Preprocess
from rtrecon.quality import START_UP
from rtrecon.response import Response
from rtrecon.types import Decoded, Geometry, Pattern, Trial, Volume

_IN_HEAD = 0.1  # of the bright voxels' mean: below that a voxel lies outside the head
_AFFINE_MM = 0.01
_REFERENCE_VOLUMES = 10


@dataclass(frozen=True)
class Region:
    """The voxels to decode from, all counted with i fastest.

    Attributes
    ----------
    voxels : int64 (n_voxels,)
    early, ventral : bool (n_voxels,)
        Which of them predict z and which c; they may be the same.
    """

    voxels: NDArray[np.int64]
    early: NDArray[np.bool_]
    ventral: NDArray[np.bool_]


@dataclass(frozen=True)
class Samples:
    """Patterns of several runs. `trials[n]` and `runs[n]` belong to row n of `patterns`.

    Attributes
    ----------
    patterns : float32 (n_samples, n_voxels)
    ages_s, variances : float64 (n_samples,)
    trials : int64 (n_samples,)
        Index into `shown`.
    runs : int64 (n_samples,)
    shown : tuple of Trial
    """

    patterns: NDArray[np.float32]
    ages_s: NDArray[np.float64]
    variances: NDArray[np.float64]
    trials: NDArray[np.int64]
    runs: NDArray[np.int64]
    shown: tuple[Trial, ...]


def load_runs(dataset: Path, labels: Sequence[str] | None) -> list[Run]:
    """The runs of a dataset that have trials.

    Raises
    ------
    BadDataset
        No trials anywhere, or runs that differ in shape, affine or TR.
    """
    runs = [load_run(path) for path in find_runs(dataset, labels)]
    with_trials = [run for run in runs if run.trials]
    if not with_trials:
        raise BadDataset(
            f"{dataset}: no run has an _events.tsv with trials: fitting needs to know what was shown"
        )
    first = with_trials[0].geometry
    for run in with_trials[1:]:
        other = run.geometry
        same = other.shape == first.shape and abs(other.tr_s - first.tr_s) < 1e-3
        if not same or np.abs(other.affine - first.affine).max() > _AFFINE_MM:
            raise BadDataset(
                f"{run.name} differs from {with_trials[0].name} in shape, position or TR: "
                "choose runs of one protocol with --runs"
            )
    return with_trials


def load_region(
    runs: Sequence[Run], mask: Path | None, early: Path | None, ventral: Path | None
) -> Region:
    """Voxels from one mask for everything, or from one for z and one for c.

    Without masks: the posterior third of the head, where visual cortex lies. Voxels outside the
    head or without variance are left out.

    Raises
    ------
    BadDataset
        A mask that cannot be read, lies in another space or has no live voxels.
    """
    if (early is None) != (ventral is None) or (mask is not None and early is not None):
        raise BadDataset("name one --mask, or both --early and --ventral, or none of the three")
    alive = _alive(runs)
    if mask is None and early is None:
        posterior = _posterior(np.flatnonzero(alive), runs[0].geometry)
        every = np.ones(len(posterior), bool)
        return Region(posterior, every, every)
    masks = [_load_mask(file, runs[0]) & alive for file in (mask or early, mask or ventral) if file]
    for file, chosen in zip((mask or early, mask or ventral), masks, strict=True):
        if not chosen.any():
            raise BadDataset(
                f"{file} covers no voxel inside the head: check that it lies in the runs' space"
            )
    voxels = np.flatnonzero(masks[0] | masks[1])
    return Region(voxels, masks[0][voxels], masks[1][voxels])


def voxel_sd(runs: Sequence[Run], voxels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Each voxel's standard deviation (n_voxels,): the runs' median, start-up left out."""
    sds = [_flat(run)[voxels, START_UP:].astype(np.float32).std(axis=1) for run in runs]
    return np.median(sds, axis=0).astype(np.float32)


def reference_of(run: Run) -> NDArray[np.float32]:
    """What volumes are realigned to (i, j, k): the mean of a run's first ones, themselves aligned."""
    first = run.data[..., START_UP].astype(np.float32)
    to_first = Realign(first, run.geometry.affine, np.arange(first.size))
    volumes = range(START_UP, min(START_UP + _REFERENCE_VOLUMES, run.n_volumes))
    aligned = [(number, *to_first(run.data[..., number])) for number in volumes]
    mean = np.mean([voxels for _, voxels, motion in aligned if motion.trusted], axis=0)
    return mean.reshape(first.shape, order="F").astype(np.float32)


class RealignedOnce:
    """Realigns each volume of the runs once, though each pass through them asks for it anew."""

    def __init__(self, realign: Realign) -> None:
        self._realign = realign
        self._runs: list[list[tuple[NDArray[np.float32], Motion]]] = []
        self.rewind()

    def rewind(self) -> None:
        """A new pass begins, through the same runs."""
        self._run = -1

    def restart(self) -> None:
        """The next run begins."""
        self._run, self._volume = self._run + 1, 0
        if self._run == len(self._runs):
            self._runs.append([])
        self._realign.restart()

    def __call__(self, volume: NDArray[np.generic]) -> tuple[NDArray[np.float32], Motion]:
        """As `Realign`."""
        known = self._runs[self._run]
        if self._volume == len(known):
            known.append(self._realign(volume))
        self._volume += 1
        return known[self._volume - 1]


def collect(runs: Sequence[Run], preprocess: Preprocess) -> Samples:
    """Every pattern that a live session would have seen in these runs."""
    patterns: list[Pattern] = []
    of_run: list[int] = []
    for number, run in enumerate(runs):
        found = patterns_of(run, preprocess)
        patterns += found
        of_run += [number] * len(found)
    if not patterns:
        raise BadDataset("no volume follows a stimulus: check the onsets in the events files")
    shown = {pattern.trial.number: pattern.trial for pattern in patterns}
    index = {number: n for n, number in enumerate(shown)}
    return Samples(
        np.stack([pattern.voxels for pattern in patterns]),
        np.array([pattern.age_s for pattern in patterns]),
        np.array([pattern.variance for pattern in patterns]),
        np.array([index[pattern.trial.number] for pattern in patterns]),
        np.array(of_run),
        tuple(shown.values()),
    )


def patterns_of(run: Run, preprocess: Preprocess) -> list[Pattern]:
    """The patterns of one run, volume by volume."""
    patterns = []
    for item in run.walk():
        if not isinstance(item, Volume):
            preprocess.mark(item)
        elif (pattern := preprocess.add(item)) is not None:
            patterns.append(pattern)
    return patterns


def decode_run(run: Run, preprocess: Preprocess, decode: Decode) -> list[Decoded]:
    """What a live session would have decoded in this run."""
    return [decode(pattern) for pattern in patterns_of(run, preprocess)]


def load_stimuli(runs: Sequence[Run], trials: Sequence[Trial]) -> list[NDArray[np.uint8]] | None:
    """The presented pictures in the order of `trials`; None where the events name none.

    Raises
    ------
    BadDataset
        Pictures are named that are not there; all of them are told.
    """
    if not any(trial.stim_file for trial in trials):
        return None
    folder = runs[0].stimuli
    missing = sorted(
        {t.stim_file or "(none named)" for t in trials if not (folder / t.stim_file).is_file()}
    )
    if missing:
        raise BadDataset(f"{len(missing)} stimuli are not in {folder}: {', '.join(missing[:5])}")
    return [_load_picture(folder / trial.stim_file) for trial in trials]


def caption_of(trial: Trial) -> str:
    """What the conditioning is made from: the caption, else the condition's name."""
    return trial.caption or trial.trial_type.replace("_", " ")


def default_response(runs: Sequence[Run]) -> Response:
    """The canonical response to a stimulus of the usual duration."""
    durations = [trial.duration_s for run in runs for trial in run.trials]
    known = [duration for duration in durations if duration > 0]
    return Response(duration_s=float(np.median(known)) if known else 1.0)


def _flat(run: Run) -> NDArray[np.generic]:
    return run.data.reshape(-1, run.n_volumes, order="F")


def _alive(runs: Sequence[Run]) -> NDArray[np.bool_]:
    """Voxels (i fastest) inside the head with some variance in every run."""
    alive = np.ones(runs[0].geometry.n_voxels, bool)
    for run in runs:
        some = _flat(run)[:, START_UP :: max(1, run.n_volumes // 40)].astype(np.float32)
        mean = some.mean(axis=1)
        alive &= (mean > _IN_HEAD * np.percentile(mean, 98)) & (some.std(axis=1) > 0)
    return alive


def _posterior(voxels: NDArray[np.int64], geometry: Geometry) -> NDArray[np.int64]:
    """Those of the voxels that lie in the posterior third of all of them."""
    at = np.array(np.unravel_index(voxels, geometry.shape, order="F"))
    y_mm = (geometry.affine[:3, :3] @ at)[1]  # NIfTI's second axis points to the front
    back, front = np.percentile(y_mm, (0.5, 99.5))
    return voxels[y_mm < back + (front - back) / 3]


def _load_mask(file: Path, run: Run) -> NDArray[np.bool_]:
    try:
        image = nib.load(file)
        chosen = np.asarray(image.dataobj) > 0
    except (OSError, ValueError, ImageFileError) as error:
        raise BadDataset(f"mask {file} cannot be read: {error}") from error
    shape = run.geometry.shape
    if chosen.shape != shape:
        raise BadDataset(
            f"mask {file} has {chosen.shape} voxels, the runs have {shape}: resample it to the runs"
        )
    apart = float(np.abs(image.affine - run.geometry.affine).max())
    if apart > 1.0:
        raise BadDataset(
            f"mask {file} lies {apart:.3g} mm from the runs (affines): resample it to the runs"
        )
    return chosen.ravel(order="F")


def _load_picture(file: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise BadDataset(f"stimulus {file} cannot be read: {error}") from error
