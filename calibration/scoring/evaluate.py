"""Held-out scores of a decoder: what a live session would have decoded, against the truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.fitting.confidence import reliability
from calibration.scoring.ceiling import decoded_repeats
from calibration.scoring.held_out import HeldOut
from calibration.scoring.metrics import Features, Pictures
from calibration.scoring.metrics import two_way as two_way_table
from calibration.scoring.reconstructions import drawn, picture_tables
from calibration.scoring.statistics import any_effect, score
from calibration.scoring.truth import Truth
from rtrecon.artifact import Artifact
from rtrecon.errors import BadDataset
from rtrecon.generators import Generator
from rtrecon.summary import AGES_S, at_age
from rtrecon.types import Decoded

ERROR = 0.05  # of calling something decoded where nothing is


def evaluate(
    artifact: Artifact,
    held_out: HeldOut,
    generator: Generator,
    features: Mapping[str, Features] | None = None,
    draw: bool = False,
    left_out: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Score a decoder on trials that it was not fitted on.

    A trial counts with its newest volume, and at an age with the newest that is complete by then,
    if it lasted so long.

    Parameters
    ----------
    held_out : HeldOut
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

        `repeats`: `c` and `z`, how well a single showing identifies another of the same picture,
        scores; empty where no pictures were repeated; `left_out`: by name, what could not be scored and why.

    Raises
    ------
    BadDataset
        Fewer than two trials.
    """
    decoded = held_out.decoded(artifact)
    pictures = drawn(newest_of(decoded), generator) if draw else None
    return scored(artifact, decoded, held_out, pictures, features, left_out, seed)


def scored(
    artifact: Artifact,
    decoded: Sequence[Decoded],
    held_out: HeldOut,
    pictures: Sequence[Pictures] | None = None,
    features: Mapping[str, Features] | None = None,
    left_out: Mapping[str, str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What `evaluate` returns, of what is decoded already.

    Parameters
    ----------
    artifact : Artifact
    decoded : sequence of Decoded
    held_out : HeldOut
        That it was decoded from.
    pictures : sequence of uint8 (samples, height, width, 3), optional
        What was drawn of each trial's newest, in the order of the trials.
    features, left_out, seed
        As of `evaluate`.

    Raises
    ------
    BadDataset
        Fewer than two trials.
    """
    missing = dict(left_out or {})
    newest = newest_of(decoded)
    if len(newest) < 2:
        raise BadDataset(f"{len(newest)} trial in the runs to test on: 2 or more are needed")
    truth = Truth(artifact, held_out.shown)
    tables = truth.tables(newest)
    missing |= truth.left_out
    if pictures is not None and truth.pictures is not None:
        tables |= picture_tables(pictures, truth.pictures, features or {}, truth.units(newest))
    elif pictures is not None:
        missing["pictures"] = "no pictures are at hand"
    rng = np.random.default_rng(seed)
    family = any_effect(tables, rng)
    return {
        "name": artifact.name,
        "runs": list(held_out.names),
        "trials": len(newest),
        "pictures": len(np.unique(truth.units(newest))),
        "candidates": len(artifact.candidates),
        "scores": {name: score(table, rng).as_json() for name, table in tables.items()},
        "by_age_s": _by_age(decoded, truth, rng),
        "family_p": family,
        "nothing_decoded": all(p > ERROR for p in family.values()),
        "reliability": _reliability(artifact, newest, rng),
        "repeats": decoded_repeats(artifact, held_out.showings, rng),
        "left_out": missing,
    }


def _by_age(
    decoded: Sequence[Decoded], truth: Truth, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    by_age: dict[str, dict[str, Any]] = {}
    for age_s in AGES_S:
        newest = at_age(_by_trial(decoded), age_s)
        if len(newest) < 2:
            continue
        for name, table in truth.tables(newest).items():
            by_age.setdefault(name, {})[str(age_s)] = score(table, rng).as_json()
    return by_age


def newest_of(decoded: Sequence[Decoded]) -> list[Decoded]:
    """Each trial's newest volume."""
    return [rows[-1] for rows in _by_trial(decoded)]


def _by_trial(decoded: Sequence[Decoded]) -> list[list[Decoded]]:
    trials: dict[int, list[Decoded]] = {}
    for one in decoded:
        trials.setdefault(one.trial.number, []).append(one)
    return list(trials.values())


def _reliability(
    artifact: Artifact, newest: Sequence[Decoded], rng: np.random.Generator
) -> dict[str, Any] | None:
    known = [one for one in newest if one.trial.trial_type in artifact.candidates]
    if not known:
        return None
    right = np.array([one.predicted == one.trial.trial_type for one in known])
    return reliability(np.array([one.confidence for one in known]), right, rng=rng).as_json()


def two_way(similarity: NDArray[np.floating]) -> float:
    """Two-way identification (Takagi & Nishimoto's direction), rows predictions."""
    return float(each_two_way(similarity).mean())


def each_two_way(similarity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Two-way identification of each original (n,): how often its own prediction is the best."""
    return np.diag(two_way_table(similarity.astype(np.float64)).pairs)
