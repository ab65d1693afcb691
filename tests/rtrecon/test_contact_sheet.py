"""The contact sheet has every trial's stimulus and pictures where they belong."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtrecon.contact_sheet import EVOLUTION, GAP_PX, LABEL_PX, TEXT_PX, TILE_PX, write_contact_sheet
from rtrecon.record import Recorder
from rtrecon.types import Decoded, Frame, Geometry, Trial

EMPTY = 18  # the red of the sheet's background


def record(folder: Path, geometry: Geometry, trials: int, volumes: int) -> None:
    """A session whose frame n of trial t is grey of 20 t + n."""
    recorder = Recorder(folder, geometry, {})
    scores, serial = np.zeros(2, np.float32), 0
    for number in range(1, trials + 1):
        trial = Trial(number, "dog", 0.0, 6.0, "dog.png")
        for n in range(volumes):
            c = np.zeros((1, 1), np.float32)
            decoded = Decoded(trial, n, 2.0 * n, None, c, scores, scores, "cat", 0.3)
            recorder.decoded(decoded)
            for step in (1, 2):
                serial += 1
                grey = 20 * number + n if step == 2 else 255
                image = np.full((8, 8, 3), grey, np.uint8)
                recorder.frame(Frame(serial, image[None], decoded, step, 2))
    recorder.close()


@pytest.mark.parametrize(
    ("volumes", "columns"),
    [(9, (0, 2, 4, 6, 8)), (3, (None, None, 0, 1, 2)), (1, (None, None, None, None, 0))],
)
def test_stimulus_evolution_and_final_picture(
    tmp_path: Path, toy_geometry: Geometry, volumes: int, columns: tuple[int | None, ...]
) -> None:
    record(tmp_path / "session", toy_geometry, trials=3, volumes=volumes)
    Image.new("RGB", (8, 8), (250, 0, 0)).save(tmp_path / "dog.png")
    file = write_contact_sheet(tmp_path / "session", {"dog.png": tmp_path / "dog.png"})
    assert file is not None
    with Image.open(file) as sheet:
        pixels = np.asarray(sheet)
    top = TEXT_PX + 2 * GAP_PX
    for row, number in ((0, 1), (1, 2)):
        y = top + row * (TILE_PX + GAP_PX + TEXT_PX) + TILE_PX // 2
        assert pixels[y, GAP_PX + LABEL_PX + 50].tolist() == [250, 0, 0]
        left = GAP_PX + LABEL_PX + 3 * GAP_PX + TILE_PX // 2
        seen = [
            int(pixels[y, left + (column + 1) * (TILE_PX + GAP_PX), 0])
            for column in range(EVOLUTION)
        ]
        assert seen == [EMPTY if n is None else 20 * number + n for n in columns]


def test_a_session_without_pictures_has_no_sheet(tmp_path: Path, toy_geometry: Geometry) -> None:
    record(tmp_path / "session", toy_geometry, trials=0, volumes=0)
    assert write_contact_sheet(tmp_path / "session", {}) is None
