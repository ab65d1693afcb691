"""What each stimulus evoked, and how stimuli are left out of fits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.data.samples import Samples
from calibration.fitting.ridge import Split, leave_out
from rtrecon.errors import BadDataset
from rtrecon.types import Trial

FOLDS = 6
LEAST_STIMULI = 12


@dataclass(frozen=True)
class Responses:
    """What each stimulus evoked: the mean of its trials.

    Attributes
    ----------
    patterns : float32 (n_stimuli, n_voxels)
    groups : int64 (n_stimuli,)
        Its run; where stimuli come again in other runs, each is a group of its own.
    shown : tuple of Trial
        One trial of each.
    repeats : int64 (n_stimuli,)
        How many trials it had.
    """

    patterns: NDArray[np.float32]
    groups: NDArray[np.int64]
    shown: tuple[Trial, ...]
    repeats: NDArray[np.int64]

    def save(self, file: Path) -> None:
        """Everything but `shown`, as `.npz`."""
        np.savez(file, patterns=self.patterns, groups=self.groups, repeats=self.repeats)

    @classmethod
    def load(cls, file: Path) -> "Responses":
        """What `save` wrote; `shown` is empty."""
        with np.load(file, allow_pickle=False) as found:
            return cls(found["patterns"], found["groups"], (), found["repeats"])

    @property
    def by_run(self) -> bool:
        """Whether whole runs are left out, and not stimuli."""
        return len(np.unique(self.groups)) < len(self.groups)

    @property
    def blocks(self) -> NDArray[np.int64]:
        """What may differ in level and is never shuffled across (n_stimuli,): runs, where they count."""
        return self.groups if self.by_run else np.zeros_like(self.groups)

    @property
    def parts(self) -> NDArray[np.int64]:
        """With which others each stimulus is left out (n_stimuli,)."""
        parts = np.empty_like(self.groups)
        for n, (_, test) in enumerate(self.splits()):
            parts[test] = n
        return parts

    def splits(self) -> list[Split]:
        """Whole runs left out; where stimuli come again in other runs, whole stimuli."""
        return leave_out(self.groups, FOLDS)


def responses_of(samples: Samples) -> Responses:
    """One response a stimulus from the last pattern of each trial, when its evidence is complete.

    Raises
    ------
    BadDataset
        Too few different stimuli to tell features apart.
    """
    trials = np.unique(samples.trials)
    last = np.array([np.flatnonzero(samples.trials == trial)[-1] for trial in trials])
    shown = [samples.shown[trial] for trial in trials]
    keys = [(trial.stim_file, trial.caption if not trial.stim_file else "") for trial in shown]
    index = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    if len(index) < LEAST_STIMULI:
        raise BadDataset(
            f"{len(trials)} trials show {len(index)} different stimuli: features cannot be told apart "
            f"with fewer than {LEAST_STIMULI}; add runs with other pictures"
        )
    of = np.array([index[key] for key in keys])
    repeats = np.bincount(of)
    mean = (of == np.arange(len(index))[:, None]) / repeats[:, None]
    runs = [set(samples.runs[last[of == n]].tolist()) for n in range(len(index))]
    left_out_by_run = all(len(r) == 1 for r in runs) and len(set.union(*runs)) > 1
    groups = [min(r) for r in runs] if left_out_by_run else list(range(len(index)))
    return Responses(
        (mean @ samples.patterns[last]).astype(np.float32),
        np.array(groups),
        tuple(shown[keys.index(key)] for key in index),
        repeats,
    )
