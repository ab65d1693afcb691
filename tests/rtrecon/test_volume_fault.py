"""Volumes whose rest never arrived, told from what scanners fill with zeros."""

import logging

import numpy as np
import pytest
from numpy.typing import NDArray

from rtrecon.volume_fault import VolumeFault


def volume(empty: int = 0, seed: int = 0) -> NDArray[np.int16]:
    data = np.random.default_rng(seed).integers(1, 900, (6, 5, 12)).astype(np.int16)
    data[..., 12 - empty :] = 0
    return data


def test_slices_that_were_there_are_missed() -> None:
    fault = VolumeFault()
    assert [fault(volume()), fault(volume(1)), fault(volume())] == ["", "", ""]
    assert fault(volume(7)) == "truncated (the last 7 of 12 slices are zero)"
    assert fault(volume()) == ""


def test_a_scanner_that_always_sends_them_empty_lacks_nothing() -> None:
    fault = VolumeFault()
    assert [fault(volume(n)) for n in (3, 4, 3, 4)] == [""] * 4
    assert fault(volume(6)).startswith("truncated")


def test_one_that_goes_on_so_is_believed(caplog: pytest.LogCaptureFixture) -> None:
    fault = VolumeFault()
    fault(volume())
    with caplog.at_level(logging.WARNING):
        got = [bool(fault(volume(2, seed))) for seed in range(6)]
    assert got == [True, True, True, False, False, False]
    assert "the last 2 slices are zero in every volume now" in caplog.text
