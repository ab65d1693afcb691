"""What the participant's and the spectators' screens cost Qt's thread at 1920 x 1080, and whether
the operator's window beside them stays smooth.

Processor time of the thread, so that what else runs on the machine counts little; the window's
ticks are wall-clock time and say under what load they were.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from rtrecon.display import OperatorWindow
from rtrecon.display.screens import (
    Canvas,
    Participant,
    Spectators,
    participant_screen,
    spectators_screen,
)
from rtrecon.types import Person
from tests.benchmarks.document import table
from tests.display.conftest import HandFed, make_trial
from tests.display.screens.conftest import ALL, HandPresented

HEAD = ["screen", "pictures", "tick + paint, median ms", "99 % ms", "longest ms"]
TICK_S = 0.016
PEOPLE = (Person("A", "#56b4e9"), Person("B", "#e69f00"), Person("C", "#009e73"), Person("D"))


def noise() -> Iterator[np.ndarray]:
    """The worst a generator can give."""
    rng = np.random.default_rng(0)
    while True:
        yield rng.integers(0, 256, (512, 512, 3), dtype=np.uint8)


def scenes() -> Iterator[np.ndarray]:
    """Soft pictures, each unlike the last."""
    rng = np.random.default_rng(0)
    y, x = np.indices((512, 512)) / 512
    while True:
        waves = [np.sin(2 * np.pi * (rng.normal() * x + rng.normal() * y + rng.random()))
                 for _ in range(3)]  # fmt: skip
        yield (127.5 + 127.5 * np.stack(waves, -1)).astype(np.uint8)


def wild(presented: HandPresented, images: Iterator[np.ndarray], n: int) -> None:
    """A picture every half second, every person's score ten times a second."""
    if n % 30 == 0:
        presented.picture(next(images))
    if n % 6 == 0:
        for k, person in enumerate(presented.presentation.people):
            presented.score(0.5 + 0.5 * np.sin(n / 40 + k), person.name)


def cost_ms(make: Callable[[HandPresented], Canvas], images: Iterator[np.ndarray],
            people: tuple[Person, ...] = (Person(),)) -> np.ndarray:  # fmt: skip
    """Processor time of each tick with its paint."""
    app = QApplication.instance() or QApplication([])
    presented = HandPresented()
    presented.become(people=people, shows=ALL, instruction="attend to the picture")
    canvas = make(presented)
    canvas._timer.stop()
    now, spent = 0.0, []
    canvas._clock = lambda: now
    canvas.resize(1920, 1080)
    canvas.show()
    app.processEvents()
    for n in range(400):
        wild(presented, images, n)
        now += TICK_S
        began = time.thread_time()
        canvas.tick()
        app.processEvents()  # paints what the tick asked for
        spent.append(time.thread_time() - began)
    canvas.close()
    return 1e3 * np.array(spent[20:])


def window_gaps_ms(beside: bool, seconds: float = 8.0) -> np.ndarray:
    """Times between ticks of the operator's window, with the participant's screen or without."""
    QApplication.instance() or QApplication([])
    session, presented, images = HandFed(), HandPresented(), scenes()
    presented.become(shows=ALL, instruction="attend to the picture")
    window, loop, ticks = OperatorWindow(session), QEventLoop(), count()
    window.resize(1920, 1080)
    window.show()
    session.start()
    canvas = participant_screen(presented, Participant())
    if beside:
        canvas.resize(1920, 1080)
        canvas.show()

    def feed() -> None:
        n = next(ticks)
        wild(presented, images, n)
        if n % 30 == 0:
            frame = presented.presentation.frame
            assert frame is not None
            decoded = session.decode(make_trial(), n)
            session.frames.put(replace(frame, decoded=decoded))

    feeder = QTimer()
    feeder.timeout.connect(feed)
    feeder.start(16)
    QTimer.singleShot(1500, window.tick_gaps_ms.clear)
    QTimer.singleShot(round(1e3 * seconds), loop.quit)
    loop.exec()
    feeder.stop()
    session.ended = True
    gaps_ms = np.array(window.tick_gaps_ms)
    canvas.close()
    window.close()
    return gaps_ms


def row(name: str, images: str, spent_ms: np.ndarray) -> list[str]:
    """One line of the table."""
    numbers = (np.median(spent_ms), np.quantile(spent_ms, 0.99), spent_ms.max())
    return [name, images, *(f"{number:.1f}" for number in numbers)]


def main() -> None:
    """Print both tables."""
    participant = lambda p: participant_screen(p, Participant())  # noqa: E731
    full = lambda p: participant_screen(p, Participant(picture=1.0))  # noqa: E731
    wall = lambda p: spectators_screen(p, Spectators())  # noqa: E731
    rows = [
        row("participant's", "soft", cost_ms(participant, scenes())),
        row("participant's", "noise", cost_ms(participant, noise())),
        row("participant's, picture of full height", "noise", cost_ms(full, noise())),
        row("spectators', four people", "soft", cost_ms(wall, scenes(), PEOPLE)),
    ]
    print(table(HEAD, rows))
    load = os.getloadavg()[0]
    gaps = [(which, window_gaps_ms(which)) for which in (False, True)]
    head = ["participant's screen beside", "window's tick gap, median ms", "99 % ms", "longest ms"]
    print(table(head, ([str(w), *row("", "", g)[2:]] for w, g in gaps)))
    print(f"load before: {load:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
