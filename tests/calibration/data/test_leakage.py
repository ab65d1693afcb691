"""What was fitted on is not tested with."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calibration.data.leakage import picture_hashes, refuse_leakage
from rtrecon.bids import Run
from rtrecon.errors import BadDataset
from rtrecon.types import Event, Geometry, Marker


def run(name: str, folder: Path, files: list[str]) -> Run:
    geometry = Geometry((1, 1, 1), np.eye(4), 2.0)
    trials = tuple(Marker(Event.TRIAL, "thing", 12.0 * n, 6.0, f) for n, f in enumerate(files))
    return Run(name, geometry, np.zeros((1, 1, 1, 2), np.int16), trials, folder)


def draw(file: Path, value: int) -> None:
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((4, 4, 3), value, np.uint8)).save(file)


def test_the_same_picture_is_found_under_another_name_and_in_another_format(
    tmp_path: Path,
) -> None:
    for name, value in (("a.png", 10), ("b.png", 20), ("renamed.bmp", 20), ("c.png", 30)):
        draw(tmp_path / name, value)
    fitted = picture_hashes([run("run-1", tmp_path, ["a.png", "b.png", "a.png"])])
    assert set(fitted) == {"a.png", "b.png"}
    refuse_leakage(fitted, ["run-1"], [run("run-2", tmp_path, ["c.png", ""])])
    tested = [run("run-1", tmp_path, ["c.png"]), run("run-2", tmp_path, ["a.png", "renamed.bmp"])]
    with pytest.raises(BadDataset) as told:
        refuse_leakage(fitted, ["run-1"], tested)
    line = str(told.value)
    for part in ("runs run-1;", "2 pictures: a.png, renamed.bmp (fitted as b.png)", "--runs"):
        assert part in line
    assert "\n" not in line


def test_the_same_name_of_another_picture_is_another_picture(tmp_path: Path) -> None:
    draw(tmp_path / "one" / "a.png", 10)
    draw(tmp_path / "other" / "a.png", 11)
    fitted = picture_hashes([run("run-1", tmp_path / "one", ["a.png"])])
    refuse_leakage(fitted, [], [run("run-2", tmp_path / "other", ["a.png"])])
