"""A session fed by hand: real types, no threads, no LSL."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pylsl import local_clock

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtrecon.config import Settings
from rtrecon.display import OperatorWindow
from rtrecon.mailbox import Mailbox
from rtrecon.types import (
    Arrival,
    Brain,
    Comparison,
    Decoded,
    Frame,
    Phase,
    Presentation,
    Status,
    Times,
    Trial,
)

NAMES = (
    "dog", "house", "boat", "cat", "car", "tree",
    "fish", "chair", "cup", "plane", "lamp", "bird",
)  # fmt: skip
OFFSCREEN_ONLY = "This plugin does not support propagateSizeHints()"


class HandFed:
    """A session whose every value a test sets itself; it keeps what the window did to it."""

    def __init__(self) -> None:
        self.frames: Mailbox[Frame] = Mailbox()
        self.status = Status(stream="rtrecon")
        self.decoded: Decoded | None = None
        self.comparison: Comparison | None = None
        self.uncompared = ""
        self.brain: Brain | None = None
        self.presentation = Presentation()
        self.candidates = NAMES
        self.swapped: list[Settings] = []
        self._settings = Settings()
        self.stream_text = "64 x 64 x 34 voxels, TR 2.00 s"
        self.decoder_text = "decoder sub-01, 1 204 + 2 310 voxels"
        self.generator_text = "generator miniature, 128 x 128"
        self.takes = frozenset({"steps", "strength", "preview"})
        self.tr_s, self.speed = 2.0, 1.0
        self.pausable = True
        self.ended = False
        self.started = self.stopped = 0
        self.reported: list[Frame] = []
        self.pictures: dict[int, NDArray[np.uint8]] = {}
        self.serial = 0

    @property
    def settings(self) -> Settings:
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.swapped.append(settings)
        self._settings = settings

    def start(self) -> None:
        self.started += 1
        self.become(phase=Phase.WAITING)

    def stop(self) -> None:
        self.stopped += 1

    def pause(self, on: bool) -> None:
        self.become(paused=on)

    def withdraw(self) -> None:
        self.become(phase=Phase.WITHDRAWN)

    def end(self) -> None:
        self.become(phase=Phase.ENDED)
        self.ended = True

    def shown(self, frame: Frame) -> None:
        self.reported.append(frame)

    def stimulus(self, trial: Trial) -> NDArray[np.uint8] | None:
        return self.pictures.get(trial.number)

    def become(self, **changes: Any) -> None:
        """Swap the status, as the pipeline does."""
        self.status = replace(self.status, **changes)

    def arrive(self, number: int, moved_mm: float = 0.1, decoded_ms: float = 12.0) -> None:
        """One more volume."""
        arrival = Arrival(
            number,
            local_clock(),
            displacement_mm=moved_mm,
            framewise_mm=0.05,
            decoded_ms=decoded_ms,
        )
        volumes = replace(self.status.volumes, received=self.status.volumes.received + 1)
        self.become(phase=Phase.RUNNING, arrival=arrival, volumes=volumes)

    def decode(self, trial: Trial, volume: int, confidence: float = 0.46) -> Decoded:
        """Evidence for the trial's type (or for the first candidate, if it is none of them)."""
        name = trial.trial_type if trial.trial_type in self.candidates else self.candidates[0]
        n = len(self.candidates)
        rest = np.linspace(1.3, 0.7, n - 1) * (1 - confidence) / (n - 1)
        p = np.insert(rest, self.candidates.index(name), confidence).astype(np.float32)
        age_s = (volume + 1) * self.tr_s - trial.onset_s
        c, now = np.zeros((1, 4), np.float32), Times(received=local_clock())
        self.decoded = Decoded(trial, volume, age_s, None, c, p, p, name, confidence, now)
        return self.decoded

    def draw(
        self,
        decoded: Decoded,
        step: int = 4,
        steps: int = 4,
        image: NDArray[np.uint8] | None = None,
    ) -> Frame:
        """One more picture in the mailbox."""
        self.serial += 1
        if image is None:
            image = np.full((32, 32, 3), self.serial % 256, np.uint8)
        times = replace(decoded.times, drawn=local_clock())
        frame = Frame(self.serial, image[None], decoded, step, steps, times)
        self.frames.put(frame)
        return frame


def make_trial(number: int = 1, trial_type: str = "dog") -> Trial:
    """Trials every 16 s, 4 s each."""
    return Trial(number, trial_type, onset_s=16.0 * number, duration_s=4.0)


@pytest.fixture(autouse=True)
def quiet_qt(qtlog: Any) -> Iterator[None]:
    """Whatever Qt has to say fails the test."""
    yield
    assert {record.message for record in qtlog.records} <= {OFFSCREEN_ONLY}


@pytest.fixture
def session() -> HandFed:
    """A session that is ready."""
    return HandFed()


@pytest.fixture
def new_trial() -> Callable[..., Trial]:
    """Makes trials."""
    return make_trial


@pytest.fixture
def window(session: HandFed, qtbot: QtBot) -> Iterator[OperatorWindow]:
    """The window, on screen as far as offscreen goes; nothing of it may survive the test."""
    window = OperatorWindow(session)
    with qtbot.waitExposed(window):
        window.show()
    yield window
    session.ended = True
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)
