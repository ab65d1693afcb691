"""docs/psychopy.md's programs over real streams. PsychoPy itself is stood in for: see that page."""

import importlib.util
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pylsl
import pytest

from rtrecon.marker_inlets import MarkerInlets
from rtrecon.types import Event
from tests.toy import markers_of

DOCS = Path(__file__).parents[2] / "docs"


class Window:
    """Waits for its 50 Hz screen, then calls back, as PsychoPy's does; writes down its flips."""

    flips: ClassVar[list[float]]

    def __init__(self, **_: object) -> None:
        type(self).flips = []
        self._calls: list[Callable[[], object]] = []

    def callOnFlip(self, function: Callable, *args: object, **named: object) -> None:
        self._calls.append(lambda: function(*args, **named))

    def flip(self) -> None:
        frame = pylsl.local_clock() + 0.02
        while pylsl.local_clock() < frame:
            pass
        self.flips.append(pylsl.local_clock())
        for call in self._calls:
            call()
        self._calls.clear()

    def close(self) -> None:
        pass


class Shape(SimpleNamespace):
    """Keeps what it looked like each time it was drawn."""

    drawn: ClassVar[list[dict[str, Any]]]

    def __init__(self, window: Window, **looks: object) -> None:
        super().__init__(**looks)
        type(self).drawn = []

    def draw(self) -> None:
        self.drawn.append(vars(self).copy())


class Rect(Shape):
    pass


class Line(Shape):
    pass


@pytest.fixture
def psychopy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("psychopy")
    module.visual = SimpleNamespace(Window=Window, ImageStim=Shape, Rect=Rect, Line=Line)
    module.core = SimpleNamespace(wait=lambda seconds: None)
    module.event = SimpleNamespace(waitKeys=lambda keyList: keyList[:1])
    monkeypatch.setitem(sys.modules, "psychopy", module)
    return module


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def inlets(stream_name: str) -> Iterator[MarkerInlets]:
    opened = MarkerInlets(stream_name)
    yield opened
    opened.close()


def test_the_pages_ten_lines_send_a_trial(
    stream_name: str, psychopy: ModuleType, inlets: MarkerInlets
) -> None:
    page = (DOCS / "psychopy.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    program = program.replace('"rtrecon-markers"', f'"{stream_name}-markers"')
    names: dict[str, object] = {}
    experiment = threading.Thread(target=exec, args=(program, names))
    experiment.start()
    (marker,) = markers_of(inlets, 1)
    experiment.join(timeout=20)
    assert (marker.event, marker.trial_type, marker.stim_file, marker.duration_s) == (
        Event.TRIAL, "dog", "dog_01.png", 6,
    )  # fmt: skip
    assert -0.002 < marker.stamp - Window.flips[0] < 0.05


def test_the_experiments_markers_have_the_times_of_its_flips(
    stream_name: str, psychopy: ModuleType, inlets: MarkerInlets
) -> None:
    program = example("psychopy_markers")
    outlet = program.marker_outlet(stream_name)
    markers_of(inlets, 0)
    program.experiment(outlet, ["pictures/dog_01.png", "pictures/cat.png"])
    first, *trials = markers_of(inlets, 3)
    assert first.event is Event.TRIGGER
    assert [trial.trial_type for trial in trials] == ["dog_01", "cat"]
    assert [trial.stim_file for trial in trials] == ["dog_01.png", "cat.png"]
    assert [trial.duration_s for trial in trials] == [program.SHOWN_S] * 2
    # Of four flips the first and the third bring a picture.
    for trial, flip, after in zip(trials, Window.flips[::2], Window.flips[1::2], strict=True):
        assert flip - 0.002 < trial.stamp < after - 0.01


def test_feedback_is_drawn_of_the_newest_volume(stream_name: str, psychopy: ModuleType) -> None:
    info = pylsl.StreamInfo(f"{stream_name}-feedback", "Feedback", 1, 0, "string", "rtrecon-test")
    outlet = pylsl.StreamOutlet(info)
    program = example("psychopy_feedback")
    inlet = program.feedback_inlet(stream_name, 20.0)
    inlet.open_stream(timeout=10.0)
    assert program.newest(inlet) is None
    for dog in (0.1, 0.3, 0.75):
        told = {"trial": 1, "volume": 4, "age_s": 6.0, "predicted": "dog", "confidence": dog,
                "chance": 0.25, "probabilities": {"dog": dog, "cat": 1 - dog}}  # fmt: skip
        outlet.push_sample([json.dumps(told)])
    deadline = pylsl.local_clock() + 20

    def escape(keyList: list[str]) -> bool:
        assert pylsl.local_clock() < deadline
        return bool(Rect.drawn) and Rect.drawn[-1]["height"] == pytest.approx(1.6 * 0.75)

    psychopy.event.getKeys = escape
    program.feedback(inlet, "dog")
    assert Rect.drawn[-1]["pos"] == pytest.approx((0, 0.6 - 0.8))
    assert Line.drawn[-1]["pos"] == pytest.approx((0, 0.4 - 0.8))
    assert program.newest(inlet) is None
    inlet.close_stream()


def test_no_feedback_is_none(stream_name: str, psychopy: ModuleType) -> None:
    assert example("psychopy_feedback").feedback_inlet(stream_name, 0.1) is None
