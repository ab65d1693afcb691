"""Pieces in any order become volumes in theirs: each once, what is missing is told."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrecon.bridge.assemble import Assembled, Assembler, Ended, Output, Started
from rtrecon.bridge.piece import Piece
from rtrecon.bridge.run import Wanted

AFFINE = np.array([[-3.0, 0, 0, 9], [0, 3, 0, -8], [0, 0, 3.5, -7], [0, 0, 0, 1]])


def whole(number: int, series: str = "1.2", echo: int = 1, **more: object) -> Piece:
    data = np.full((3, 4, 2), 100 * number + echo, np.int16)
    data[0, 0, 0] = 7  # not constant
    given = Piece(series, f"bold {series}", number, 0, 1, data, AFFINE, 2.0, echo)
    return replace(given, **more)  # type: ignore[arg-type]


def sliced(number: int, slices: int, echoes: int) -> Iterator[Piece]:
    """A volume (3, 4, slices) in pieces; voxels tell volume, slice and echo."""
    for echo in range(1, echoes + 1):
        for k in range(slices):
            affine = AFFINE.copy()
            affine[:3, 3] += k * AFFINE[:3, 2]
            data = np.full((3, 4, 1), 1000 * number + 10 * k + echo, np.int16)
            yield Piece(
                "1.2", "bold", number, k, slices, data, affine, 2.0, echo, 0.015 * echo,
                echoes=echoes,
            )  # fmt: skip


def fed(assembler: Assembler, pieces: Sequence[Piece], step_s: float = 0.0) -> list[Output]:
    """All that comes out of pieces that arrive one every `step_s`, and of the end."""
    out: list[Output] = []
    for n, piece in enumerate(pieces):
        out += assembler.add([piece], n * step_s)
    return out + list(assembler.finish(len(pieces) * step_s))


def numbers(out: Sequence[Output]) -> list[int]:
    return [volume.number for volume in out if isinstance(volume, Assembled)]


@st.composite
def shuffled(draw: st.DrawFn, n_volumes: int) -> tuple[int, int, list[Piece]]:
    slices, echoes = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pieces = [p for n in range(n_volumes) for p in sliced(n, slices, echoes)]
    doubled = draw(st.lists(st.sampled_from(pieces), max_size=5))
    return slices, echoes, draw(st.permutations([*pieces, *doubled]))


@settings(deadline=None, max_examples=60)
@given(shuffled(n_volumes=3))
def test_any_order_and_any_doubles_give_each_volume_once(
    case: tuple[int, int, list[Piece]],
) -> None:
    slices, echoes, pieces = case
    assembler = Assembler(Wanted(echo=echoes))
    out = fed(assembler, pieces)
    assert numbers(out) == [0, 1, 2]
    assert isinstance(out[0], Started)
    assert out[-1] == Ended(3)
    np.testing.assert_allclose(out[0].geometry.affine, AFFINE)
    for volume in out[1:-1]:
        assert isinstance(volume, Assembled)
        expected = 1000 * volume.number + 10 * np.arange(slices) + echoes
        np.testing.assert_array_equal(volume.data, np.broadcast_to(expected, (3, 4, slices)))
    assert assembler.held == 0


@settings(deadline=None, max_examples=60)
@given(shuffled(n_volumes=8))
def test_of_a_long_run_in_any_order_each_volume_is_given_or_lost(
    case: tuple[int, int, list[Piece]],
) -> None:
    assembler = Assembler()
    out = fed(assembler, case[2])
    came = numbers(out)
    assert came == sorted(set(came))
    assert len(came) == assembler.counts["volumes"]
    assert len(came) + assembler.counts["lost"] == max(came) + 1
    assert assembler.held == 0 or max(came) < 7


def test_a_gap_waits_for_three_later_volumes() -> None:
    assembler = Assembler()
    out: list[Output] = []
    for number in (0, 1, 3, 4):
        out += assembler.add([whole(number)], 0.0)
    assert numbers(out) == [0, 1]
    out += assembler.add([whole(5)], 0.0)
    assert numbers(out) == [0, 1, 3, 4, 5]
    assert assembler.counts["lost"] == 1
    assert not list(assembler.add([whole(2)], 0.0))
    assert assembler.counts["late"] == 1


def test_a_gap_waits_for_two_trs() -> None:
    assembler = Assembler()
    out = [o for n in (0, 1, 3) for o in assembler.add([whole(n)], 10.0)]
    assert numbers(out) == [0, 1]
    assert not list(assembler.tick(13.9))
    assert numbers(list(assembler.tick(14.1))) == [3]


def test_a_late_volume_within_the_wait_is_put_in_its_place() -> None:
    assert numbers(fed(Assembler(), [whole(n) for n in (0, 1, 3, 4, 2, 5)])) == [0, 1, 2, 3, 4, 5]


def test_numbers_from_1_of_files_without_times_become_numbers_from_0(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assembler = Assembler()
    out = fed(assembler, [whole(n) for n in (1, 2, 3, 4)])
    assert numbers(out) == [0, 1, 2, 3]
    assert out[-1] == Ended(4)
    assert not assembler.counts["lost"]
    timed = [whole(n, acquired_s=36_000.0 + n) for n in (1, 2, 3, 4)]
    assert numbers(fed(Assembler(), timed)) == [1, 2, 3, 4]


def test_the_planned_number_ends_a_series_at_once() -> None:
    assembler = Assembler()
    out = [o for n in range(3) for o in assembler.add([whole(n, volumes=3)], 0.0)]
    assert out[-1] == Ended(3)


def test_an_aborted_series_gives_way_to_the_next() -> None:
    assembler = Assembler()
    first = [whole(n, "1.2", acquired_s=n * 2.0, acquired_date="20260101") for n in range(3)]
    second = [whole(n, "1.3", acquired_s=60 + n * 2.0, acquired_date="20260101") for n in range(3)]
    out = [o for n, p in enumerate(first) for o in assembler.add([p], 2.0 * n)]
    out += [o for n, p in enumerate(second) for o in assembler.add([p], 60 + 2.0 * n)]
    kinds = [type(o) for o in out]
    assert kinds == [Started] + [Assembled] * 3 + [Ended, Started] + [Assembled] * 3
    assert numbers(out) == [0, 1, 2, 0, 1, 2]


def test_of_two_series_side_by_side_the_first_is_followed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pieces = [whole(n, series) for n in range(6) for series in ("1.2", "1.3")]
    out = fed(Assembler(), pieces, step_s=1.0)
    assert [o.series for o in out if isinstance(o, Started)] == ["1.2"]
    assert numbers(out) == [0, 1, 2, 3, 4, 5]
    told = [r.getMessage() for r in caplog.records if "1.3" in r.getMessage()]
    assert len(told) == 1
    assert "--series" in told[0]


def test_the_other_of_two_series_can_be_chosen() -> None:
    pieces = [whole(n, series) for n in range(3) for series in ("1.2", "1.3")]
    out = fed(Assembler(series="BOLD 1.3"), pieces)
    assert [o.series for o in out if isinstance(o, Started)] == ["1.3"]


def test_what_is_exported_again_after_its_run_is_no_new_run() -> None:
    times = [{"acquired_s": 2.0 * n, "acquired_date": "20260101"} for n in range(3)]
    raw = [whole(n, "1.2", volumes=3, **times[n]) for n in range(3)]
    corrected = [whole(n, "1.3", **times[n]) for n in range(3)]
    out = fed(Assembler(), [*raw, *corrected], step_s=30.0)
    assert [o.series for o in out if isinstance(o, Started)] == ["1.2"]


def test_a_single_volume_is_not_followed() -> None:
    out = fed(Assembler(), [whole(0, "sbref"), *(whole(n, "bold") for n in range(3))], step_s=1.0)
    assert [o.series for o in out if isinstance(o, Started)] == ["bold"]


def test_what_does_not_fit_the_first_volume_is_skipped() -> None:
    other = np.ones((3, 4, 3), np.int16)
    moved = AFFINE.copy()
    moved[0, 3] += 2
    pieces = [
        whole(0), whole(1), whole(2, data=other), whole(3, affine=moved),
        whole(4, data=np.ones((3, 4, 2), np.float32)), whole(5),
    ]  # fmt: skip
    assembler = Assembler()
    assert numbers(fed(assembler, pieces)) == [0, 1, 5]
    assert assembler.counts["odd"] == 3


def test_echoes_are_combined_by_what_they_tell() -> None:
    times = (0.012, 0.028, 0.044)
    pieces = [
        whole(n, echo=e, echo_s=times[e - 1]) for n in range(3) for e in (1, 2, 3)
    ]  # how many there are is nowhere said
    out = fed(Assembler(Wanted(t2star_s=0.03)), pieces)
    assert numbers(out) == [0, 1, 2]
    assert isinstance(out[0], Started)
    assert out[0].geometry.dtype == "float32"
    assert out[0].geometry.echo_times_s == times
    w = [te * exp(-te / 0.03) for te in times]
    expected = sum(w[e] * (200 + e + 1) for e in range(3)) / sum(w)
    volume = out[3]
    assert isinstance(volume, Assembled)
    assert volume.data[1, 1, 1] == pytest.approx(expected, rel=1e-6)


def test_one_echo_is_sent_alone_and_at_once() -> None:
    assembler = Assembler(Wanted(echo=2))
    pieces = [whole(n, echo=e, echo_s=0.01 * e, volumes=2) for n in range(2) for e in (1, 2, 3)]
    out = list(assembler.add(pieces[:2], 0.0))
    assert numbers(out) == [0]
    out += assembler.add(pieces[2:], 0.0)
    assert [o.data[1, 1, 1] for o in out if isinstance(o, Assembled)] == [2, 102]
    assert isinstance(out[0], Started)
    assert out[0].geometry.echo_times_s == (0.02,)


def test_a_series_whose_volumes_never_get_whole_holds_little() -> None:
    assembler = Assembler()
    pieces = [p for n in range(30) for p in list(sliced(n, 3, 1))[: 3 if n < 2 else 2]]
    out = [o for piece in pieces for o in assembler.add([piece], 0.0)]
    assert numbers(out) == [0, 1]
    assert assembler.held <= 17


def test_a_series_without_a_tr_is_told_of() -> None:
    assert not fed(Assembler(), [whole(n, tr_s=0.0) for n in range(3)])


def test_a_series_that_lsl_cannot_take_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """As large and as often as that its volumes would be written behind LSL's memory."""
    data = np.zeros((256, 256, 256), np.float32)
    data[0, 0, 0] = 1
    assert fed(Assembler(Wanted()), [whole(n, data=data, tr_s=0.01) for n in range(2)]) == []
    assert "is left alone, since stream 'bridge' claims" in caplog.text
