"""Decoders of a person of the Natural Scenes Dataset, tested on the images that all people saw."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.cluster import Where
from calibration.evaluate import two_way
from calibration.fit import Decoders, Targets, assemble, fit_samples
from calibration.nsd import NsdData
from calibration.nsd_samples import SHOWN_S
from calibration.samples import Basis, Samples
from rtrecon.artifact import Artifact, LinearMap
from rtrecon.decode import unit
from rtrecon.generators import Generator
from rtrecon.response import Response

_BATCH = 64  # images in memory at once


def fit_nsd(
    data: NsdData,
    generator: Generator,
    name: str | None = None,
    voxels: int | None = None,
    where: Where | None = None,
) -> Artifact:
    """Fit z from early and c from ventral visual cortex, and score the test set.

    Trials of one image are left out together. The patterns are betas of whole runs, so that no live
    session can use these decoders: its TR is refused, being another than that of trials.

    Parameters
    ----------
    voxels : int or None
        That z and c are each predicted from, the best of the region; None: all.
    where : Where, optional
        As of `fit_samples`.

    Raises
    ------
    BadDataset
        Images that cannot be read.
    """
    train = encode(data, data.train, generator)
    decoders = fit_samples(data.train, train, data.region, voxels, data.train.trials, where)
    n_voxels = len(data.region.voxels)
    basis = Basis(data.geometry, None, Response(duration_s=SHOWN_S), np.ones(n_voxels, np.float32))
    about = {
        "dataset": "Natural Scenes Dataset",
        "patterns": "single-trial betas, z-scored in each session by its training trials",
        "sessions": list(data.sessions),
        "samples": len(data.train.patterns),
        "test": _tested(decoders, data, generator),
    }
    return assemble(name or data.name, data.region, basis, generator, decoders, about)


def encode(data: NsdData, samples: Samples, generator: Generator) -> Targets:
    """Latents of the images shown, and the mean conditioning of each one's captions."""
    ids = [trial.number for trial in samples.shown]
    z, c = [], []
    with tqdm(total=len(ids), desc="targets", unit="image", disable=None) as progress:
        for batch in _batches(ids):
            z.append(generator.encode_images(list(data.images(batch))).reshape(len(batch), -1))
            c.append(_mean_conditioning([data.captions[n] for n in batch], generator))
            progress.update(len(batch))
    return Targets(np.concatenate(z), np.concatenate(c))


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def _mean_conditioning(
    captions: Sequence[Sequence[str]], generator: Generator
) -> NDArray[np.float32]:
    """(n_images, n_c): the mean over each image's captions."""
    flat = generator.encode_captions([text for texts in captions for text in texts])
    ends = np.cumsum([len(texts) for texts in captions])[:-1]
    parts = np.split(flat.reshape(len(flat), -1), ends)
    return np.stack([part.mean(axis=0) for part in parts])


def _tested(decoders: Decoders, data: NsdData, generator: Generator) -> dict[str, Any]:
    """Two-way identification and correlation over the test images, less the training mean."""
    test = data.test
    if len(test.shown) < 2:
        return {"images": len(test.shown)}
    truth = encode(data, test, generator)
    scores: dict[str, Any] = {"images": len(test.shown), "two_way": {}, "correlation": {}}
    for name, linear, true in (("z", decoders.z, truth.z), ("c", decoders.c, truth.c)):
        if linear is not None and true is not None:
            similarity = _similarity(linear, test.patterns, true)
            scores["two_way"][name] = two_way(similarity)
            scores["correlation"][name] = float(np.diag(similarity).mean())
    return scores


def _similarity(
    linear: LinearMap, patterns: NDArray[np.float32], true: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n_predictions, n_originals)."""
    predicted = np.stack([linear(pattern) for pattern in patterns])
    return unit(predicted - linear.y_mean) @ unit(true - linear.y_mean).T
