"""A number that comes again is a volume of this run or the beginning of another."""

import pytest

from rtrecon.count import Count

TR_S = 2.0


def counted(*numbers: int) -> Count:
    """A run whose volumes came on time."""
    count = Count(TR_S)
    for number in numbers:
        count.take(number, on_time(number))
    return count


def on_time(number: int) -> float:
    return 100.0 + number * TR_S


def test_what_is_missing_is_counted_and_may_come_late_once() -> None:
    count = counted(0, 1, 4)
    assert count.expected == 5
    assert count.take(7, on_time(7)) == 2
    assert [count.late(n, on_time(n)) for n in (2, 5, 2, 1)] == [True, True, False, False]


def test_what_was_missing_is_forgotten_when_much_more_is() -> None:
    """A number that jumps again and again must not cost memory without bound."""
    count = counted(*range(0, 4000, 2))
    assert not count.late(1, on_time(1))
    assert count.late(3997, on_time(3997))


@pytest.mark.parametrize("wrong_s", [0.0, 0.9, -0.9])
def test_a_doubled_or_late_volume_fits_whatever_the_clock_correction_does(wrong_s: float) -> None:
    count = counted(0, 1, 2, 4, 5)
    for number in range(6):
        assert count.fits(number, on_time(number) + wrong_s)
    assert not count.fits(5, on_time(6))
    assert not count.fits(0, on_time(6))


def test_after_a_set_clock_volumes_of_before_fit_by_their_own_stamps() -> None:
    count = counted(0, 1, 2, 4)
    count.take(5, on_time(5) + 3600)
    assert count.fits(2, on_time(2))
    assert count.fits(3, on_time(3))


def begins(count: Count, one: tuple[int, float], other: tuple[int, float]) -> bool:
    assert not count.fits(*one)
    return count.begins_anew(one, other)


def test_a_restarted_scanner_goes_on_counting() -> None:
    assert begins(counted(0, 1, 2), (0, 300.0), (1, 302.0))
    assert begins(counted(0, 1, 2), (0, -300.0), (1, -298.0))  # whose clock was set back
    assert begins(counted(*range(50)), (3, 300.0), (4, 302.0))  # and whose first ones were lost


def test_one_that_is_stamped_when_it_came_is_late_all_the_same() -> None:
    count = counted(0, 1, 3, 4, 5)
    assert not begins(count, (2, on_time(5.6)), (6, on_time(6)))  # type: ignore[arg-type]
    count = counted(0, 1, 4, 5)
    assert not begins(count, (2, on_time(6)), (3, on_time(7)))  # two were missing: both come late
    assert not begins(counted(0, 1, 2), (0, on_time(4)), (1, on_time(4) + 0.01))  # sent anew
    assert not begins(counted(0, 1, 2), (2, on_time(3)), (3, on_time(4)))  # the newest, twice


def test_a_long_run_forgets_its_beginning() -> None:
    count = counted(*range(5000))
    assert not count.late(3, on_time(3))
    assert len(count._stamps) <= 1000
    count.take(14_000, on_time(14_000))
    assert len(count._missing) <= 1000
