"""Held-out scores of a decoder: what a live session would have decoded, against the truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.ceiling import repeat_identification
from calibration.confidence import reliability
from calibration.dataset import caption_of, decode_run, load_stimuli
from calibration.leakage import refuse_leakage
from calibration.metrics import Features, correlations, mean_of, named, retrieval
from calibration.metrics import two_way as two_way_table
from calibration.reconstructions import drawn, picture_tables
from calibration.statistics import Table, any_effect, score
from rtrecon.artifact import Artifact, check_stream
from rtrecon.bids import Run
from rtrecon.decode import Decode
from rtrecon.errors import BadDataset
from rtrecon.generators import Generator
from rtrecon.summary import AGES_S
from rtrecon.types import Decoded

ERROR = 0.05  # of calling something decoded where nothing is
_RETRIEVAL = 300


def decode_runs(artifact: Artifact, runs: Sequence[Run]) -> list[Decoded]:
    """Everything a live session would have decoded in these runs, each its own session.

    Raises
    ------
    Mismatch
        A run that the decoder was not fitted for.
    """
    decode = Decode(artifact)
    decoded = []
    preprocess = artifact.preprocess(runs[0].geometry.affine)
    for run in runs:
        check_stream(artifact, run.geometry, run.name)
        decoded += decode_run(run, preprocess, decode)
    return decoded


def evaluate(
    artifact: Artifact,
    runs: Sequence[Run],
    generator: Generator,
    features: Mapping[str, Features] | None = None,
    draw: bool = False,
    left_out: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score a decoder on runs that it was not fitted on.

    A trial counts with its newest volume, and at an age with the newest that is complete by then,
    if it lasted so long.

    Parameters
    ----------
    features : mapping of name to Features, optional
        What drawn pictures are compared by, as `networks.local_networks` gives them.
    draw : bool
        Whether pictures are drawn and compared.
    left_out : mapping of metric to reason, optional
        Handed on.
    seed : int
        Of nulls and intervals.

    Returns
    -------
    dict
        Ready for JSON. `name`, `runs` (names), `trials`, `pictures` (different ones), `candidates`
        (number);

        `scores`: by name {"value", "chance", "null": [lo, hi], "p", "interval": [lo, hi], "n"},
        from each trial's newest volume. Names: `kind_top1`, `kind_two_way` among the candidates;
        `c_two_way`, `c_two_way_of_originals`, `c_correlation`, `c_retrieval` and the same of `z`;
        of drawn pictures `pixcorr`, `ssim`, `pixels_two_way` and so on for each of `features`.
        `_two_way` holds an original and varies reconstructions, `_of_originals` the other way;

        `by_age_s`: by name and age in s (text), scores of kind, c and z;

        `family_p`: by name, p values that hold for all `scores` together;

        `nothing_decoded`: no `family_p` is below .05. (A single score is outside its own null in 5
        of 100 sessions without any effect, and there are many scores);

        `reliability`: of the confidence, {"bins": [{"said", "right", "n", "interval"}], "ece",
        "ece_interval", "excess"}, or None without known kinds;

        `repeats`: `c` and `z`, how well one repeat identifies another of the same picture, scores;
        empty where no pictures were repeated; `left_out`: by name, what could not be scored and why.

    Raises
    ------
    BadDataset
        Fewer than two trials, or runs and pictures that the decoder was fitted on.
    Mismatch
        A run that the decoder was not fitted for.
    """
    about = artifact.about
    refuse_leakage(about.get("stimuli", {}), about.get("runs", ()), runs)
    missing = dict(left_out or {})
    decoded = decode_runs(artifact, runs)
    newest = _at(decoded, None)
    if len(newest) < 2:
        raise BadDataset(f"{len(newest)} trial in the runs to test on: 2 or more are needed")
    truth = _Truth(artifact, runs, [one.trial for one in newest], generator)
    tables = truth.tables(newest)
    missing |= truth.left_out
    if draw and truth.pictures is not None:
        shown = drawn(newest, generator)
        tables |= picture_tables(shown, truth.pictures, features or {}, truth.units(newest))
    elif draw:
        missing["pictures"] = "the events name no stim_file"
    rng = np.random.default_rng(seed)
    family = any_effect(tables, rng)
    return {
        "name": artifact.name,
        "runs": [run.name for run in runs],
        "trials": len(newest),
        "pictures": len(np.unique(truth.units(newest))),
        "candidates": len(artifact.candidates),
        "scores": {name: score(table, rng).as_json() for name, table in tables.items()},
        "by_age_s": _by_age(decoded, truth, rng),
        "family_p": family,
        "nothing_decoded": all(p > ERROR for p in family.values()),
        "reliability": _reliability(artifact, newest, rng),
        "repeats": truth.repeats(newest, rng),
        "left_out": missing,
    }


class _Truth:
    """What was shown, in the spaces of the decoders."""

    def __init__(
        self, artifact: Artifact, runs: Sequence[Run], trials: Sequence[Any], generator: Generator
    ) -> None:
        self._artifact = artifact
        self._row = {trial.number: n for n, trial in enumerate(trials)}
        captions = [caption_of(trial) for trial in trials]
        self._c = _flat(generator.encode_captions(captions))
        self.pictures = load_stimuli(runs, trials)
        self._z, self.left_out = None, {}
        if artifact.z is None:
            self.left_out["z"] = "the decoder was fitted on captions alone"
        elif self.pictures is None:
            self.left_out["z"] = "the events name no stim_file"
        else:
            self._z = _flat(generator.encode_images(self.pictures))
        self._pictures = _numbered([trial.stim_file or caption_of(trial) for trial in trials])
        self._captions = _numbered(captions)

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
                f"{name}_two_way": two_way_table(similarity, "original", units),
                f"{name}_two_way_of_originals": two_way_table(similarity, "reconstruction", units),
                f"{name}_correlation": mean_of(similarity, units),
            }
            if len(np.unique(units)) == len(units):
                tables[f"{name}_retrieval"] = retrieval(similarity, _RETRIEVAL)
        return tables

    def units(self, decoded: Sequence[Decoded]) -> NDArray[np.int64]:
        """Which picture each trial showed (n,)."""
        units: NDArray[np.int64] = self._pictures[[self._row[d.trial.number] for d in decoded]]
        return units

    def repeats(self, decoded: Sequence[Decoded], rng: np.random.Generator) -> dict[str, Any]:
        """How well one repeat of a picture identifies another."""
        vectors = {"c": _flat([d.c for d in decoded]) - self._mean("c")}
        if self._artifact.z is not None:
            vectors["z"] = _flat([d.z for d in decoded if d.z is not None]) - self._mean("z")
        found = {
            name: repeat_identification(rows, self.units(decoded), rng)
            for name, rows in vectors.items()
        }
        return {name: one.as_json() for name, one in found.items() if one is not None}

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


def _by_age(
    decoded: Sequence[Decoded], truth: _Truth, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    by_age: dict[str, dict[str, Any]] = {}
    for age_s in AGES_S:
        at_age = _at(decoded, age_s)
        if len(at_age) < 2:
            continue
        for name, table in truth.tables(at_age).items():
            by_age.setdefault(name, {})[str(age_s)] = score(table, rng).as_json()
    return by_age


def _at(decoded: Sequence[Decoded], age_s: float | None) -> list[Decoded]:
    """Each trial's newest volume, or its newest by an age if it lasted so long."""
    trials: dict[int, list[Decoded]] = {}
    for one in decoded:
        trials.setdefault(one.trial.number, []).append(one)
    if age_s is None:
        return [rows[-1] for rows in trials.values()]
    chosen = []
    for rows in trials.values():
        seen = [one for one in rows if one.age_s <= age_s]
        spacing = rows[1].age_s - rows[0].age_s if len(rows) > 1 else 0.0
        if seen and age_s < rows[-1].age_s + spacing:
            chosen.append(seen[-1])
    return chosen


def _reliability(
    artifact: Artifact, newest: Sequence[Decoded], rng: np.random.Generator
) -> dict[str, Any] | None:
    known = [one for one in newest if one.trial.trial_type in artifact.candidates]
    if not known:
        return None
    right = np.array([one.predicted == one.trial.trial_type for one in known])
    return reliability(np.array([one.confidence for one in known]), right, rng=rng).as_json()


def _flat(values: Sequence[NDArray[np.float32]] | NDArray[np.float32]) -> NDArray[np.float32]:
    stacked = np.asarray(values)
    return stacked.reshape(len(stacked), -1)


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.unique(np.array(names), return_inverse=True)[1]
    return numbers


def two_way(similarity: NDArray[np.floating]) -> float:
    """Two-way identification (Takagi & Nishimoto's direction), rows predictions."""
    return float(each_two_way(similarity).mean())


def each_two_way(similarity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Two-way identification of each original (n,): how often its own prediction is the best."""
    return np.diag(two_way_table(similarity.astype(np.float64)).pairs)
