"""Slices: what lies where, whatever way the scanner's axes run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rtrecon.display import theme
from rtrecon.display.brain import BrainView
from rtrecon.display.slices import slices_of
from rtrecon.types import Brain, Pattern, Trial

pytestmark = [pytest.mark.timeout(60)]

SHAPE = (20, 24, 16)
# Of voxels 3 x 4 x 5 mm, world millimetres right, front and top of the middle.
EARLY_MM, VENTRAL_MM = np.array([-16.5, -30.0, -12.5]), np.array([19.5, -30.0, -12.5])


def affine(axes: str) -> NDArray[np.float64]:
    """Voxel axes run to these letters; the volume's middle is the world's."""
    made = np.eye(4)
    made[:3, :3] = 0
    for n, letter in enumerate(axes):
        world = "LRPAIS".index(letter) // 2
        made[world, n] = (3, 4, 5)[world] * (1 if letter in "RAS" else -1)
    made[:3, 3] = -made[:3, :3] @ ((np.array(shape_of(axes)) - 1) / 2)
    return made


def shape_of(axes: str) -> tuple[int, ...]:
    return tuple(SHAPE["LRPAIS".index(letter) // 2] for letter in axes)


def brain(axes: str, tilt: float = 0.0) -> Brain:
    """A ball of a head, a bright spot to the right, one early voxel to the left, one ventral right."""
    matrix = affine(axes)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    matrix = turn @ matrix
    shape = shape_of(axes)
    ijk = np.indices(shape).reshape(3, -1)
    mm = (matrix @ np.vstack([ijk, np.ones(ijk.shape[1])]))[:3].reshape(3, *shape)
    volume = np.where(np.abs(mm).max(axis=0) < 36, 100.0, 0.0).astype(np.float32)
    voxels = np.array([index(affine(axes), shape, at) for at in (EARLY_MM, VENTRAL_MM)])
    early = np.array([True, False])
    return Brain(volume, matrix, voxels, early, ~early)


def index(matrix: NDArray[np.float64], shape: tuple[int, ...], mm: NDArray[np.float64]) -> int:
    ijk = np.rint(np.linalg.inv(matrix) @ [*mm, 1])[:3].astype(int)
    return int(np.ravel_multi_index(ijk, shape, order="F"))


@pytest.mark.parametrize("axes", ["RAS", "LAS", "LPS", "RSA", "PSL", "AIR"])
@pytest.mark.parametrize("tilt", [0.0, 0.2])
def test_left_is_left_and_front_is_up(axes: str, tilt: float) -> None:
    sagittal, coronal, axial = slices_of(brain(axes, tilt))
    assert (sagittal.letters, coronal.letters, axial.letters) == ("PASI", "LRSI", "LRAP")
    for one, seen in ((coronal, {0, 1}), (axial, {0, 1}), (sagittal, {0})):
        assert set(one.voxel[one.voxel >= 0]) <= seen
    rows, columns = np.nonzero(axial.voxel == 0)
    height, width = axial.voxel.shape
    assert columns[0] < width / 2 < np.nonzero(axial.voxel == 1)[1][0]  # early is to the left
    assert rows[0] > height / 2  # and at the back, which is below
    rows, columns = np.nonzero(coronal.voxel == 0)
    assert columns[0] < coronal.voxel.shape[1] / 2
    assert rows[0] > coronal.voxel.shape[0] / 2  # and low
    rows, columns = np.nonzero(sagittal.voxel >= 0)
    assert columns[0] < sagittal.voxel.shape[1] / 2  # the back is to the left
    assert rows[0] > sagittal.voxel.shape[0] / 2
    np.testing.assert_allclose(axial.size_mm, (3, 4), atol=1e-6)
    np.testing.assert_allclose(sagittal.size_mm, (4, 5), atol=1e-6)
    assert (axial.grey > 0).any()
    if tilt == 0:
        assert sagittal.at in ("x -16", "x +20")
        assert (coronal.at, axial.at) == ("y -30", "z -12")


def test_the_voxel_seen_is_the_voxel_meant() -> None:
    """Against indexing by hand: every masked pixel's grey is its voxel's value."""
    made = brain("LAS")
    rng = np.random.default_rng(0)
    volume = np.where(made.volume > 0, rng.uniform(50, 100, made.volume.shape), 0)
    voxels = np.flatnonzero(volume.ravel(order="F"))[::7]
    many = Brain(volume.astype(np.float32), made.affine, voxels, voxels > 0, voxels > 0)
    white = np.percentile(many.volume, 99.5)
    for one in slices_of(many):
        inside = one.voxel >= 0
        values = many.volume.ravel(order="F")[voxels[one.voxel[inside]]]
        wanted = np.clip(values / white, 0, 1) * 255
        np.testing.assert_allclose(one.grey[inside], wanted, atol=1)


def pattern(values: list[float], volume: int = 7) -> Pattern:
    trial = Trial(1, "dog", 0.0, 6.0)
    return Pattern(trial, volume, 6.0, np.array(values, np.float32), 0.5)


def test_regions_are_told_apart_by_colour_and_by_line(qtbot: QtBot) -> None:
    view = BrainView()
    qtbot.addWidget(view)
    view.show_brain(brain("LAS"))
    early, ventral = view.regions
    assert (early.name, early.colour, early.line) == (
        "early for z", theme.SKY, Qt.PenStyle.SolidLine,
    )  # fmt: skip
    assert (ventral.name, ventral.colour, ventral.line) == (
        "ventral for c", theme.ORANGE, Qt.PenStyle.DotLine,
    )  # fmt: skip
    both = np.ones(2, bool)
    view.show_brain(replace(brain("LAS"), early=both, ventral=both))
    assert [region.name for region in view.regions] == ["for z and c"]
    view.resize(420, 180)
    view.show()
    assert not view.grab().isNull()


def test_evidence_is_brightness(qtbot: QtBot) -> None:
    view = BrainView()
    qtbot.addWidget(view)
    made = brain("LAS")
    view.show_pattern(pattern([1, 1]))  # before there is a brain
    view.show_brain(made)
    axial = view.slices[2]
    row, column = np.argwhere(axial.voxel == 0)[0]
    brightness = []
    for value in (-3.0, 0.0, 3.0):
        view.show_pattern(pattern([value, 0.0]))
        colour = view._colours[2].pixelColor(int(column), int(row))
        brightness.append(colour.lightness())
    assert brightness == sorted(set(brightness))
    view.show_pattern(pattern([1, 2, 3]))  # of another decoder: not shown
    assert view._colours[2].pixelColor(int(column), int(row)).lightness() == brightness[-1]
    assert view.volume == 7


def test_without_a_reference_there_is_a_place_for_it(qtbot: QtBot) -> None:
    view = BrainView()
    qtbot.addWidget(view)
    view.resize(300, 120)
    view.show()
    assert not view.grab().isNull()
    assert view.slices == []
