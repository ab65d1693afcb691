"""What can be made to go wrong: as text, as data, and what becomes of a run."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from rtrecon.errors import BadConfig
from rtrecon.evidence import Evidence
from rtrecon.preprocess import Preprocess
from rtrecon.receive import Receiver
from rtrecon.response import Response
from rtrecon.types import Event, Geometry, Marker, Volume
from simulator.faults import KINDS, Fault, Faults, Scan, parse_faults
from simulator.faults.drawing import drawn
from simulator.faults.effect import Effect, effect_of
from simulator.faults.plan import Random
from simulator.faults.script import disturbed
from simulator.recording import Items
from simulator.scanner import play, scan_of
from simulator.schedule import Raw, Sending, Turn, schedule
from tests.toy import toy_run

N = 30
SCAN = Scan(N, 2.0, "float32", 4, tuple(n * 2.0 + 0.3 for n in range(2, N, 5)), 100.0)


@pytest.fixture
def run(toy_geometry: Geometry) -> list[Sending]:
    return list(schedule(Items("toy", toy_geometry, tuple(toy_run(toy_geometry, N)))))


def sent(run: list[Sending], text: str) -> list[Sending]:
    return disturbed(run, parse_faults(text), SCAN)


def numbers(sendings: list[Sending]) -> list[int]:
    return [s.what.number for s in sendings if isinstance(s.what, Volume) and not s.unheard]


def volume(sendings: list[Sending], of: int) -> NDArray[np.generic]:
    (found,) = (s.what.data for s in sendings if isinstance(s.what, Volume) and s.of == of)
    return found


@pytest.mark.parametrize("name", KINDS)
def test_a_list_survives_being_written(name: str) -> None:
    kind = KINDS[name]
    fault = parse_faults(f"{name}=7").these[0]
    amounts: list[float | str] = [*kind.words] or [kind.least, kind.most]
    for amount in amounts if kind.unit else [fault.amount]:
        plan = Faults((fault, Fault(name, 8, amount)), Random(3, 4))
        assert parse_faults(str(plan)) == plan


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lose=3:1", "name=volume"), ("late=3:x", "1 to 1000 TRs late"), ("late=3:nan", "TRs late"),
        ("truncate=3:1", "share that came"), ("mark-bad=3:loud", "one of json"),
        ("random=x", "random=seed"), ("random=1:101", "1 to 100"), ("random=1,random=2", "name="),
    ],
)  # fmt: skip
def test_what_is_no_fault_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_faults(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lose=4,nan=4", "lose=4 has volume 4 already"),
        ("swap=4,double=5", "swap=4:? ?has volume 5|swap=4 has volume 5"),
        ("restart=4:0.2,lose=13", "has volume 13 already"),
        ("replace=4:0.1,second=8", "has name 8 already"), ("cut=4:1,restart=9", "has cable 9 already"),
        ("mark-lose=3,mark-double=4", "mark-lose=3 has trial 1 already"),
        ("jump=4,jump=4:5", "jump from volume 4"),
        ("swap=29", "none after it"), ("mark-lose=28", "no trial begins there"), ("die=30", "last is 29"),
    ],
)  # fmt: skip
def test_two_faults_of_one_thing_are_refused(text: str, why: str) -> None:
    with pytest.raises(BadConfig, match=why):
        parse_faults(text).check(SCAN)
    parse_faults("lose=4,nan=5,jump=4,jitter=4,mark-lose=4,mark-bad=4,cut=3,second=3").check(SCAN)


def test_what_takes_time_needs_a_speed_in_numbers_and_a_cut_a_cable() -> None:
    with pytest.raises(BadConfig, match="give a --speed in numbers"):
        parse_faults("restart=4").check(replace(SCAN, speed=float("inf")))
    with pytest.raises(BadConfig, match="no cable to cut"):
        parse_faults("cut=4").check(replace(SCAN, cable=False))


def test_order_and_stamps_of_those_that_are_late(run: list[Sending]) -> None:
    got = sent(run, "late=4:3,swap=10")
    assert numbers(got) == [
        0, 1, 2, 3, 5, 6, 7, 4, 8, 9, 11, 10, *range(12, N)
    ]  # fmt: skip
    for s in got:
        if isinstance(s.what, Volume):  # stamped with the end of their acquisition all the same
            assert s.due_s - s.late_s == pytest.approx((s.what.number + 1) * 2.0)
    assert isinstance(got[-1].what, Marker)
    assert got[-1].what.event is Event.RUN_END


def test_voxels(run: list[Sending]) -> None:
    got = sent(run, "truncate=3:0.4,constant=4,spike=5:0.2,shift=6:2,nan=7,jump=20:1")
    plain = [volume(run, n) for n in range(N)]
    flat = volume(got, 3).ravel(order="F")
    np.testing.assert_array_equal(flat[:48], plain[3].ravel(order="F")[:48])
    assert not flat[48:].any()
    assert len(np.unique(volume(got, 4))) == 1
    bright = volume(got, 5) != plain[5]
    assert 0.1 < bright.mean() < 0.3
    np.testing.assert_allclose(volume(got, 5)[bright], 20 * plain[5][bright])
    np.testing.assert_array_equal(volume(got, 6), plain[6][:, [3, 4, 0, 1, 2]])
    assert np.isnan(volume(got, 7)).all()
    for n in (*range(3), *range(8, 20)):
        np.testing.assert_array_equal(volume(got, n), plain[n])
    for n in range(20, N):
        np.testing.assert_array_equal(volume(got, n), plain[n][:, [4, 0, 1, 2, 3]])


def test_integers_are_spiked_within_their_range(run: list[Sending]) -> None:
    from simulator.faults.voxels import altered

    data = np.full((8, 8, 4), 30000, np.int16)
    spiked = altered(data, Fault("spike", 0, 1.0), 0)
    assert (spiked.dtype, int(spiked.min())) == (np.int16, 32767)


def test_markers(run: list[Sending]) -> None:
    onsets = [s.what.onset_s for s in sent(run, "mark-lose=0,mark-double=3,mark-early=10:100")
              if isinstance(s.what, Marker) and s.what.event is Event.TRIAL]  # fmt: skip
    _, second, third, fourth, *rest = SCAN.trials_s
    assert onsets == [third, second, second, fourth, *rest]
    got = sent(run, "mark-bad=5:utf8")
    at = next(n for n, s in enumerate(got) if isinstance(s.what, Raw))
    assert isinstance(got[at + 1].what, Volume)
    assert got[at + 1].of == 5


def test_the_clock_steps_for_all_that_is_stamped(run: list[Sending]) -> None:
    for s in sent(run, "clock=10:60"):
        assert s.step_s == (60.0 if s.due_s >= 22.0 - 1e-9 else 0.0)


def test_jitter_keeps_the_order(run: list[Sending]) -> None:
    got = sent(run, "jitter=5:1")
    assert numbers(got) == list(range(N))
    late_s = [s.due_s - (s.of + 1) * 2.0 for s in got if isinstance(s.what, Volume)]
    assert late_s[:5] == [0.0] * 5
    assert max(late_s) > 0.5
    assert all(0 <= s < 2.001 for s in late_s)


def test_a_restart_that_counts_from_0(run: list[Sending]) -> None:
    got = sent(run, "restart-zero=10:0.1")  # 5 volumes at 100 times
    assert numbers(got) == [*range(10), *range(15)]
    assert [s.of for s in got if isinstance(s.what, Volume) and s.unheard] == [10, 11, 12, 13, 14]
    turns = [(s.what.begins, s.due_s) for s in got if isinstance(s.what, Turn)]
    assert turns == [(True, 22.0), (False, 32.0)]
    onsets = [s.what.onset_s for s in got if isinstance(s.what, Marker) and not s.unheard]
    assert onsets[-4:] == [*(t - 30 for t in SCAN.trials_s[3:]), 30.0]
    assert isinstance(got[-1].what, Marker)
    assert got[-1].what.volumes == 15


def effect(run: list[Sending], text: str) -> Effect:
    return effect_of(run, parse_faults(text), SCAN)


def test_what_becomes_of_a_run_is_known_beforehand(run: list[Sending]) -> None:
    told = effect(run, "lose=4,double=6,late=8:2,nan=12,spike=14,truncate=16:0.3,restart=20:0.1")
    assert told.never == {4, *range(20, 25)}
    assert told.altered == {12, 14, 16}
    assert {f.number: f.fault for f in told.fates if f.fault} == {
        8: "came late", 12: "not finite", 16: "truncated"
    }  # fmt: skip
    assert told.fates[6].times == 2
    assert told.untouched == set(range(N)) - {4, 8, 12, 14, 16, *range(20, 25)}
    assert told.differs_from == 4


@pytest.mark.parametrize(
    ("text", "differs_from"),
    [
        ("double=4,mark-double=4,jitter=3,clock=5,second=6,mark-bad=7,mark-early=8", None),
        ("mark-lose=5", 7), ("jump=9", 9), ("late=29", None), ("swap=11", 11), ("die=25", 25),
    ],
)  # fmt: skip
def test_from_where_on_decoding_differs(
    run: list[Sending], text: str, differs_from: int | None
) -> None:
    assert effect(run, text).differs_from == differs_from


def test_random_plans_fit_and_can_be_repeated_by_hand() -> None:
    slow = replace(SCAN, speed=1.0)
    seen: set[str] = set()
    for seed in range(60):
        plan = drawn(Faults(random=Random(seed, 10)), slow)
        assert 1 <= len(plan.these) <= 10
        assert plan == drawn(Faults(random=Random(seed, 10)), slow)
        assert parse_faults(str(plan)) == plan
        plan.check(slow)
        seen |= {fault.kind for fault in plan.these}
    assert seen == KINDS.keys() - {"die"}


def test_spiked_and_shifted_volumes_count_less(run: list[Sending], toy_geometry: Geometry) -> None:
    voxels, sd = np.arange(toy_geometry.n_voxels), np.full(toy_geometry.n_voxels, 8, np.float32)
    preprocess = Preprocess(voxels, sd, Evidence(sd, Response(6.0)), 2.0)
    weights, spiked = {}, {}
    for sending in sent(run, "spike=12:0.05,spike=17:0.5,shift=22:2"):
        if isinstance(sending.what, Volume):
            preprocess.add(sending.what)
            assert preprocess.arrival is not None
            weights[sending.of] = preprocess.arrival.weight
            spiked[sending.of] = preprocess.arrival.reason
    assert weights[17] == weights[22] == 0
    assert "voxels spike" in spiked[12]  # a few: these alone are left out
    for number in (*range(4, 12), 13, 14, 15, 16, 19, 20, 21, 24, 25):
        assert weights[number] > 0.5


# --- over real streams ---------------------------------------------------------------------------


@dataclass
class Heard:
    """What a receiver made of a disturbed run, and what should have become of it."""

    effect: Effect
    rows: list[list[tuple[int, str]]] = field(default_factory=lambda: [[]])  # of each run
    trials: list[float] = field(default_factory=list)

    def take(self, item: Volume | Marker) -> None:
        if isinstance(item, Volume):
            self.rows[-1].append((item.number, item.fault.partition(" (")[0]))
        elif item.event is Event.TRIAL:
            self.trials.append(item.onset_s)
        elif item.event is Event.RUN_START and self.rows[-1]:
            self.rows.append([])

    def promised(self) -> list[list[tuple[int, str]]]:
        """The rows of each run, sorted."""
        runs: list[list[tuple[int, str]]] = [[] for _ in self.rows]
        for fate in self.effect.fates:
            if fate.times:
                runs[fate.run].append((fate.sent_as, fate.fault))
            runs[fate.run] += [(fate.sent_as, "came again")] * (fate.times - 1)
        return [sorted(run) for run in runs]


def heard(
    stream: str, geometry: Geometry, text: str, count: int, speed: float
) -> tuple[Heard, Receiver]:
    """Play a toy run with these faults into a receiver; all is as it was promised."""
    recording = Items("toy", geometry, tuple(toy_run(geometry, count)))
    scan = scan_of(recording, speed)
    faults = drawn(parse_faults(text), scan)
    got = Heard(effect_of(list(schedule(recording)), faults, scan))
    with ThreadPoolExecutor(1) as lab:
        playing = lab.submit(play, recording, stream, speed, 20, faults)
        receiver = Receiver(stream, 20.0, 20.0, threading.Event())
        for item in receiver:
            got.take(item)
        receiver.close()
        playing.result(30)
    assert [sorted(run) for run in got.rows] == got.promised()
    counts = receiver.counts
    assert counts.received == sum(not fault for run in got.rows for _, fault in run)
    return got, receiver


def test_what_is_wrong_with_volumes_and_markers_is_told_counted_and_recorded(
    stream_name: str, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    text = (
        "double=0,late=1,truncate=5:0.3,truncate=6:0.2,nan=8,constant=9,double=12,late=14:4,swap=22,"
        "spike=26,shift=28,clock=30:3600,jitter=31:0.5,lose=33,mark-lose=11,mark-double=16,"
        "mark-early=20:100,mark-bad=10:json,mark-bad=10:huge,mark-bad=11:control,mark-bad=12:utf8,"
        "mark-bad=13:types,mark-bad=14:event,second=3:3.4"
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        got, receiver = heard(stream_name, toy_geometry, text, 40, 20.0)
    counts = receiver.counts
    assert counts.received + counts.lost + counts.rejected == 40
    assert (counts.lost, counts.duplicate, counts.rejected) == (1, 2, 7)
    assert caplog.text.count("a marker was skipped") == 6
    assert caplog.text.count("sends what cannot be read as a marker") == 1
    for told in (
        "volume 1 came late", "volume 14 came late", "volume 22 came late", "volume 0 came again",
        "volume 5 is truncated", "volume 8 is not finite", "volume 9 is constant",
        "1 volume(s) lost before volume 34", "step by +3600.0 s",
        f"source id 'rtrecon-{stream_name}-second'", "only the first is heard",
    ):  # fmt: skip
        assert told in caplog.text
    onsets = [n * 2.0 + 0.3 for n in range(2, 40, 5)]
    lost, doubled = onsets[2], onsets[3]
    assert sorted(got.trials) == sorted([*(t for t in onsets if t != lost), doubled])


def test_another_source_that_counts_from_0_takes_the_place_of_the_one_that_was_killed(
    stream_name: str, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        got, receiver = heard(stream_name, toy_geometry, "replace-zero=15:0.5", 40, 20.0)
    assert [number for number, _ in got.rows[1]] == list(range(20))
    assert f"'rtrecon-{stream_name}-1'" in caplog.text
    assert "has taken the place" in caplog.text
    assert receiver.counts.duplicate == 0


def test_the_right_matrix_is_waited_for(
    stream_name: str, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _, receiver = heard(stream_name, toy_geometry, "shape=10:2.5", 60, 20.0)
    assert receiver.counts.lost == 25
    assert "sends 90 voxels a volume and not 120" in caplog.text
    assert "was started anew and is heard again" in caplog.text
