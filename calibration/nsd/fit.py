"""Decoders of a person of the Natural Scenes Dataset."""

import numpy as np

from calibration.cluster import Where
from calibration.data.samples import Basis
from calibration.fitting.fit import Decoders, Method, Targets, assemble, fit_samples
from calibration.nsd.person import DATASET, NsdData
from calibration.nsd.samples import SHOWN_S
from calibration.nsd.targets import encode
from rtrecon.artifact import Artifact
from rtrecon.generators import Generator
from rtrecon.response import Response

EVERY = Method(voxels=None)  # voxel of the region


def fit_nsd(
    data: NsdData,
    generator: Generator,
    name: str | None = None,
    method: Method = EVERY,
    where: Where | None = None,
) -> Artifact:
    """Fit z from early and c from ventral visual cortex, on the person's own images.

    Trials of one image are left out together. The patterns are betas of whole runs, so that no live
    session can use these decoders: its TR is refused, being another than that of trials.

    Parameters
    ----------
    method : Method
    where : Where, optional
        As of `fit_samples`.

    Raises
    ------
    BadDataset
        Images that cannot be read.
    """
    return fit_nsd_known(data, generator, name, method, where)[0]


def fit_nsd_known(
    data: NsdData,
    generator: Generator,
    name: str | None = None,
    method: Method = EVERY,
    where: Where | None = None,
) -> tuple[Artifact, Targets, Decoders]:
    """As `fit_nsd`, with what was fitted to, and how."""
    train = encode(data, data.train, generator)
    decoders = fit_samples(data.train, train, data.region, method, data.train.trials, where)
    n_voxels = len(data.region.voxels)
    basis = Basis(data.geometry, None, Response(duration_s=SHOWN_S), np.ones(n_voxels, np.float32))
    about = {
        "dataset": DATASET,
        "subject": data.name,
        "patterns": "single-trial betas, z-scored in each session by its training trials",
        "sessions": list(data.sessions),
        "samples": len(data.train.patterns),
    }
    artifact = assemble(name or data.name, data.region, basis, generator, decoders, about)
    return artifact, train, decoders
