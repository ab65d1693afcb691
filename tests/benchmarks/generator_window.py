"""Whether the operator's window stays smooth while a model draws without a pause."""

import os
import threading
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from rtrecon.display import OperatorWindow
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from rtrecon.reconstruct import Reconstruct
from rtrecon.worker import Worker
from tests.benchmarks.generator_models import Model
from tests.display.conftest import HandFed, make_trial

HEAD = ["model", "decoder", "steps", "pictures a second", "tick gap ms, median", "99 %", "longest"]
_WARM_UP = 2  # pictures before the window is watched


class Counted(HandFed):
    """A session that counts its finished pictures."""

    finished = 0


def row(model: Model, compute: Compute, steps: int, seconds: float) -> list[str]:
    """The window's ticks, 16 ms apart if nothing holds them up, and how much was drawn meanwhile."""
    gaps_ms, finished = _watched(model, compute, steps, seconds)
    gaps = [f"{np.percentile(gaps_ms, q):.1f}" for q in (50, 99, 100)]
    return [model.name, model.decoder, str(steps), f"{finished / seconds:.1f}", *gaps]


def _watched(
    model: Model, compute: Compute, steps: int, seconds: float
) -> tuple[NDArray[np.float64], int]:
    app = QApplication.instance() or QApplication([])
    session, warm, done = Counted(), threading.Event(), threading.Event()
    worker = Worker("draw")  # what is compiled belongs to the thread that draws, as in a session
    drawn = worker.submit(lambda: _draw(model, compute, steps, session, warm, done))
    while not (warm.wait(0.1) or drawn.done()):
        app.processEvents()
    window, loop = OperatorWindow(session), QEventLoop()
    window.show()
    app.processEvents()
    before = session.finished
    window.tick_gaps_ms.clear()
    QTimer.singleShot(round(1e3 * seconds), loop.quit)
    loop.exec()
    gaps_ms, finished = np.array(window.tick_gaps_ms), session.finished - before
    done.set()
    drawn.result()
    worker.close(timeout_s=10)
    session.ended = True
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)
    return gaps_ms, finished


def _draw(
    model: Model, compute: Compute, steps: int, session: Counted, warm: threading.Event,
    done: threading.Event,
) -> None:  # fmt: skip
    generator = Diffusion(model.preset, model.name, compute)
    settings = replace(generator.defaults, steps=steps, guidance=1.0, fast_decoder=model.fast)
    reconstruct, rng, trial = Reconstruct(generator), np.random.default_rng(0), make_trial()
    while not done.is_set():
        z, c = (
            rng.normal(size=shape).astype(np.float32)
            for shape in (generator.latent, generator.conditioning)
        )
        decoded = replace(session.decode(trial, session.finished), z=z, c=c)
        for frame in reconstruct(decoded, settings):
            session.frames.put(frame)
        session.finished += 1
        if session.finished == _WARM_UP:
            warm.set()
