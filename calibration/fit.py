"""Patterns and targets -> a person's decoders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.dataset import caption_of, load_stimuli
from calibration.leakage import picture_hashes
from calibration.left_out import confidence, correlation, gain
from calibration.regions import Region
from calibration.ridge import Split, fit_ridge, leave_out
from calibration.samples import Basis, Samples, samples_of
from calibration.scratch import Floats, empty, repeated
from calibration.trust import neutral_shuffle, null_maps
from calibration.voxels import chosen
from rtrecon.artifact import Artifact, GeneratorTie, LinearMap, Null
from rtrecon.bids import Run
from rtrecon.confidence import Confidence
from rtrecon.evidence import Model
from rtrecon.generators import Generator
from rtrecon.types import Trial

VOXELS = 1000  # that z and c are each predicted from
MAX_CANDIDATES = 300
FOLDS = 6


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
    """What is fitted from patterns, whatever they were made of. The fields are those of `Artifact`.

    But for `alphas`, the ridge strengths of z and c, float64 (n_targets,) each.
    """

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
    shuffle = _shuffle(samples, targets)
    with tqdm(total=2, desc="decoders", unit="decoder", disable=None) as progress:
        spaces = {}
        for name, values, where in (
            ("z", targets.z, region.early),
            ("c", targets.c, region.ventral),
        ):
            if values is not None:
                spaces[name] = _space(samples, where, values, splits, voxels, shuffle)
            progress.update()
    z, c = spaces.get("z"), spaces["c"]
    names, candidate_c = _candidates(samples, targets.c)
    return Decoders(
        z=None if z is None else z.map,
        c=c.map,
        null=Null(None if z is None else z.null, c.null),
        candidates=names,
        candidate_c=candidate_c,
        confidence=confidence(samples, c.held_out, c.map.y_mean, names, candidate_c),
        about={
            "held_out_correlation": {name: one.correlation for name, one in spaces.items()},
            "gain": {name: one.gain for name, one in spaces.items()},
            "trials": len(np.unique(samples.trials)),
        },
        alphas={name: one.alphas for name, one in spaces.items()},
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


def _shuffle(samples: Samples, targets: Targets) -> int:
    """Which shuffle the controls are fitted with, the same one for z and c."""
    shown = np.unique(samples.trials)
    values = [one[shown] for one in (targets.z, targets.c) if one is not None]
    return neutral_shuffle(np.arange(len(shown)), values)


@dataclass(frozen=True)
class _Space:
    """A space's map and its control, and how the samples fared that the fit had left out."""

    map: LinearMap
    null: LinearMap
    alphas: NDArray[np.float64]
    held_out: Floats
    correlation: float
    gain: float


def _space(
    samples: Samples,
    region: NDArray[np.bool_],
    targets: Floats,
    splits: Sequence[Split],
    voxels: int | None,
    shuffle: int,
) -> _Space:
    X, Y = samples.patterns[:, region], repeated(targets, samples.trials)

    def choice(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return chosen(X[rows], Y[rows], samples.trials[rows], voxels or 0)

    every = voxels is None or voxels >= X.shape[1]
    fitted = fit_ridge(X, Y, splits, None if every else choice, held_out=empty(Y.shape))
    read = np.zeros_like(region)
    read[np.flatnonzero(region)[fitted.inputs]] = True
    own = gain(fitted.held_out, Y)
    linear = LinearMap(read, fitted.x_mean, fitted.weights * np.float32(own), fitted.y_mean)
    rng = np.random.default_rng(shuffle)
    maps = null_maps(linear, samples.patterns, Y, samples.trials, fitted.alphas, rng, gain=own)
    found = correlation(fitted.held_out, Y)
    return _Space(linear, next(maps), fitted.alphas, fitted.held_out, found, own)


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
