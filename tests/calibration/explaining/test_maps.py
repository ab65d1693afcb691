"""Maps: each voxel in its place, and nothing fetched from a network."""

import socket
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nilearn.datasets import load_fsaverage

from calibration.explaining.maps import (
    Map,
    Space,
    _on_cortex,
    draw_cortex,
    draw_slices,
    in_template_space,
    map_of_labels,
)
from rtrecon.types import Geometry

SHAPE, AFFINE = (
    (31, 37, 31),
    np.array([[-6.0, 0, 0, 90], [0, 6, 0, -126], [0, 0, 6, -72], [0, 0, 0, 1.0]]),
)


@pytest.fixture
def space() -> Space:
    """The back of a head in template space."""
    at = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    mm = nib.affines.apply_affine(AFFINE, at)
    back = (mm[..., 1] < -40) & (np.abs(mm[..., 0]) < 60) & (mm[..., 2] > -30)
    mean = np.where((mm**2).sum(-1) < 90**2, 500.0, 0.0).astype(np.float32)
    voxels = np.flatnonzero(back.ravel(order="F"))
    return Space(Geometry(SHAPE, AFFINE, 2.0), voxels, mean, True)


def x_mm(space: Space) -> np.ndarray:
    at = np.array(np.unravel_index(space.voxels, SHAPE, order="F")).T
    return nib.affines.apply_affine(AFFINE, at)[:, 0]


def test_a_map_on_disk_has_its_values_where_the_voxels_are(space: Space, tmp_path: Path) -> None:
    space.save(tmp_path / "x.nii.gz", x_mm(space))
    volume = np.asarray(nib.load(tmp_path / "x.nii.gz").dataobj)
    i, j, k = np.argwhere(volume != 0)[100]
    assert volume[i, j, k] == nib.affines.apply_affine(AFFINE, (i, j, k))[0]
    assert (volume != 0).sum() == (x_mm(space) != 0).sum()


def faces_of(axes: list) -> np.ndarray:
    """What is drawn in colour in some views: (n_faces, 3), share of all faces."""
    shades = [np.asarray(c.get_facecolor()) for one in axes for c in one.collections]
    faces = np.concatenate(shades)[:, :3]
    return faces[np.ptp(faces, axis=1) > 0.2]


def test_what_is_on_the_left_is_drawn_on_the_left_cortex_without_a_network(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a network was asked"))
    colours = {"z": "#0072B2", "c": "#009E73", "left": "#D55E00"}
    left = map_of_labels("left", 3 * (x_mm(space) < 0).astype(np.int64), colours)
    views = draw_cortex(space, [left]).axes[:6]
    drawn = faces_of(views[:3])
    assert len(drawn) > 1000
    assert (drawn[:, 0] > drawn[:, 2]).all()  # none of the blue and green ones
    assert len(faces_of(views[3:])) < 0.01 * len(drawn)
    r, meshes = Map("r", np.where(x_mm(space) < 0, 0.3, 0), 0.5), load_fsaverage("fsaverage5")
    on_left, on_right = (_on_cortex(r, space, meshes, side) for side in ("left", "right"))
    assert on_left.max() == pytest.approx(0.3, abs=0.01)
    assert (on_left > 0.2).sum() > 50 * (on_right > 0.2).sum()


def test_slices_are_drawn_of_values_and_labels(space: Space, tmp_path: Path) -> None:
    r = Map("r", np.full(len(space.voxels), 0.3), 0.5)
    labels = map_of_labels("best", np.ones(len(space.voxels), np.int64), {"z": "#0072B2"})
    draw_slices(space, [r, labels]).savefig(tmp_path / "maps.png")
    assert len(space.cuts()) == 7
    assert min(space.cuts()) > -30


def test_only_what_says_so_lies_in_template_space(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    cases = ((1, "a_bold", False), (4, "b_bold", True), (1, "c_space-MNI152NLin6Asym_bold", True))
    for code, name, expected in cases:
        image.set_sform(np.eye(4), code=code)
        image.to_filename(tmp_path / f"{name}.nii.gz")
        assert in_template_space(tmp_path / f"{name}.nii.gz") is expected


def test_no_cortex_without_template_space(space: Space) -> None:
    elsewhere = Space(space.geometry, space.voxels, space.mean, False)
    with pytest.raises(ValueError, match="not in template space"):
        draw_cortex(elsewhere, [])
