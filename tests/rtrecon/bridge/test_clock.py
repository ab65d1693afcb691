"""Stamps are the header's where it can be right, and the arrival's where it cannot."""

from datetime import datetime

import pytest

from rtrecon.bridge.clock import ScannerClock

NOON = datetime(2026, 1, 2, 12).timestamp()  # as the wall clock has it, local time
OFFSET_S = NOON - 500.0  # Unix time minus LSL time: noon is 500 s on the LSL clock


def at(second: float) -> tuple[str, float]:
    """So long after noon by the scanner's clock."""
    return "20260102", 43_200 + second


def test_a_header_that_agrees_gives_the_end_of_the_acquisition() -> None:
    clock = ScannerClock({0: at(0.0), 1: at(2.0)}, 2.0, NOON + 4.5)
    assert clock.source == "header"
    assert clock.stamp(0, at(0.0), 502.6, OFFSET_S) == pytest.approx(502.0)
    assert clock.stamp(5, at(10.0), 512.4, OFFSET_S) == pytest.approx(512.0)


@pytest.mark.parametrize(
    ("acquired", "now_s"),
    [
        ({0: at(0.0), 1: at(2.0)}, 3600.0),  # an hour back: another time zone, or an old file
        ({0: at(0.0), 1: at(2.0)}, -60.0),  # in the future
        ({0: at(0.0), 1: at(0.0)}, 4.5),  # the series' time in each volume
        ({0: ("", float("nan"))}, 4.5),
        ({0: ("nonsense", 43_200.0)}, 4.5),
    ],
)
def test_a_header_that_cannot_be_right_is_not_used(
    acquired: dict[int, tuple[str, float]], now_s: float
) -> None:
    clock = ScannerClock(acquired, 2.0, NOON + now_s)
    assert clock.source == "arrival"
    assert clock.stamp(0, acquired[0], 502.6, OFFSET_S) == 502.6


def test_one_volume_that_disagrees_gets_its_arrival(caplog: pytest.LogCaptureFixture) -> None:
    clock = ScannerClock({0: at(0.0), 1: at(2.0)}, 2.0, NOON + 4.5)
    for number in (3, 4):
        assert clock.stamp(number, at(0.0), 508.5, OFFSET_S) == 508.5
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
