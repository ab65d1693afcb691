"""Learning curves whose turning point is known."""

import pytest

from calibration.scoring.learning import default_counts, learning_curve


def at(value: float) -> dict[str, object]:
    return {"value": value, "interval": [value - 0.05, value + 0.05]}


def test_enough_is_where_the_curve_has_arrived_for_good() -> None:
    values = {1: 0.5, 2: 0.86, 4: 0.7, 8: 0.87, 12: 0.9}
    curve = learning_curve(lambda runs: {"c": at(values[runs])}, [1, 2, 4, 8, 12])["c"]
    assert curve["runs"] == [1, 2, 4, 8, 12]
    assert [one["value"] for one in curve["scores"]] == list(values.values())
    assert curve["enough"] == 8  # 2 runs were lucky: 4 were worse


def test_a_curve_that_still_rises_has_no_enough() -> None:
    curve = learning_curve(lambda runs: {"c": at(0.5 + runs / 10), "z": at(0.5)}, [1, 2, 4])
    assert curve["c"]["enough"] is None
    assert curve["z"]["enough"] == 1


def test_runs_double_up_to_all() -> None:
    assert default_counts(12) == [1, 2, 4, 8, 12]
    assert default_counts(8) == [1, 2, 4, 8]
    assert default_counts(1) == [1]
    with pytest.raises(ValueError, match="ascending"):
        learning_curve(lambda _: {}, [2, 1])
