"""Held-out scores of a decoder: what a live session would have decoded, against the truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.dataset import decode_run, load_stimuli
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.compatibility import check_stream
from rtrecon.decode import Decode, unit
from rtrecon.generators import Generator
from rtrecon.summary import AGES_S, guess_of, identification
from rtrecon.types import Decoded


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


def evaluate(artifact: Artifact, runs: Sequence[Run], generator: Generator) -> dict[str, Any]:
    """Identification from c, and from z where the runs' pictures are at hand."""
    decoded = decode_runs(artifact, runs)
    guesses = [g for d in decoded if (g := guess_of(d, artifact.candidates)) is not None]
    scores: dict[str, Any] = {"c": identification(guesses, len(artifact.candidates))}
    trials = list({d.trial.number: d.trial for d in decoded}.values())
    pictures = load_stimuli(runs, trials)
    if artifact.z is not None and pictures is not None:
        latents = generator.encode_images(pictures).reshape(len(pictures), -1)
        truth = {trial.number: row for trial, row in zip(trials, latents, strict=True)}
        scores["z"] = _z_scores(decoded, truth, artifact.z.y_mean)
    return scores


def _z_scores(
    decoded: Sequence[Decoded], truth: dict[int, NDArray[np.float32]], mean: NDArray[np.float32]
) -> dict[str, Any]:
    newest = {d.trial.number: d for d in decoded}
    by_age = {}
    for age_s in AGES_S:
        at_age = {d.trial.number: d for d in decoded if d.age_s <= age_s}
        if len(at_age) > 1:
            by_age[str(age_s)] = _two_way_z(at_age, truth, mean)
    return _two_way_z(newest, truth, mean) | {"by_age_s": by_age}


def _two_way_z(
    at: dict[int, Decoded], truth: dict[int, NDArray[np.float32]], mean: NDArray[np.float32]
) -> dict[str, float]:
    predicted = np.stack([d.z.ravel() for d in at.values() if d.z is not None])
    true = np.stack([truth[number] for number in at])
    similarity = unit(predicted - mean) @ unit(true - mean).T
    return {
        "trials": len(at),
        "two_way": two_way(similarity),
        "correlation": float(np.diag(similarity).mean()),
    }


def two_way(similarity: NDArray[np.float32]) -> float:
    """Two-way identification: the mean of `each_two_way`."""
    return float(each_two_way(similarity).mean())


def each_two_way(similarity: NDArray[np.float32]) -> NDArray[np.float64]:
    """Two-way identification of each original (n,): rows are predictions, columns originals.

    For each original, how many of the other predictions resemble it less than its own does (the
    direction of Takagi & Nishimoto's code); ties count half.
    """
    own = np.diag(similarity)[None, :]
    less = (similarity < own).sum(axis=0) + 0.5 * ((similarity == own).sum(axis=0) - 1)
    each: NDArray[np.float64] = less / (len(similarity) - 1)
    return each
