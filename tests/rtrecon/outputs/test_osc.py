"""python-osc's own server hears scores and firings."""

import queue
import threading
from collections.abc import Iterator
from math import nan
from typing import Any

import pylsl
import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer

from rtrecon.outputs import open_outputs
from rtrecon.outputs.osc import address_of
from rtrecon.types import Person
from tests.told import SentLog, a_firing, a_score

PEOPLE = (Person("anna"), Person("ben #2"))
Heard = "queue.Queue[tuple[float, str, tuple[Any, ...]]]"


@pytest.fixture
def server() -> Iterator[tuple[int, Heard]]:
    """Its port, and what it heard: when (LSL clock), the address and the arguments."""
    heard: queue.Queue[tuple[float, str, tuple[Any, ...]]] = queue.Queue()
    dispatcher = Dispatcher()
    dispatcher.set_default_handler(
        lambda address, *arguments: heard.put((pylsl.local_clock(), address, arguments))
    )
    with BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1], heard
        server.shutdown()
        thread.join(timeout=5)


def test_scores_and_firings_are_heard_with_their_times(server: tuple[int, Heard]) -> None:
    port, heard = server
    tables = {
        "output": [{"kind": "osc", "port": port, "arguments": ["told", "value", "raw", "number", "person", "time"]}],
        "trigger": [{"kind": "osc", "port": port, "person": "ben #2", "arguments": ["number", "value", "time"]}],
    }  # fmt: skip
    log = SentLog()
    outputs = open_outputs(tables, "s", PEOPLE, log)
    for n in range(1, 11):
        score = a_score(n / 16, n, PEOPLE[n % 2].name)
        outputs.score(score)
        came, address, arguments = heard.get(timeout=5)
        assert address == "/rtrecon/score/" + ("ben__2" if n % 2 else "anna")
        assert arguments == (n / 16, n / 16, 10 * n / 16, n, score.person, score.time)
        assert 0 <= came - score.time < 10
        (sent,) = log.wait(lambda sent, n=n: len(sent) == n)[-1:]
        assert score.time <= sent.time
        assert (sent.output, sent.what, sent.number, sent.error) == (
            f"osc 127.0.0.1:{port}", "score", n, "",
        )  # fmt: skip
    outputs.fire(a_firing(1, "anna"))  # whom no trigger is for
    firing = a_firing(3, "ben #2", 0.75)
    outputs.fire(firing)
    _, address, arguments = heard.get(timeout=5)
    assert (address, arguments) == ("/rtrecon/trigger/ben__2", (3, 0.75, firing.time))
    outputs.close()
    last = {heard.get(timeout=5)[1:] for _ in PEOPLE}
    assert {address for address, _ in last} == {"/rtrecon/score/anna", "/rtrecon/score/ben__2"}
    assert all(arguments[:4] == (-1.0, -1.0, -1.0, 0) for _, arguments in last)
    assert heard.empty()


def test_a_light_level_by_osc(server: tuple[int, Heard]) -> None:
    port, heard = server
    light = {
        "kind": "osc", "port": port, "address": "/dmx/1/7", "arguments": ["told"],
        "scale": [20, 220], "nothing": 0,
    }  # fmt: skip
    outputs = open_outputs({"output": [light]}, "s", (Person(),))
    for told, level in ((0.0, 20.0), (0.5, 120.0), (1.0, 220.0), (nan, 0.0)):
        outputs.score(a_score(told))
        assert heard.get(timeout=5)[1:] == ("/dmx/1/7", (level,))
    outputs.close()


def test_an_unreachable_host_delays_nobody() -> None:
    """192.0.2.0/24 is kept for documentation: nobody answers there."""
    outputs = open_outputs({"output": [{"kind": "osc", "host": "192.0.2.1"}]}, "s", PEOPLE)
    began = pylsl.local_clock()
    for n in range(1000):
        outputs.score(a_score(0.5, n, "anna"))
    assert pylsl.local_clock() - began < 5
    outputs.close()
    assert pylsl.local_clock() - began < 11


@pytest.mark.parametrize(
    ("pattern", "person", "address"),
    [
        ("/rtrecon/score/{person}", "anna", "/rtrecon/score/anna"),
        ("/rtrecon/score/{person}", "", "/rtrecon/score"),
        ("/{person}/told", "", "/told"),
        ("/a{person}b", "x/y", "/ax_yb"),
        ("/{person}", "Zoë *?", "/Zo____"),
        ("/{person}", "{person}", "/_person_"),
    ],
)
def test_a_person_in_an_address(pattern: str, person: str, address: str) -> None:
    assert address_of(pattern, person) == address
