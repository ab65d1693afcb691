"""The picture of a session's data quality: it is there, and what it shows is right."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtrecon.quality_sheet import CARPET_PERCENT, _carpet, _tsnr_map, write_quality_sheet
from rtrecon.record import Recorder
from rtrecon.types import Arrival, Geometry, Volume
from tests.toy import toy_volumes

VOXELS = np.arange(40)


def recorded(folder: Path, geometry: Geometry, count: int) -> Path:
    recorder = Recorder(folder, geometry, {})
    data = toy_volumes(geometry, count)
    for number in range(count):
        if number == 9:  # is for the record alone
            worthless = np.full(geometry.shape, np.nan, np.float32)
            recorder.volume(Volume(number, worthless, fault="not finite"))
            continue
        recorder.volume(Volume(number, data[..., number]))
        arrival = Arrival(number, 0.0, motion=(0.1,) * 6, framewise_mm=0.2, dvars=1.0)
        recorder.arrival(replace(arrival, weight=0.0) if number == 7 else arrival)
    recorder.close()
    return folder


def test_a_session_gets_a_picture_of_its_quality(tmp_path: Path, toy_geometry: Geometry) -> None:
    folder = recorded(tmp_path, toy_geometry, 30)
    assert write_quality_sheet(folder, VOXELS) == folder / "quality.png"
    with Image.open(folder / "quality.png") as picture:
        assert min(picture.size) > 800
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50


def test_a_session_that_hardly_began_gets_none(tmp_path: Path, toy_geometry: Geometry) -> None:
    assert write_quality_sheet(recorded(tmp_path, toy_geometry, 4), VOXELS) is None
    assert not (tmp_path / "quality.png").exists()


def test_the_map_is_mean_over_standard_deviation(toy_geometry: Geometry) -> None:
    raw = np.moveaxis(toy_volumes(toy_geometry, 40), -1, 0)
    raw[:, 0, 0, 0] = 5  # a constant voxel
    expected = raw.astype(float).mean(axis=0) / np.maximum(raw.astype(float).std(axis=0), 1e-9)
    expected[0, 0, 0] = 0
    np.testing.assert_allclose(_tsnr_map(raw, np.arange(40)), expected, rtol=1e-4)


def test_the_carpet_shows_percent_of_each_voxels_own_mean() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    time = np.arange(50)
    series = np.stack([200 + time, 1000 + 20.0 * (time % 2)], axis=1)  # a trend; 2 % up and down
    _carpet(axes, series, time)
    shown = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(shown[0], 0, atol=1e-9)
    assert np.ptp(shown[1]) == pytest.approx(2, abs=0.1)
    assert axes.images[0].get_clim() == (-CARPET_PERCENT, CARPET_PERCENT)
