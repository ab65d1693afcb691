"""What is sent never waits for where it goes; firings are not lost; faults are told."""

import threading
from collections.abc import Callable, Iterator
from math import inf, isnan
from time import monotonic

import pytest

import rtrecon.outputs
from rtrecon.errors import BadConfig
from rtrecon.outputs import Outputs, open_outputs
from rtrecon.outputs.device import Addressee, Item, Plain
from rtrecon.types import Firing, Person, Score
from tests.told import SentLog, a_firing, a_score, eventually

PEOPLE = (Person("anna"), Person("ben"))


class Gate(Plain):
    """A device that holds up whoever uses it until `free` is set, and fails while `broken`."""

    name = "gate"

    def __init__(self) -> None:
        self.free, self.arrived = threading.Event(), threading.Event()
        self.broken = ""
        self.opened = 0
        self.got: list[Item] = []

    def open(self) -> None:
        self.opened += 1

    def send(self, item: Item) -> None:
        self.arrived.set()
        self.free.wait(60)
        if self.broken:
            raise OSError(self.broken)
        self.got.append(item)

    def close(self) -> None:
        pass


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.free.set()


@pytest.fixture
def opened(gate: Gate) -> Iterator[Callable[[SentLog], Outputs]]:
    """Outputs with the gate for all scores and all firings."""
    some: list[Outputs] = []

    def make(log: SentLog) -> Outputs:
        to = Addressee("s", PEOPLE)
        some.append(Outputs(PEOPLE, [(to, gate)], [(to, gate)], log))
        some[-1].wait_open()
        return some[-1]

    yield make
    gate.free.set()
    for outputs in some:
        outputs.close()


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("rtrecon-output")]


def test_nothing_is_opened_where_nothing_is_asked_for() -> None:
    log = SentLog()
    outputs = open_outputs({}, "s", PEOPLE, log)
    outputs.score(a_score(0.5, person="anna"))
    outputs.fire(a_firing(person="anna"))
    assert (threads(), outputs.fault) == ([], "")
    outputs.close()
    assert log.all == []


def test_a_device_that_hangs_delays_nobody_and_loses_no_firing(
    gate: Gate, opened: Callable[[SentLog], Outputs]
) -> None:
    outputs, log = opened(SentLog()), SentLog()
    outputs.score(a_score(0.0, 1, "anna"))
    outputs.fire(a_firing(0, "ben"))
    assert gate.arrived.wait(5)
    took = []
    for n in range(1, 1001):
        began = monotonic()
        outputs.score(a_score(n / 1000, n, "anna"))
        outputs.score(a_score(n / 2000, n, "ben"))
        outputs.fire(a_firing(n, "anna"))
        took.append(monotonic() - began)
    assert max(took) < 1  # the device hangs for a minute
    assert sorted(took)[500] < 2e-3
    gate.free.set()
    eventually(lambda: sum(isinstance(item, Firing) for item in gate.got) == 1001)
    firings = [item.number for item in gate.got if isinstance(item, Firing)]
    assert firings == [0, *range(1, 1001)]
    eventually(lambda: sum(isinstance(item, Score) for item in gate.got) >= 3)
    scores = [(s.person, s.number) for s in gate.got if isinstance(s, Score)]
    assert ("anna", 1000) in scores
    assert ("ben", 1000) in scores
    assert len(scores) <= 4  # of 2,001
    assert log.all == []


def test_the_operator_hears_of_a_device_that_hangs(
    gate: Gate, opened: Callable[[SentLog], Outputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtrecon.outputs.sender.HANGS_S", 0.05)
    outputs = opened(SentLog())
    eventually(lambda: outputs.fault == "")
    outputs.fire(a_firing(1, "anna"))
    assert gate.arrived.wait(5)
    outputs.fire(a_firing(2, "anna"))
    eventually(lambda: "gate has not answered for" in outputs.fault)
    assert "1 wait" in outputs.fault
    gate.free.set()
    eventually(lambda: outputs.fault == "")


def test_a_device_that_fails_is_opened_again_and_what_is_lost_is_counted(
    gate: Gate, opened: Callable[[SentLog], Outputs]
) -> None:
    log = SentLog()
    outputs = opened(log)
    gate.free.set()
    gate.broken = "cable is out"
    outputs.fire(a_firing(1, "anna"))
    log.wait(lambda sent: len(sent) == 1)
    assert gate.opened == 3  # by the two that share it, and again before the second try
    outputs.fire(a_firing(2, "anna"))
    (_, second) = log.wait(lambda sent: len(sent) == 2)
    assert (second.what, second.person, second.number) == ("trigger", "anna", 2)
    assert second.error == "cable is out"
    assert outputs.fault == "gate fails (cable is out): 0 score(s) and 2 trigger(s) not sent"
    gate.broken = ""
    outputs.fire(a_firing(3, "anna"))
    assert log.wait(lambda sent: len(sent) == 3)[-1].error == ""
    assert outputs.fault == "gate works again; 2 trigger(s) not sent"
    assert [item.number for item in gate.got] == [3]


def test_one_hiccup_costs_nothing(gate: Gate, opened: Callable[[SentLog], Outputs]) -> None:
    log = SentLog()
    outputs = opened(log)
    once = iter(["hiccup"])

    def stumble(item: Item) -> None:
        if said := next(once, ""):
            raise OSError(said)
        gate.got.append(item)

    gate.send = stumble  # type: ignore[method-assign]
    outputs.fire(a_firing(1, "anna"))
    assert log.wait(lambda sent: len(sent) == 1)[0].error == ""
    assert [item.number for item in gate.got] == [1]
    assert outputs.fault == ""


def test_the_end_sends_what_waits_and_then_that_nothing_is_told(gate: Gate) -> None:
    log = SentLog()
    outputs = Outputs(PEOPLE, [(Addressee("s", PEOPLE), gate)], [], log)
    outputs.wait_open()
    outputs.score(a_score(0.25, 1, "anna"))
    assert gate.arrived.wait(5)
    outputs.score(a_score(0.5, 2, "anna"))
    outputs.score(a_score(0.75, 3, "ben"))
    gate.free.set()
    outputs.close()
    scores = [item for item in gate.got if isinstance(item, Score)]
    assert [(s.person, s.number) for s in scores] == [
        ("anna", 1), ("anna", 2), ("ben", 3), ("anna", 0), ("ben", 0),
    ]  # fmt: skip
    assert all(isnan(s.told) and isnan(s.value) for s in scores[3:])
    assert [(s.number, s.error) for s in log.all] == [(s.number, "") for s in scores]
    assert threads() == []


def test_the_end_does_not_wait_for_a_device_that_hangs(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rtrecon.outputs, "CLOSE_S", 0.3)
    to = Addressee("s", PEOPLE)
    outputs = Outputs(PEOPLE, [(to, gate)], [(to, gate)], SentLog())
    outputs.wait_open()
    outputs.score(a_score(0.0, 1, "anna"))
    outputs.fire(a_firing(1, "anna"))
    assert gate.arrived.wait(5)
    began = monotonic()
    outputs.close()
    assert 0.2 < monotonic() - began < 5
    assert "output gate does not answer: left behind" in caplog.text
    gate.free.set()


def test_a_device_that_does_not_open_is_refused(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtrecon.outputs, "OPEN_S", 0.2)
    monkeypatch.setattr(rtrecon.outputs, "CLOSE_S", 0.2)
    monkeypatch.setattr(gate, "open", lambda: gate.free.wait(60))
    outputs = Outputs(PEOPLE, [(Addressee("s", PEOPLE), gate)], [], SentLog())
    with pytest.raises(BadConfig, match="output gate does not open within 0.2 s"):
        outputs.wait_open()


def test_a_device_may_do_things_by_itself_and_fail_at_them(gate: Gate) -> None:
    ticks = threading.Semaphore(0)
    log = SentLog()

    def tick() -> float:
        if gate.broken:
            raise OSError(gate.broken)
        ticks.release()
        return 0.001

    gate.free.set()
    gate.tick = tick  # type: ignore[method-assign]
    outputs = Outputs(PEOPLE, [(Addressee("s", PEOPLE), gate)], [], log)
    outputs.wait_open()
    for _ in range(5):
        assert ticks.acquire(timeout=5)
    gate.broken = "gone"
    eventually(lambda: outputs.fault.startswith("gate fails (gone)"))
    gate.broken = ""
    outputs.score(a_score(0.5, 1, "anna"))
    log.wait(lambda sent: len(sent) == 1)
    assert outputs.fault == ""
    while ticks.acquire(blocking=False):
        pass
    assert ticks.acquire(timeout=5)
    outputs.close()


def test_where_there_is_one_person_what_names_nobody_is_theirs(gate: Gate) -> None:
    gate.free.set()
    to = Addressee("s", PEOPLE[:1])
    outputs = Outputs(PEOPLE[:1], [(to, gate)], [], SentLog())
    outputs.wait_open()
    outputs.score(a_score(0.5, 1))
    outputs.close()
    assert [item.person for item in gate.got] == ["anna", "anna"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "ocs"}, "number 1: kind = 'ocs': must be one of lsl, osc"),
        ({}, "kind = None: must be one of"),
        ("osc", "kind = None: must be one of"),
        ({"kind": "osc", "prot": 1}, "number 1: unknown key 'prot'"),
        ({"kind": "osc", "port": "9000"}, "number 1: port = '9000': must be of type int"),
        ({"kind": "osc", "port": 0}, "number 1: port = 0: must be 1 to 65535"),
        ({"kind": "osc", "host": ""}, "host = '': must be a name or an address"),
        ({"kind": "osc", "address": ""}, "must be an OSC address"),
        ({"kind": "osc", "address": "score"}, "must be an OSC address"),
        ({"kind": "osc", "address": "/a b"}, "must be an OSC address"),
        ({"kind": "osc", "address": "/{people}"}, "must be an OSC address"),
        ({"kind": "osc", "arguments": ["tolt"]}, "must be of told, value, raw, number"),
        ({"kind": "osc", "scale": [1]}, "must be two numbers"),
        ({"kind": "lsl", "person": "carl"}, "'carl': is none of this session's people: anna, ben"),
        ({"kind": "osc", "host": "no.such.host.invalid"}, "host 'no.such.host.invalid' is not known"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_is_open(table: object, said: str) -> None:
    right = {"kind": "osc"}
    with pytest.raises(BadConfig) as caught:
        open_outputs({"output": [table], "trigger": [right]}, "s", PEOPLE)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    eventually(lambda: threads() == [])


def test_tables_that_are_no_lists_and_streams_asked_for_twice() -> None:
    with pytest.raises(BadConfig, match=r"write \[\[trigger\]\]"):
        open_outputs({"trigger": {"kind": "osc"}}, "s", PEOPLE)
    with pytest.raises(BadConfig, match=r"\[\[trigger\]\] asks for 's-triggers' twice"):
        open_outputs({"trigger": [{"kind": "lsl"}, {"kind": "lsl"}]}, "s", PEOPLE)


def test_a_gate_is_never_due() -> None:
    assert Gate().tick() == inf
