"""A person of the Natural Scenes Dataset: single-trial betas of visual cortex, images and captions.

As Takagi & Nishimoto (2023) split it: tested on the images that all people saw, repeats averaged;
fitted on the single trials of all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from calibration.data.atlas import Area
from calibration.data.regions import NOTHING_NAMED, Areas, Region
from calibration.data.samples import Samples
from calibration.nsd.betas import Betas, Images, open_betas
from calibration.nsd.files import (
    Design,
    Folder,
    check_table,
    load_captions,
    load_design,
    parse_subject,
)
from calibration.nsd.samples import TRIAL_S, averaged, split, trials_of
from rtrecon.artifact import Artifact
from rtrecon.errors import BadDataset, Mismatch
from rtrecon.types import Geometry, read_only

# Of the atlas `streams`: Takagi & Nishimoto predict z from `early` (V1 to V3 as far as the field of
# view reaches, which see the layout) and c from `ventral` (which knows what is in the picture).
EARLY, VENTRAL = "1", "5"
DATASET = "Natural Scenes Dataset"


@dataclass(frozen=True)
class NsdData:
    """One person's betas. `trials` of the samples index `shown`, whose numbers are image ids from 0.

    Attributes
    ----------
    name : str
    geometry : Geometry
        Of the betas; its TR is the time from trial to trial.
    region : Region
    train, test : Samples
        Single trials (or averages) of the person's own images; single trials of the shared ones.
        Patterns are z-scored in each session by its training trials alone. `runs` is the session,
        or 0 for averages; a variance of 1 is that of a single trial.
    sessions : tuple of int
    images : Images
    captions : dict
        Image id -> all its captions.
    """

    name: str
    geometry: Geometry
    region: Region
    train: Samples
    test: Samples
    sessions: tuple[int, ...]
    images: Images
    captions: dict[int, tuple[str, ...]]


def load_nsd(
    root: Path,
    subject: str | int | None,
    sessions: Sequence[str | int] | None = None,
    areas: Areas = NOTHING_NAMED,
    average_repeats: bool = False,
    decoder: Artifact | None = None,
) -> NsdData:
    """Read some sessions of one person.

    Parameters
    ----------
    root : Path
        With `nsddata`, `nsddata_betas` and `nsddata_stimuli` in it.
    subject
        1 to 8, or as the dataset writes it.
    sessions : optional
        Numbers, or ranges as 1-37; default: all that are there.
    areas : Areas
        Default: early and ventral of the atlas `streams`.
    average_repeats : bool
        Of the training images.
    decoder : Artifact, optional
        To be tested: its voxels are read, in place of areas.

    Raises
    ------
    BadDataset
        All problems, before anything slow starts.
    Mismatch
        The decoder is not this person's.
    """
    folder, files = _found(root, subject, sessions)
    if decoder is not None and decoder.about.get("subject") != folder.label:
        raise Mismatch(
            f"decoder '{decoder.name}' was not fitted on {folder.label} of the {DATASET}: name its own "
            "--subject, or fit one"
        )
    region, geometry, design, captions = _checked(folder, areas, files, decoder)
    betas = {session: open_betas(file) for session, file in files.items()}
    train, test, alive = split(betas, region.voxels, design)
    if decoder is not None and not alive.all():
        raise BadDataset(
            f"{(~alive).sum()} of the voxels of decoder '{decoder.name}' do not vary in some session: choose "
            "those that it was fitted on with --sessions"
        )
    region = _only(region, alive)
    if average_repeats:
        train = averaged(train)
    return NsdData(
        folder.label, geometry, region, train, test, tuple(betas), Images(folder.images), captions
    )


def check_nsd(
    root: Path,
    subject: str | int | None,
    sessions: Sequence[str | int] | None = None,
    areas: Areas = NOTHING_NAMED,
) -> None:
    """Raise what `load_nsd` would, all problems at once, and read no betas."""
    folder, files = _found(root, subject, sessions)
    _checked(folder, areas, files)


def _found(
    root: Path, subject: str | int | None, sessions: Sequence[str | int] | None
) -> tuple[Folder, dict[int, Path]]:
    folder = Folder(root, parse_subject(None if subject is None else str(subject)))
    return folder, _chosen_sessions(folder, sessions)


def _chosen_sessions(folder: Folder, wanted: Sequence[str | int] | None) -> dict[int, Path]:
    betas = folder.betas
    if not betas:
        raise BadDataset(
            f"{folder.root} has no betas_session*.nii.gz or .hdf5 of {folder.label} below "
            "nsddata_betas: name another --subject or fetch them"
        )
    if wanted is None:
        return betas
    numbers = [n for text in wanted for n in _range(str(text))]
    missing = [n for n in numbers if n not in betas]
    if missing:
        raise BadDataset(
            f"{folder.root} has no betas of {folder.label} for session "
            f"{', '.join(map(str, missing))}: it has {', '.join(map(str, betas))}"
        )
    return {n: betas[n] for n in sorted(set(numbers))}


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise BadDataset(f"--sessions {text}: give numbers, or ranges as 1-37")
    return range(int(first), int(last or first) + 1)


def _checked(
    folder: Folder, areas: Areas, files: dict[int, Path], decoder: Artifact | None = None
) -> tuple[Region, Geometry, Design, dict[int, tuple[str, ...]]]:
    """Everything but the betas themselves; all that is wrong is told together."""
    problems: list[str] = []
    region = geometry = design = captions = None
    try:
        if decoder is not None:
            geometry, region = _read_by(decoder)
        else:
            geometry = _geometry(areas.pair[0].file if areas.pair else folder.streams)
            region = _region(folder, areas, geometry)
    except BadDataset as error:
        problems.append(str(error))
    betas = {}
    for session, file in files.items():
        try:
            betas[session] = open_betas(file)
        except BadDataset as error:
            problems.append(str(error))
    problems += _unlike(list(betas.values()), geometry)
    try:
        design = load_design(folder)
        images = np.unique(design.image[trials_of(betas)])
        problems += _bad_images(folder, images)
        problems += [problem] if (problem := check_table(folder, design)) else []
        captions = load_captions(folder, images.tolist())
    except BadDataset as error:
        problems.append(str(error))
    except IndexError:
        problems.append(f"{folder.design} has fewer trials than the sessions asked for")
    if problems or region is None or geometry is None or design is None or captions is None:
        raise BadDataset.listing(folder.root, problems)
    return region, geometry, design, captions


def _read_by(decoder: Artifact) -> tuple[Geometry, Region]:
    """A decoder's own voxels; those that z reads for early ones, those that c reads for ventral."""
    geometry = Geometry(decoder.shape, read_only(decoder.affine), decoder.tr_s, "float32")
    z, c = decoder.z or decoder.c, decoder.c
    return geometry, Region(decoder.voxels, z.voxels, c.voxels, "the decoder's voxels")


def _geometry(atlas: Path) -> Geometry:
    """Of the betas, by a mask or atlas of them: HDF5 knows no affine."""
    try:
        image = nib.load(atlas)
    except (OSError, ImageFileError) as error:
        raise BadDataset(f"{atlas} cannot be read: {error}") from error
    affine = read_only(np.asarray(image.affine))
    return Geometry(image.shape[:3], affine, TRIAL_S, "float32")


def _region(folder: Folder, areas: Areas, geometry: Geometry) -> Region:
    streams = folder.streams
    default = Areas(early=Area(streams, (EARLY,)), ventral=Area(streams, (VENTRAL,)))
    every = np.ones(geometry.n_voxels, bool)
    found = areas.region(geometry, every)
    if found is not None:
        return found
    found = default.region(geometry, every)
    assert found is not None
    return replace(found, chosen_by="early and ventral of the atlas streams")


def _unlike(betas: Sequence[Betas], geometry: Geometry | None) -> list[str]:
    problems = []
    for one in betas:
        if geometry is not None and one.shape != geometry.shape:
            problems.append(
                f"{one.file} has {one.shape} voxels, atlas, mask or decoder {geometry.shape}: take both of one "
                "preparation"
            )
        if one.trials != betas[0].trials:
            problems.append(
                f"{one.file} has {one.trials} trials, {betas[0].file.name} {betas[0].trials}: "
                "copy it anew or leave it out with --sessions"
            )
    return problems


def _bad_images(folder: Folder, images: NDArray[np.int64]) -> list[str]:
    try:
        count = Images(folder.images).count
    except BadDataset as error:
        return [str(error)]
    if images.max() < count:
        return []
    return [f"{folder.images} has {count} images: image {images.max()} was shown (counted from 0)"]


def _only(region: Region, alive: NDArray[np.bool_]) -> Region:
    left = Region(region.voxels[alive], region.early[alive], region.ventral[alive])
    if not left.early.any() or not left.ventral.any():
        raise BadDataset(f"{region.chosen_by}: no voxel varies in every session")
    without = int((~alive).sum())
    told = f", less {without} without variance" if without else ""
    return replace(left, chosen_by=region.chosen_by + told)
