"""What decoders without a brain score: the shipped one, and those of many other shuffles."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from calibration.fitting.null_maps import null_maps
from calibration.scoring.truth import Truth
from calibration.study import Study
from rtrecon.artifact import Artifact, LinearMap

SHUFFLES = 20
_SCORES = ("c_two_way", "z_two_way")
_MOST_SAMPLES = 5000  # of more a shuffle takes minutes, and kinds hardly keep their place by chance


def null_scores(study: Study, shuffles: int = SHUFFLES) -> dict[str, dict[str, Any]]:
    """Two-way identification of c and z by decoders whose trials were shuffled.

    Each is fitted anew, one after the other, and decodes the test's newest patterns; only one is in
    memory at a time. Of more than 5,000 samples the shipped one alone is scored.

    Returns
    -------
    dict
        By score: `shipped`, of the decoder's own null; `shuffled` (list), `mean` and `range` [lo, hi]
        of the others, where there are any.
    """
    shipped = _identified(study, study.artifact.control())
    others: list[dict[str, float]] = []
    if len(study.samples.patterns) <= _MOST_SAMPLES:
        nulls = tqdm(_nulls(study, shuffles), "null decoders", shuffles, disable=None)
        others = [_identified(study, null) for null in nulls]
    found: dict[str, dict[str, Any]] = {}
    for name, value in shipped.items():
        found[name] = {"shipped": value}
        if others:
            values = [one[name] for one in others]
            spread = {"mean": float(np.mean(values)), "range": [min(values), max(values)]}
            found[name] |= {"shuffled": values} | spread
    return found


def _nulls(study: Study, shuffles: int) -> Iterator[Artifact]:
    """Controls by one shuffle after the other, the same one for c and z."""
    artifact = study.artifact
    for seed in range(shuffles):
        z = None if artifact.z is None else _shuffled(study, "z", artifact.z, seed)
        yield replace(artifact, z=z, c=_shuffled(study, "c", artifact.c, seed))


def _shuffled(study: Study, name: str, linear: LinearMap, seed: int) -> LinearMap:
    samples, targets = study.samples, getattr(study.targets, name)
    rng, gain = np.random.default_rng(seed), study.artifact.about["gain"][name]
    (made,) = null_maps(
        linear, samples.patterns, targets[samples.trials], samples.trials, study.strengths[name], rng,
        gain=gain,
    )  # fmt: skip
    return made


def _identified(study: Study, null: Artifact) -> dict[str, float]:
    newest = study.held_out.newest
    tables = Truth(null, newest.shown).tables(newest.decoded(null))
    return {name: tables[name].value for name in _SCORES if name in tables}
