"""Another LSL client, mne-lsl, in a process of its own, hears the streams with their stamps."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pylsl
import pytest

from rtrecon.outputs import open_outputs
from rtrecon.types import Person
from tests.told import SentLog, a_firing, a_score

PEOPLE = (Person("anna", "#e69f00"), Person("ben"))

_CLIENT = """
import json, sys
from mne_lsl.lsl import StreamInlet, resolve_streams
inlets = []
for name in sys.argv[1:]:
    (found,) = resolve_streams(timeout=20, name=name, minimum=1)
    inlet = StreamInlet(found)
    inlet.open_stream(timeout=20)
    about = inlet.get_sinfo(timeout=10)
    inlets.append(inlet)
    print(json.dumps({"xml": about.as_xml, "type": about.stype, "rate": about.sfreq,
                      "channels": about.get_channel_names(), "dtype": str(about.dtype)}), flush=True)
for line in sys.stdin:
    which = int(line)
    samples, stamps = inlets[which].pull_chunk(timeout=10, max_samples=1)
    values = [s if isinstance(s, str) else float(s) for s in samples[0]]
    print(json.dumps({"sample": values, "stamp": float(stamps[0])}), flush=True)
for inlet in inlets:
    inlet.close_stream()
"""


class Client:
    """What the other process heard."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _CLIENT, *names],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.about = [self._line() for _ in names]

    def next(self, which: int) -> tuple[list[Any], float]:
        """The next sample of one of the streams, and its stamp."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{which}\n")
        self._process.stdin.flush()
        line = self._line()
        return line["sample"], line["stamp"]

    def close(self) -> None:
        self._process.communicate(timeout=20)
        assert self._process.returncode == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def client(*names: str) -> Iterator[Client]:
    it = Client(names)
    try:
        yield it
        it.close()
    finally:
        it.kill()


def test_scores_and_firings_are_heard_by_another_client(stream_name: str) -> None:
    tables = {"output": [{"kind": "lsl"}], "trigger": [{"kind": "lsl"}]}
    log = SentLog()
    outputs = open_outputs(tables, stream_name, PEOPLE, log)
    names = [f"{stream_name}-score-anna", f"{stream_name}-score-ben", f"{stream_name}-triggers"]
    with client(*names) as heard:
        for about in heard.about[:2]:
            assert (about["type"], about["rate"], about["dtype"]) == (
                "Feedback", 0.0, "<class 'numpy.float32'>",
            )  # fmt: skip
            assert about["channels"] == ["raw", "value", "told"]
        assert "<colour>#e69f00</colour>" in heard.about[0]["xml"]
        assert heard.about[2]["type"] == "Markers"
        began = (
            pylsl.local_clock() - 100
        )  # stamps are the scores' own times, whenever they are sent
        scores = [a_score(n / 64, n, PEOPLE[n % 2].name, began + n / 10) for n in range(60)]
        for score in scores:  # in one go: none is superseded here
            outputs.score(score)
        for n, score in enumerate(scores):
            sample, stamp = heard.next(n % 2)
            np.testing.assert_array_equal(sample, [10 * n / 64, n / 64, n / 64])
            assert stamp == pytest.approx(score.time, abs=1e-3)  # by its clock correction
        firing = a_firing(7, "ben", 0.25, began)
        outputs.fire(firing)
        (text,), stamp = heard.next(2)
        assert json.loads(text) == {
            "person": "ben", "number": 7, "value": 0.25, "time": round(firing.time, 6),
        }  # fmt: skip
        assert stamp == pytest.approx(firing.time, abs=1e-3)
        before = pylsl.local_clock()
        outputs.close()
        for which in range(2):
            sample, stamp = heard.next(which)
            assert np.isnan(sample).all()
            assert before <= stamp + 1e-3 < pylsl.local_clock()
    assert [sent.number for sent in log.all if sent.what == "score"] == [*range(60), 0, 0]
    assert all(sent.error == "" for sent in log.all)


def test_one_person_without_a_name_has_one_stream(stream_name: str) -> None:
    outputs = open_outputs({"output": [{"kind": "lsl"}]}, stream_name, (Person(),))
    (found,) = pylsl.resolve_byprop("name", f"{stream_name}-score", timeout=10)
    assert (found.type(), found.channel_count()) == ("Feedback", 3)
    outputs.close()
    assert not pylsl.resolve_byprop("name", f"{stream_name}-score", timeout=0.5)
