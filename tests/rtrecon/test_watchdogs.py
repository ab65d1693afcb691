"""Watchdogs by a clock that a test turns: what is told, when, how often, and when it is over."""

import logging
import threading
from collections.abc import Callable

import pytest

from rtrecon.types import Trouble
from rtrecon.watchdogs import (
    LEAST_S,
    LOOK_S,
    OVER_S,
    STOOD_S,
    Standstill,
    Watchdogs,
    Wrong,
    fault,
    first_of,
    standstill,
)

TR_S = 2.0
START = 1000.0


class Kennel:
    """Watchdogs and all that they say."""

    def __init__(self, tr_s: float = TR_S) -> None:
        self.changes: list[tuple[Trouble, ...]] = []
        self.said: list[str] = []
        self.dogs = Watchdogs(tr_s, self.changes.append, self.said.append)
        self.now = START

    def run(self, seconds: float, each: Callable[[], object] = lambda: None) -> None:
        """Look as often as the thread does."""
        end = self.now + seconds
        while self.now < end:
            each()
            self.now += LOOK_S
            self.dogs.look(self.now)

    @property
    def stages(self) -> list[str]:
        return [trouble.stage for trouble in self.dogs.troubles]


@pytest.fixture
def kennel() -> Kennel:
    return Kennel()


class Drawing:
    """A stage under a test's control."""

    def __init__(self, dogs: Watchdogs, trs: float = 3) -> None:
        self.waits, self.steps = False, 0
        look = standstill(
            lambda: self.waits, lambda: self.steps, dogs.budget_s(trs), lambda: "it hangs: wait"
        )
        dogs.add("draw", look)

    def step(self) -> None:
        self.steps += 1


def test_a_stage_that_moves_or_has_nothing_to_do_is_in_no_trouble(kennel: Kennel) -> None:
    drawing = Drawing(kennel.dogs)
    kennel.run(60)
    drawing.waits = True
    kennel.run(60, drawing.step)
    assert kennel.changes == []
    assert kennel.said == []


def test_a_standstill_is_told_after_its_budget_and_dates_from_its_beginning(
    kennel: Kennel,
) -> None:
    drawing = Drawing(kennel.dogs)
    kennel.run(10)
    began, drawing.waits = kennel.now, True
    kennel.run(3 * TR_S - 2 * LOOK_S)
    assert kennel.dogs.troubles == ()
    kennel.run(5 * LOOK_S)
    (trouble,) = kennel.dogs.troubles
    assert (trouble.stage, trouble.what, trouble.wrong) == ("draw", "it hangs: wait", "it hangs")
    assert trouble.since == pytest.approx(began, abs=2 * LOOK_S)
    kennel.run(60)
    assert kennel.changes == [(trouble,)]


@pytest.mark.parametrize(("tr_s", "budget_s"), [(2.0, 6.0), (0.02, LEAST_S), (0.0, LEAST_S)])
def test_a_fast_replay_gets_no_smaller_budget_than_a_machine_needs(
    tr_s: float, budget_s: float
) -> None:
    assert Kennel(tr_s).dogs.budget_s(3) == budget_s


def test_it_is_over_once_nothing_was_wrong_for_a_tr_and_does_not_flicker(
    kennel: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"what": ""}
    kennel.dogs.add("draw", fault(lambda: told["what"]))
    for _ in range(5):  # well for a moment, then not again
        told["what"] = "it hangs: wait"
        kennel.run(3)
        told["what"] = ""
        kennel.run(TR_S - 2 * LOOK_S)
    (trouble,) = kennel.dogs.troubles
    kennel.run(5 * LOOK_S)
    assert kennel.changes == [(trouble,), ()]
    assert caplog.messages == ["it hangs: wait", "over after 24 s: it hangs"]


def test_each_change_is_logged_once_and_numbers_are_none(
    kennel: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"what": ""}
    kennel.dogs.add("record", fault(lambda: told["what"]))
    for count in range(20):
        told["what"] = f"the disk is full: {count} not recorded"
        kennel.run(1)
    assert caplog.messages == ["the disk is full: 0 not recorded"]
    (trouble,) = kennel.dogs.troubles
    assert (trouble.what, trouble.since) == (
        "the disk is full: 19 not recorded", pytest.approx(START + LOOK_S)
    )  # fmt: skip
    told["what"] = "the disk is slow: 80 MB wait"
    kennel.run(1)
    assert caplog.messages[1:] == ["the disk is slow: 80 MB wait"]


def test_a_stage_that_tells_the_log_itself_is_not_told_twice_and_losses_are_told_at_the_end(
    kennel: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"what": "osc fails: 3 not sent"}
    kennel.dogs.add("outputs", fault(lambda: told["what"]), lambda: "3 not sent", logs=False)
    kennel.run(5)
    assert kennel.said == []
    told["what"] = ""
    kennel.run(5)
    assert kennel.stages == []
    assert kennel.said == ["3 not sent"]
    assert caplog.messages == []


def test_the_fault_of_an_output_is_told_once_for_each_time_that_it_begins(
    kennel: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"what": ""}
    kennel.dogs.add("outputs", fault(lambda: told["what"]))
    for what in ("", "no route", "no route", "", "no route"):
        told["what"] = what
        kennel.run(5)
    assert [message for message in caplog.messages if "over" not in message] == ["no route"] * 2
    assert [len(change) for change in kennel.changes] == [1, 0, 1]


def test_one_line_a_stage_and_the_worst_first(kennel: Kennel) -> None:
    for stage in ("views", "draw", "record", "strange", "receive"):
        kennel.dogs.add(stage, fault(lambda stage=stage: f"{stage} is bad"))
    kennel.dogs.add("decode", first_of(fault(lambda: ""), fault(lambda: "a"), fault(lambda: "b")))
    kennel.run(1)
    assert kennel.stages == ["record", "receive", "decode", "draw", "views", "strange"]
    assert kennel.dogs.troubles[2].what == "a"


def test_a_look_behind_another_goes_on_looking(kennel: Kennel) -> None:
    """What comes second knows its standstill when what comes first is over."""
    told = {"what": "first"}
    behind = standstill(lambda: True, lambda: 0, 5.0, lambda: "second")
    kennel.dogs.add("draw", first_of(fault(lambda: told["what"]), behind))
    kennel.run(10)
    told["what"] = ""
    kennel.run(1)
    assert [trouble.what for trouble in kennel.dogs.troubles] == ["second"]


def test_a_program_that_stood_still_blames_no_stage_and_says_so_once(kennel: Kennel) -> None:
    drawing = Drawing(kennel.dogs)
    drawing.waits = True
    kennel.run(2)
    kennel.now += 30
    kennel.run(3)
    assert kennel.dogs.troubles == ()
    assert len(kennel.said) == 1
    assert kennel.said[0].startswith("the program stood still for 30 s")
    kennel.run(3)  # with what came before the standstill that is its budget
    assert kennel.stages == ["draw"]
    assert len(kennel.said) == 1


def test_late_looks_are_not_waited_time() -> None:
    stood = Standstill()
    assert stood.since(True, 1, 100.0) == 100.0
    assert stood.since(True, 1, 100.0 + STOOD_S) == 100.0
    assert stood.since(True, 1, 130.0) == 130.0 - STOOD_S
    assert stood.since(True, 2, 130.1) == 130.1
    assert stood.since(False, 2, 130.2) == 130.2


def test_a_stage_that_cannot_be_looked_at_does_not_blind_the_others(
    kennel: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(now: float) -> Wrong | None:
        raise OSError("no eyes")

    kennel.dogs.add("views", broken)
    Drawing(kennel.dogs).waits = True
    kennel.run(20)
    assert kennel.stages == ["draw"]
    assert caplog.text.count("OSError: no eyes") == 1


def test_there_is_no_trouble_after_the_end(
    kennel: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kennel.dogs.add("record", fault(lambda: "full"), after=lambda: "lost")
    kennel.run(1)
    kennel.dogs.close()
    assert kennel.dogs.troubles == kennel.changes[-1] == ()
    assert caplog.messages == ["full"]
    assert kennel.said == []


def test_the_thread_looks_until_it_is_closed(kennel: Kennel) -> None:
    looked = threading.Semaphore(0)
    kennel.dogs.add("views", lambda now: looked.release())  # type: ignore[arg-type, func-returns-value]
    kennel.dogs.start()
    assert looked.acquire(timeout=5)
    assert looked.acquire(timeout=5)
    kennel.dogs.close()
    assert not [t for t in threading.enumerate() if t.name == "rtrecon-watch"]


assert OVER_S <= TR_S
