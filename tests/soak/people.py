"""Those who come: decoders of random weights for a toy generator, and a head for the scanner."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from rtrecon.artifact import Artifact, save_artifact
from rtrecon.generators import load_generator
from rtrecon.types import Event, Geometry, Marker, Volume, read_only
from tests import phantom
from tests.soak.day import PEOPLE, TR_S, Run
from tests.toy import NAMES, artifact_for, save_toy

SHAPE = (32, 32, 20)
VOXEL_MM = (6.0, 6.0, 6.0)
N_VOLUMES = 40  # unlike ones; a run is made of these again and again
TRIAL_VOLUMES = 8

PROTOCOL = """
[protocol]
measure = "probability"
target = "dog"
shows = ["reconstruction", "score", "fixation"]
repeat = 100
[protocol.baseline]
kind = "rest"
skip_s = 6
[protocol.threshold]
level = 0.6
hold_s = 4
[[block]]
kind = "rest"
duration_s = 60
[[block]]
kind = "regulate"
duration_s = 120
instruction = "Imagine a dog"
[[output]]
kind = "osc"
port = {port}
[[trigger]]
kind = "osc"
port = {port}
"""


def geometry(speed: float) -> Geometry:
    """Of the scanner."""
    affine = np.diag([*VOXEL_MM, 1.0])
    affine[:3, 3] = phantom.CENTRE_MM - np.array(VOXEL_MM) * (np.array(SHAPE) - 1) / 2
    return Geometry(SHAPE, read_only(affine), TR_S, "int16", speed)


def make(folder: Path) -> None:
    """Write the generator and everybody's decoders."""
    save_toy(folder / "toy")
    artifact = _artifact(str(folder / "toy"))
    for person in PEOPLE:
        save_artifact(replace(artifact, name=f"sub-{person}"), folder / person)


def _artifact(generator: str) -> Artifact:
    scanned = geometry(1.0)
    reference = phantom.volume(SHAPE, scanned.affine).astype(np.float32)
    artifact = artifact_for(load_generator(generator), scanned)
    tie = replace(artifact.generator, name=generator)
    return replace(artifact, generator=tie, reference=reference)


def volumes() -> list[np.ndarray]:
    """What the scanner sends, int16 (i, j, k): a head that hardly moves, and noise."""
    affine = geometry(1.0).affine
    rng = np.random.default_rng(0)
    heads = [phantom.volume(SHAPE, affine, pose) for pose in phantom.poses(4, 0, 0.02, 0.02)]
    return [
        (heads[n % 4] + 100 + rng.normal(scale=2, size=SHAPE)).astype(np.int16)
        for n in range(N_VOLUMES)
    ]


def items(run: Run, part: int, data: list[np.ndarray]) -> Iterator[Volume | Marker]:
    """What the scanner sends between two starts, a trial every eighth volume."""
    yield Marker(Event.RUN_START)
    count, last = run.parts[part], part == len(run.parts) - 1
    for number in range(count):
        if number % TRIAL_VOLUMES == 2:
            name = NAMES[number // TRIAL_VOLUMES % len(NAMES)]
            yield Marker(Event.TRIAL, name, number * TR_S + 0.3, 6.0, f"{name}.png")
        yield Volume(number, data[number % len(data)])
    if last:
        yield Marker(Event.RUN_END, volumes=count)
