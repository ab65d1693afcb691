"""Patterns and targets -> a person's decoders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.confidence import fit_confidence
from calibration.dataset import caption_of, load_stimuli
from calibration.leakage import picture_hashes
from calibration.regions import Region
from calibration.ridge import Fitted, Split, fit_ridge, leave_out
from calibration.samples import Basis, Samples, samples_of
from calibration.trust import neutral_shuffle, null_maps
from calibration.voxels import chosen
from rtrecon.artifact import Artifact, GeneratorTie, LinearMap, Null
from rtrecon.bids import Run
from rtrecon.confidence import Confidence
from rtrecon.decode import Naming, unit
from rtrecon.evidence import Model
from rtrecon.generators import Generator
from rtrecon.types import Trial

VOXELS = 1000  # that z and c are each predicted from
MAX_CANDIDATES = 300
FOLDS = 6
MAX_GAIN = 3.0


@dataclass(frozen=True)
class Targets:
    """What is predicted, a row for each of the samples' `shown`.

    Attributes
    ----------
    z : float32 (n_shown, n_z) or None
        Latents; None where no pictures are at hand.
    c : float32 (n_shown, n_c)
        Conditionings.
    """

    z: NDArray[np.float32] | None
    c: NDArray[np.float32]


@dataclass(frozen=True)
class Decoders:
    """What is fitted from patterns; fields are those of `Artifact`, and the ridge's `alphas` by map."""

    z: LinearMap | None
    c: LinearMap
    null: Null
    candidates: tuple[str, ...]
    candidate_c: NDArray[np.float32]
    confidence: Confidence
    about: Mapping[str, Any]
    alphas: Mapping[str, NDArray[np.float64]]

    def fields(self) -> dict[str, Any]:
        """Those of `Artifact`, less what is about it."""
        return {key: value for key, value in vars(self).items() if key not in ("about", "alphas")}


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
    return fit_known(runs, region, generator, name, realign, voxels)[0]


def fit_known(
    runs: Sequence[Run],
    region: Region,
    generator: Generator,
    name: str,
    realign: bool = True,
    voxels: int = VOXELS,
) -> tuple[Artifact, Samples, Targets, Decoders]:
    """As `fit`, with what was fitted: on these samples, to these targets, and how."""
    with tqdm(total=2, desc="calibration", unit="stage", disable=None) as progress:
        samples, basis = samples_of(runs, region.voxels, realign)
        progress.update()
        targets = targets_of(runs, samples.shown, generator)
        progress.update()
    decoders = fit_samples(samples, targets, region, voxels)
    about = {
        "runs": [run.name for run in runs],
        "stimuli": picture_hashes(runs),
        "realigned": realign,
    }
    return assemble(name, region, basis, generator, decoders, about), samples, targets, decoders


def fit_samples(
    samples: Samples,
    targets: Targets,
    region: Region,
    voxels: int | None = VOXELS,
    groups: NDArray[np.int64] | None = None,
) -> Decoders:
    """Fit z from the early voxels and c from the ventral ones of any patterns.

    Parameters
    ----------
    samples : Samples
        Of the region's voxels.
    targets : Targets
    region : Region
    voxels : int or None
        That z and c are each predicted from, the best of the region; None: all.
    groups : int64 (n_samples,), optional
        Samples of one group are left out together; default: runs, or the trials of a single run.
    """
    splits = leave_out(_groups(samples) if groups is None else groups, FOLDS)
    c = targets.c[samples.trials]
    z = None if targets.z is None else targets.z[samples.trials]
    with tqdm(total=2, desc="decoders", unit="decoder", disable=None) as progress:
        z_fit = None if z is None else _fitted(samples, region.early, z, splits, voxels)
        progress.update()
        c_fit = _fitted(samples, region.ventral, c, splits, voxels)
        progress.update()
    names, candidate_c = _candidates(samples, targets.c)
    shuffle = neutral_shuffle(samples.trials, [y for y in (z, c) if y is not None])
    z_map = z_null = None
    if z is not None and z_fit is not None:
        z_map = _map(region.early, z_fit, z)
        z_null = _null(z_map, samples, z_fit, z, shuffle)
    c_map = _map(region.ventral, c_fit, c)
    return Decoders(
        z=z_map,
        c=c_map,
        null=Null(z_null, _null(c_map, samples, c_fit, c, shuffle)),
        candidates=names,
        candidate_c=candidate_c,
        confidence=_confidence(samples, c_fit, names, candidate_c),
        about=_scores(z, z_fit, c, c_fit) | {"trials": len(np.unique(samples.trials))},
        alphas={"c": c_fit.alphas} | ({} if z_fit is None else {"z": z_fit.alphas}),
    )


def assemble(
    name: str,
    region: Region,
    basis: Basis,
    generator: Generator,
    decoders: Decoders,
    about: Mapping[str, Any],
) -> Artifact:
    """Decoders, what their patterns are made with, and the model they were fitted for."""
    packages = ("rtrecon", "numpy", "scipy", "torch", "diffusers", "transformers")
    return Artifact(
        name=name,
        shape=basis.geometry.shape,
        affine=basis.geometry.affine,
        tr_s=basis.geometry.tr_s,
        reference=basis.reference,
        voxels=region.voxels,
        sd=basis.sd,
        response=basis.response,
        model=Model(),
        generator=GeneratorTie(
            generator.name, generator.identity, generator.latent, generator.conditioning
        ),
        **decoders.fields(),
        about={
            **about,
            "region": region.chosen_by,
            **decoders.about,
            "versions": {package: version(package) for package in packages},
        },
    )


def targets_of(runs: Sequence[Run], shown: Sequence[Trial], generator: Generator) -> Targets:
    """What the generator makes of what was shown.

    Raises
    ------
    BadDataset
        As `load_stimuli`.
    """
    pictures = load_stimuli(runs, shown)
    c = _rows(generator.encode_captions([caption_of(trial) for trial in shown]))
    return Targets(None if pictures is None else _rows(generator.encode_images(pictures)), c)


def _rows(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    return targets.reshape(len(targets), -1)


def _groups(samples: Samples) -> NDArray[np.int64]:
    """Whole runs are left out; of a single run, whole trials."""
    one_run = len(np.unique(samples.runs)) == 1
    return samples.trials if one_run else samples.runs


def _fitted(
    samples: Samples,
    region: NDArray[np.bool_],
    targets: NDArray[np.float32],
    splits: Sequence[Split],
    voxels: int | None,
) -> Fitted:
    X = samples.patterns[:, region]
    count = X.shape[1] if voxels is None else voxels

    def choice(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return chosen(X[rows], targets[rows], samples.trials[rows], count)

    return fit_ridge(X, targets, splits, choice)


def _map(region: NDArray[np.bool_], fitted: Fitted, truth: NDArray[np.float32]) -> LinearMap:
    read = np.zeros_like(region)
    read[np.flatnonzero(region)[fitted.inputs]] = True
    weights = fitted.weights * np.float32(gain(fitted.held_out, truth))
    return LinearMap(read, fitted.x_mean, weights, fitted.y_mean)


def _null(
    linear: LinearMap, samples: Samples, fitted: Fitted, truth: NDArray[np.float32], shuffle: int
) -> LinearMap:
    """The map's control."""
    rng, own = np.random.default_rng(shuffle), gain(fitted.held_out, truth)
    X, trials = samples.patterns, samples.trials
    return null_maps(linear, X, truth, trials, fitted.alphas, rng, gain=own)[0]


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
    """Conditions and the mean conditioning (n_candidates, n_c) of each one's samples.

    Of more than `MAX_CANDIDATES` only so many, drawn by chance.
    """
    types = np.array([trial.trial_type for trial in samples.shown])
    counts = np.bincount(samples.trials, minlength=len(types))
    names = np.unique(types[counts > 0])
    if len(names) > MAX_CANDIDATES:
        drawn = np.random.default_rng(0).choice(len(names), MAX_CANDIDATES, replace=False)
        names = names[np.sort(drawn)]
    share = np.where(names[:, None] == types, counts, 0).astype(np.float32)
    share /= share.sum(axis=1, keepdims=True)
    return tuple(names.tolist()), share @ c


def _confidence(
    samples: Samples, fitted: Fitted, names: Sequence[str], candidate_c: NDArray[np.float32]
) -> Confidence:
    index = {name: n for n, name in enumerate(names)}
    truth = np.array([index.get(samples.shown[trial].trial_type, -1) for trial in samples.trials])
    known = truth >= 0
    scores = Naming(candidate_c, fitted.y_mean)(fitted.held_out[known])
    trials = len(np.unique(samples.trials[known]))
    return fit_confidence(scores, samples.variances[known], truth[known], trials)


def _scores(
    z: NDArray[np.float32] | None, z_fit: Fitted | None, c: NDArray[np.float32], c_fit: Fitted
) -> dict[str, Any]:
    scores, gains = {"c": _correlation(c_fit.held_out, c)}, {"c": gain(c_fit.held_out, c)}
    if z is not None and z_fit is not None:
        scores["z"], gains["z"] = _correlation(z_fit.held_out, z), gain(z_fit.held_out, z)
    return {"held_out_correlation": scores, "gain": gains}


def _correlation(predicted: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Mean over samples of the correlation over targets, both less the truth's mean."""
    mean = truth.mean(axis=0)
    return float((unit(predicted - mean) * unit(truth - mean)).sum(axis=1).mean())
