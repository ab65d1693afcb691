"""The run that faults are done to: a toy person's, small and fast, as a BIDS run on disk."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from rtrecon.artifact import save_artifact
from rtrecon.bids import load_run
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import Preset
from rtrecon.types import Geometry, read_only
from tests.toy import NAMES, artifact_for, save_toy, toy_volumes

TR_S = 2.0
NOISE_SD = 8.0  # of toy_volumes: an undisturbed volume counts in full
EVERY = 6  # volumes from one trial to the next; the first begins with volume 0
ONSET_S = -0.9
"""From the start of a trial's first volume: so that its marker has nearly a TR and a half to come."""
_AFFINE = np.array([[-3.0, 0, 0, 9], [0, 3, 0, -8], [0, 0, 3.5, -7], [0, 0, 0, 1]])
GEOMETRY = Geometry((6, 5, 4), read_only(_AFFINE), TR_S, "float32")


@dataclass(frozen=True)
class Scan:
    """What all cases share on disk. `volumes`: float32 (n, i, j, k), as they are sent."""

    run: Path
    decoder: Path
    generator: Path
    volumes: NDArray[np.float32]


def write_scan(folder: Path, count: int) -> Scan:
    """A run of so many volumes, and decoders and a generator that fit it."""
    func = folder / "data" / "sub-toy" / "func"
    func.mkdir(parents=True)
    (folder / "data" / "dataset_description.json").write_text(
        json.dumps({"Name": "toy", "BIDSVersion": "1.8.0"})
    )
    run = func / "sub-toy_task-view_bold.nii.gz"
    image = nib.Nifti1Image(toy_volumes(GEOMETRY, count), GEOMETRY.affine)
    image.header.set_zooms((3.0, 3.0, 3.5, TR_S))
    nib.save(image, run)
    events = [("onset", "duration", "trial_type", "stim_file")]
    for trial, first in enumerate(range(0, count, EVERY)):
        name = NAMES[trial % len(NAMES)]
        events.append((f"{max(0.0, first * TR_S + ONSET_S):g}", "6", name, f"{name}.png"))
    (func / "sub-toy_task-view_events.tsv").write_text(
        "".join("\t".join(row) + "\n" for row in events)
    )
    save_toy(folder / "toy")
    generator = Diffusion(Preset(str(folder / "toy")), "toy")
    loaded = load_run(run)
    artifact = artifact_for(generator, loaded.geometry)
    noise = np.full_like(artifact.sd, NOISE_SD)
    save_artifact(replace(artifact, sd=noise), folder / "decoder")
    volumes = np.moveaxis(loaded.data, 3, 0).astype(np.float32)
    return Scan(run, folder / "decoder", folder / "toy", volumes)
