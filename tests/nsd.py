"""A made-up person in the Natural Scenes Dataset's layout, with simulated scenes for pictures.

Early voxels are linear in a picture's pixels, ventral ones in what it shows; every session has its
own gain and offset.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
from PIL import Image
from scipy.io import savemat

from simulator.scenes import Scene, caption, properties, render, sample_scene

SHAPE = (12, 11, 8)
AFFINE = np.diag([1.8, 1.8, 1.8, 1.0])
PEOPLE, SUBJECT = 3, 2
SESSIONS, TRIALS = 4, 30
IMAGES, SHARED, OWN, REPEATS = 90, 8, 32, 3
SIZE_PX = 64
NOISE_SD = 1.0  # of a trial, in SDs of the response
DEAD = (3, 2, 5)  # a voxel of the early region that does not vary in one session


@dataclass(frozen=True)
class Person:
    """What was written: `betas` (n_trials, x, y, z) in per cent, `image` (n_trials,) from 0."""

    root: Path
    betas: np.ndarray
    image: np.ndarray
    shared: np.ndarray
    scenes: list[Scene]
    streams: np.ndarray


def person(root: Path, hdf5: bool = False, seed: int = 0) -> Person:
    """Write one person; the files of others are not there."""
    rng = np.random.default_rng(seed)
    scenes = [sample_scene(rng) for _ in range(IMAGES)]
    pictures = np.stack([render(scene, SIZE_PX).image for scene in scenes])
    shared = np.sort(rng.choice(IMAGES, SHARED, replace=False))
    others = np.setdiff1d(np.arange(IMAGES), shared)
    own = np.stack([np.r_[shared, rng.choice(others, OWN, replace=False)] for _ in range(PEOPLE)])
    order = rng.permutation(np.repeat(np.arange(SHARED + OWN), REPEATS))
    image = own[SUBJECT - 1][order]
    streams = np.zeros(SHAPE, np.int16)
    streams[:, :4], streams[:, 7:] = 1, 5
    betas = _betas(rng, scenes, pictures, image, streams)
    written = Person(root, betas, image, shared, scenes, streams)
    write_design(root, own + 1, order + 1, shared + 1)
    _write_table(written, order, own[SUBJECT - 1])
    _write_stimuli(root, pictures, scenes)
    atlas = root / "nsddata" / "ppdata" / f"subj{SUBJECT:02d}" / "func1pt8mm" / "roi"
    atlas.mkdir(parents=True)
    nib.save(nib.Nifti1Image(streams, AFFINE), atlas / "streams.nii.gz")
    for session in range(1, SESSIONS + 1):
        write_betas(written, session, hdf5)
    return written


def write_betas(written: Person, session: int, hdf5: bool, betas: np.ndarray | None = None) -> None:
    """One session's file; 300 for one per cent, as whole numbers."""
    every = written.betas if betas is None else betas
    part = np.round(every[(session - 1) * TRIALS : session * TRIALS] * 300).astype(np.int16)
    folder = written.root / "nsddata_betas" / "ppdata" / f"subj{SUBJECT:02d}" / "func1pt8mm"
    folder = folder / "betas_fithrf_GLMdenoise_RR"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"betas_session{session:02d}"
    if hdf5:
        with h5py.File(f"{file}.hdf5", "w") as opened:
            opened["betas"] = part.transpose(0, 3, 2, 1)
    else:
        nib.save(nib.Nifti1Image(part.transpose(1, 2, 3, 0), AFFINE), f"{file}.nii.gz")


def write_design(
    root: Path, images: np.ndarray, order: np.ndarray, shared: np.ndarray, hdf5: bool = False
) -> None:
    """`nsd_expdesign.mat`, all counted from 1; MATLAB's older format or, with axes reversed, 7.3."""
    file = root / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"masterordering": order[None], "subjectim": images, "sharedix": shared[None]}
    content = {key: value.astype(float) for key, value in content.items()}
    if not hdf5:
        savemat(file, content)
        return
    with h5py.File(file, "w", userblock_size=512) as opened:
        for key, value in content.items():
            opened[key] = value.T
    with file.open("r+b") as raw:
        head = b"MATLAB 7.3 MAT-file".ljust(124)
        raw.write(head + (0x0200).to_bytes(2, "little") + b"IM")


def _betas(
    rng: np.random.Generator,
    scenes: list[Scene],
    pictures: np.ndarray,
    image: np.ndarray,
    streams: np.ndarray,
) -> np.ndarray:
    small = np.stack([np.asarray(Image.fromarray(p).resize((8, 8))) for p in pictures])
    seen = {1: small.reshape(IMAGES, -1), 5: np.stack([properties(scene) for scene in scenes])}
    betas = rng.normal(0, 1, (len(image), *SHAPE))
    for label, features in seen.items():
        features = features - features.mean(axis=0)
        response = features @ rng.normal(size=(features.shape[1], int((streams == label).sum())))
        response /= response.std(axis=0)
        betas[:, streams == label] = response[image] + rng.normal(
            0, NOISE_SD, (len(image), response.shape[1])
        )
    session = np.repeat(np.arange(SESSIONS), TRIALS)[:, None, None, None]
    betas = betas * (1 + 0.5 * session) + rng.normal(0, 2, (SESSIONS, *SHAPE))[session[:, 0, 0, 0]]
    betas[TRIALS : 2 * TRIALS, *DEAD] = 0
    return betas.astype(np.float32)


def _write_table(written: Person, order: np.ndarray, own: np.ndarray) -> None:
    shown = {int(image): 1 + np.flatnonzero(written.image == image) for image in own}
    columns = [f"subject{SUBJECT}_rep{n}" for n in range(REPEATS)]
    rows = [
        {"cocoId": 1000 + 7 * n, "cocoSplit": ("train2017", "val2017")[n % 5 == 0], "nsdId": n}
        | {"shared1000": n in written.shared}
        | dict(zip(columns, shown.get(n, (0, 0, 0)), strict=True))
        for n in range(IMAGES)
    ]
    write_table(written.root, rows)


def write_table(root: Path, rows: list[dict[str, object]]) -> None:
    file = root / "nsddata" / "experiments" / "nsd" / "nsd_stim_info_merged.csv"
    with file.open("w", newline="", encoding="utf-8") as opened:
        table = csv.DictWriter(opened, ["", *rows[0]])
        table.writeheader()
        table.writerows({"": n} | row for n, row in enumerate(rows))


def _write_stimuli(root: Path, pictures: np.ndarray, scenes: list[Scene]) -> None:
    folder = root / "nsddata_stimuli" / "stimuli" / "nsd"
    (folder / "annotations").mkdir(parents=True)
    with h5py.File(folder / "nsd_stimuli.hdf5", "w") as opened:
        opened["imgBrick"] = pictures
    for split, wanted in (("train2017", False), ("val2017", True)):
        notes = [
            {"image_id": 1000 + 7 * n, "id": 10 * n + k, "caption": text}
            for n, scene in enumerate(scenes)
            if (n % 5 == 0) == wanted
            for k, text in enumerate(captions_of(scene))
        ]
        file = folder / "annotations" / f"captions_{split}.json"
        file.write_text(json.dumps({"annotations": notes}))


def captions_of(scene: Scene) -> tuple[str, ...]:
    """The canonical wording and two others."""
    rng = np.random.default_rng(scene.seed)
    return (caption(scene), caption(scene, rng), caption(scene, rng))
