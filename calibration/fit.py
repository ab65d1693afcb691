"""Patterns and targets -> a person's decoders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.confidence import fit_confidence
from calibration.dataset import (
    RealignedOnce,
    Region,
    Samples,
    caption_of,
    collect,
    default_response,
    load_stimuli,
    patterns_of,
    reference_of,
    voxel_sd,
)
from calibration.haemodynamics import fit_response
from calibration.ridge import Fitted, Split, fit_ridge, leave_out
from calibration.tape import Tape
from calibration.voxels import chosen
from rtrecon.artifact import Artifact, GeneratorTie, LinearMap
from rtrecon.bids import Run
from rtrecon.confidence import Confidence
from rtrecon.decode import Naming, unit
from rtrecon.errors import BadDataset
from rtrecon.evidence import Evidence, Model
from rtrecon.generators import Generator
from rtrecon.motion import Realign
from rtrecon.preprocess import Preprocess
from rtrecon.response import Response

VOXELS = 1000  # that z and c are each predicted from
MIN_AGE_S = 5.0  # younger evidence is mostly noise and would pull the weights to nothing
FOLDS = 6
MAX_GAIN = 3.0


def fit(
    runs: Sequence[Run],
    region: Region,
    generator: Generator,
    name: str,
    realign: bool = True,
    voxels: int = VOXELS,
) -> Artifact:
    """Fit the decoders of one person from runs of one protocol.

    Where the events name pictures, z is fitted from the early voxels; c always from the ventral
    ones. The patterns are those of the live path at every age from `MIN_AGE_S` on.

    Raises
    ------
    BadDataset
        Fewer than two trials or nothing to tell apart.
    """
    with tqdm(total=4, desc="calibration", unit="stage", disable=None) as progress:
        samples, basis = _samples(runs, region, realign)
        progress.update()
        z, c = _targets(runs, samples, generator)
        progress.update()
        splits = leave_out(*_groups(samples))
        z_fit = None if z is None else _fitted(samples, region.early, z, splits, voxels)
        progress.update()
        c_fit = _fitted(samples, region.ventral, c, splits, voxels)
        progress.update()
    candidates, candidate_c = _candidates(samples, c)
    return Artifact(
        name=name,
        shape=runs[0].geometry.shape,
        affine=runs[0].geometry.affine,
        tr_s=runs[0].geometry.tr_s,
        reference=basis.reference,
        voxels=region.voxels,
        sd=basis.sd,
        response=basis.response,
        model=Model(),
        generator=GeneratorTie(
            generator.name, generator.identity, generator.latent, generator.conditioning
        ),
        z=None if z is None or z_fit is None else _map(region.early, z_fit, z),
        c=_map(region.ventral, c_fit, c),
        candidates=candidates,
        candidate_c=candidate_c,
        confidence=_confidence(samples, c_fit, candidates, candidate_c),
        about=_about(runs, samples, z, z_fit, c, c_fit),
    )


@dataclass(frozen=True)
class _Basis:
    """What the patterns are made with."""

    reference: NDArray[np.float32] | None
    response: Response
    sd: NDArray[np.float32]


def _samples(runs: Sequence[Run], region: Region, realign: bool) -> tuple[Samples, _Basis]:
    """The patterns to fit on, and what they were made with.

    The noise shows once the response is known, and the response once the noise is.
    """
    geometry, voxels, model = runs[0].geometry, region.voxels, Model()
    reference, aligned = None, None
    if realign:
        reference = reference_of(runs[0])
        aligned = RealignedOnce(Realign(reference, geometry.affine, voxels))
    canonical, sd, tape = default_response(runs), voxel_sd(runs, voxels), Tape()
    first = Preprocess(voxels, sd, tape, geometry.tr_s, aligned)
    for run in runs:
        patterns_of(run, first)
    sd = tape.noise_sd(Evidence(sd, canonical, model))
    response = fit_response(canonical, tape, sd, model)
    sd = tape.noise_sd(Evidence(sd, response, model))
    if aligned is not None:
        aligned.rewind()
    live = Preprocess(voxels, sd, Evidence(sd, response, model), geometry.tr_s, aligned)
    return _mature(collect(runs, live)), _Basis(reference, response, sd)


def _mature(samples: Samples) -> Samples:
    kept = samples.ages_s >= MIN_AGE_S
    if len(np.unique(samples.trials[kept])) < 4:
        raise BadDataset(
            f"fewer than 4 trials have evidence older than {MIN_AGE_S:g} s: nothing can be fitted"
        )
    return Samples(
        samples.patterns[kept], samples.ages_s[kept], samples.variances[kept],
        samples.trials[kept], samples.runs[kept], samples.shown,
    )  # fmt: skip


def _targets(
    runs: Sequence[Run], samples: Samples, generator: Generator
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32]]:
    """Z or None, and c, a row a sample."""
    pictures = load_stimuli(runs, samples.shown)
    captions = generator.encode_captions([caption_of(trial) for trial in samples.shown])
    c = captions.reshape(len(captions), -1)[samples.trials]
    if pictures is None:
        return None, c
    latents = generator.encode_images(pictures)
    return latents.reshape(len(latents), -1)[samples.trials], c


def _groups(samples: Samples) -> tuple[NDArray[np.int64], int]:
    """Whole runs are left out; of a single run, whole trials."""
    one_run = len(np.unique(samples.runs)) == 1
    return (samples.trials if one_run else samples.runs), FOLDS


def _fitted(
    samples: Samples,
    region: NDArray[np.bool_],
    targets: NDArray[np.float32],
    splits: Sequence[Split],
    voxels: int,
) -> Fitted:
    X = samples.patterns[:, region]

    def choice(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return chosen(X[rows], targets[rows], samples.trials[rows], voxels)

    return fit_ridge(X, targets, splits, choice)


def _map(region: NDArray[np.bool_], fitted: Fitted, truth: NDArray[np.float32]) -> LinearMap:
    read = np.zeros_like(region)
    read[np.flatnonzero(region)[fitted.inputs]] = True
    weights = fitted.weights * np.float32(gain(fitted.held_out, truth))
    return LinearMap(read, fitted.x_mean, weights, fitted.y_mean)


def gain(held_out: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """What brings predictions back to the spread of the truth, from which ridge shrinks them.

    One number for all targets, so that no badly predicted one is blown up, and `MAX_GAIN` at most,
    so that decoders which predict nothing keep drawing next to nothing.
    """
    mean = truth.mean(axis=0)
    shrunk, full = (float(np.std(rows - mean)) for rows in (held_out, truth))
    return min(full / max(shrunk, 1e-12), MAX_GAIN)


def _candidates(
    samples: Samples, c: NDArray[np.float32]
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Each condition's name and the mean conditioning of its trials."""
    types = np.array([samples.shown[trial].trial_type for trial in samples.trials])
    names = tuple(sorted(set(types.tolist())))
    return names, np.stack([c[types == name].mean(axis=0) for name in names])


def _confidence(
    samples: Samples, fitted: Fitted, names: Sequence[str], candidate_c: NDArray[np.float32]
) -> Confidence:
    scores = Naming(candidate_c, fitted.y_mean)(fitted.held_out)
    index = {name: n for n, name in enumerate(names)}
    truth = np.array([index[samples.shown[trial].trial_type] for trial in samples.trials])
    return fit_confidence(scores, samples.variances, truth, len(np.unique(samples.trials)))


def _about(
    runs: Sequence[Run],
    samples: Samples,
    z: NDArray[np.float32] | None,
    z_fit: Fitted | None,
    c: NDArray[np.float32],
    c_fit: Fitted,
) -> Mapping[str, Any]:
    scores, gains = {"c": _correlation(c_fit.held_out, c)}, {"c": gain(c_fit.held_out, c)}
    if z is not None and z_fit is not None:
        scores["z"], gains["z"] = _correlation(z_fit.held_out, z), gain(z_fit.held_out, z)
    packages = ("rtrecon", "numpy", "scipy", "torch", "diffusers", "transformers")
    return {
        "runs": [run.name for run in runs],
        "trials": len(np.unique(samples.trials)),
        "held_out_correlation": scores,
        "gain": gains,
        "versions": {package: version(package) for package in packages},
    }


def _correlation(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Mean over samples of the correlation over targets, both less the truth's mean."""
    mean = truth.mean(axis=0)
    return float((unit(predicted - mean) * unit(truth - mean)).sum(axis=1).mean())
