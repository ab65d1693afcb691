"""A short day in the scanner suite: between runs, all is as it was between the runs before."""

import pytest

from tests.soak import verdict
from tests.soak.day import Act, Day
from tests.soak.suite import suite


@pytest.mark.timeout(120)
def test_between_runs_nothing_is_left_of_them() -> None:
    """Threads, handles and child processes by kind; all volumes of all runs are on disk."""
    day = Day(hours=2, volumes=30, speed=50.0, acts=(Act.PAUSED,))
    with suite(day) as running:
        assert running.run(lambda volumes: None) == 0, running.said
    assert len(running.seen.latencies) == 2
    assert verdict.broken(running.seen, whole=False) == []
