"""What was shown in held-out trials, and what decoded trials earn beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.data.dataset import caption_of, load_stimuli
from calibration.scoring.metrics import correlations, mean_of, named, retrieval, two_way
from calibration.scoring.statistics import Table
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.generators import Generator
from rtrecon.types import Decoded, Trial

_RETRIEVAL = 300


@dataclass(frozen=True)
class Shown:
    """What was presented in trials, a row each.

    Attributes
    ----------
    trials : sequence of int
        Their numbers.
    names, captions : sequence of str
        Trials of one picture have one name, those of which the same was said one caption.
    pictures : sequence of uint8 (height, width, 3), or None
    z : float32 (n, n_z) or None
    c : float32 (n, n_c)
    """

    trials: Sequence[int]
    names: Sequence[str]
    captions: Sequence[str]
    pictures: Sequence[NDArray[np.uint8]] | None
    z: NDArray[np.float32] | None
    c: NDArray[np.float32]


def shown_in(runs: Sequence[Run], trials: Sequence[Trial], generator: Generator) -> Shown:
    """What a generator makes of what trials of these runs showed.

    Raises
    ------
    BadDataset
        As `load_stimuli`.
    """
    captions = [caption_of(trial) for trial in trials]
    pictures = load_stimuli(runs, trials)
    return Shown(
        [trial.number for trial in trials],
        [trial.stim_file or caption for trial, caption in zip(trials, captions, strict=True)],
        captions,
        pictures,
        None if pictures is None else _flat(generator.encode_images(pictures)),
        _flat(generator.encode_captions(captions)),
    )


class Truth:
    """What was shown, in the spaces of a decoder, as tables of what decoded trials earn."""

    def __init__(self, artifact: Artifact, shown: Shown) -> None:
        self._artifact, self._c = artifact, shown.c
        self._row = {number: n for n, number in enumerate(shown.trials)}
        self.pictures, self._z = shown.pictures, None
        self.left_out: dict[str, str] = {}
        if artifact.z is None:
            self.left_out["z"] = "the decoder was fitted on captions alone"
        elif shown.z is None:
            self.left_out["z"] = "no pictures are at hand"
        else:
            self._z = shown.z
        self._pictures = _numbered(shown.names)
        self._captions = _numbered(shown.captions)

    def tables(self, decoded: Sequence[Decoded]) -> dict[str, Table]:
        """All that is compared of one volume a trial: kinds, c and z."""
        rows = [self._row[one.trial.number] for one in decoded]
        tables = self._kinds(decoded)
        found = {"c": (_flat([d.c for d in decoded]), self._c[rows], self._captions[rows])}
        if self._z is not None:
            z = _flat([d.z for d in decoded if d.z is not None])
            found["z"] = z, self._z[rows], self._pictures[rows]
        for name, (predicted, true, units) in found.items():
            if len(np.unique(units)) < 2:
                self.left_out[name] = "only one picture was shown"
                continue
            mean = self._mean(name)
            similarity = correlations(predicted - mean, true - mean)
            tables |= {
                f"{name}_two_way": two_way(similarity, "original", units),
                f"{name}_two_way_of_originals": two_way(similarity, "reconstruction", units),
                f"{name}_correlation": mean_of(similarity, units),
            }
            if len(np.unique(units)) == len(units):
                tables[f"{name}_retrieval"] = retrieval(similarity, _RETRIEVAL)
        return tables

    def units(self, decoded: Sequence[Decoded]) -> NDArray[np.int64]:
        """Which picture each trial showed (n,)."""
        units: NDArray[np.int64] = self._pictures[[self._row[d.trial.number] for d in decoded]]
        return units

    def _mean(self, name: str) -> NDArray[np.float32]:
        linear = self._artifact.z if name == "z" else self._artifact.c
        assert linear is not None
        return linear.y_mean

    def _kinds(self, decoded: Sequence[Decoded]) -> dict[str, Table]:
        index = {name: n for n, name in enumerate(self._artifact.candidates)}
        known = [one for one in decoded if one.trial.trial_type in index]
        if len(known) < 2 or len(index) < 2:
            self.left_out["kind"] = "fewer than 2 trials of kinds that the decoder knows"
            return {}
        scores = np.stack([one.scores for one in known]).astype(np.float64)
        truth = np.array([index[one.trial.trial_type] for one in known])
        top1, two_way_named = named(scores, truth)
        return {"kind_top1": top1, "kind_two_way": two_way_named}


def _flat(values: Sequence[NDArray[np.float32]] | NDArray[np.float32]) -> NDArray[np.float32]:
    stacked = np.asarray(values)
    return stacked.reshape(len(stacked), -1)


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.unique(np.array(names), return_inverse=True)[1]
    return numbers
