"""Patterns and targets -> a person's decoders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.cluster import Where, fan_out
from calibration.data.dataset import caption_of, load_stimuli
from calibration.data.leakage import picture_hashes
from calibration.data.regions import Region
from calibration.data.samples import Basis, Samples, samples_of
from calibration.fitting.banded import Strength
from calibration.fitting.null_maps import neutral_shuffle
from calibration.fitting.ridge import leave_out
from calibration.fitting.space import Space, Task, fit_space
from rtrecon.artifact import Artifact, GeneratorTie, LinearMap, Null
from rtrecon.bids import Run
from rtrecon.confidence import Confidence
from rtrecon.errors import BadDataset
from rtrecon.evidence import Model
from rtrecon.generators import Generator
from rtrecon.types import Trial

MAX_CANDIDATES = 300
FOLDS = 6


@dataclass(frozen=True)
class Method:
    """How decoders are fitted.

    Attributes
    ----------
    voxels : int or None
        That z and c are each predicted from, the best of their region; None: all.
    banded : bool
        Whether both are predicted from early and from ventral voxels, so many of each, and how much
        each of the two counts is found target by target (`banded.fit_banded`).
    """

    voxels: int | None = 1000
    banded: bool = False


PLAIN = Method()


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

    But for `strengths`, those of the ridge by space.
    """

    z: LinearMap | None
    c: LinearMap
    null: Null
    candidates: tuple[str, ...]
    candidate_c: NDArray[np.float32]
    confidence: Confidence
    about: Mapping[str, Any]
    strengths: Mapping[str, Strength]

    def fields(self) -> dict[str, Any]:
        """Those of `Artifact`, less what is about it."""
        return {
            key: value for key, value in vars(self).items() if key not in ("about", "strengths")
        }


def fit(
    runs: Sequence[Run],
    region: Region,
    generator: Generator,
    name: str,
    realign: bool = True,
    method: Method = PLAIN,
    where: Where | None = None,
) -> Artifact:
    """Fit the decoders of one person from runs of one protocol.

    Where the events name pictures, z is fitted from the early voxels; c always from the ventral
    ones. The patterns are those of the live path at every age from `MIN_AGE_S` on. `where` is as of
    `fit_samples`.

    Raises
    ------
    BadDataset
        Fewer than two trials or nothing to tell apart.
    """
    return fit_known(runs, region, generator, name, realign, method, where)[0]


def fit_known(
    runs: Sequence[Run],
    region: Region,
    generator: Generator,
    name: str,
    realign: bool = True,
    method: Method = PLAIN,
    where: Where | None = None,
) -> tuple[Artifact, Samples, Targets, Decoders]:
    """As `fit`, with what was fitted: on these samples, to these targets, and how."""
    with tqdm(total=2, desc="calibration", unit="stage", disable=None) as progress:
        samples, basis = samples_of(runs, region.voxels, realign)
        progress.update()
        targets = targets_of(runs, samples.shown, generator)
        progress.update()
    decoders = fit_samples(samples, targets, region, method, where=where)
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
    method: Method = PLAIN,
    groups: NDArray[np.int64] | None = None,
    where: Where | None = None,
) -> Decoders:
    """Fit z from the early voxels and c from the ventral ones of any patterns.

    Parameters
    ----------
    samples : Samples
        Of the region's voxels.
    targets : Targets
    region : Region
    method : Method
    groups : int64 (n_samples,), optional
        Samples of one group are left out together; default: runs, or the trials of a single run.
    where : Where, optional
        z and c are fitted on a cluster, or here with so many threads; default: here with all cores.

    Raises
    ------
    BadDataset
        Two bands are asked for in a region that is one; or as `fit_ridge`.
    """
    splits = leave_out(_groups(samples) if groups is None else groups, FOLDS)
    shuffle, candidates = _shuffle(samples, targets), _candidates(samples, targets.c)
    early, ventral, bands = region.early, region.ventral, None
    if method.banded:
        if (early == ventral).all():
            raise BadDataset("banded ridge needs two regions: name --early and --ventral")
        bands = np.where(early, 0, 1)
        early = ventral = early | ventral
    more = splits, method.voxels, shuffle, bands
    tasks = {"c": Task(samples, ventral, targets.c, *more, candidates)}
    if targets.z is not None:
        tasks["z"] = Task(samples, early, targets.z, *more)
    each = list(tasks.values())
    done = map(fit_space, each) if where is None else fan_out(fit_space, each, where)
    shown = tqdm(done, "decoders", len(each), unit="decoder", disable=None)
    return _decoders(dict(zip(tasks, shown, strict=True)), candidates, samples)


def _decoders(
    spaces: Mapping[str, Space],
    candidates: tuple[tuple[str, ...], NDArray[np.float32]],
    samples: Samples,
) -> Decoders:
    c, z = spaces["c"], spaces.get("z")
    assert c.confidence is not None
    return Decoders(
        z=None if z is None else z.map,
        c=c.map,
        null=Null(None if z is None else z.null, c.null),
        candidates=candidates[0],
        candidate_c=candidates[1],
        confidence=c.confidence,
        about={
            "held_out_correlation": {name: one.correlation for name, one in spaces.items()},
            "gain": {name: one.gain for name, one in spaces.items()},
            "trials": len(np.unique(samples.trials)),
        },
        strengths={name: one.strength for name, one in spaces.items()},
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
