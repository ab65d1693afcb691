"""Where windows are put before the camera: a simulated person, a scanner that plays, a session."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.artifact import load_artifact
from rtrecon.config import Session
from rtrecon.pipeline import Pipeline
from rtrecon.session import open_session
from rtrecon.types import Frame

ROOT = Path(__file__).parents[2]
SPEED = 2.0  # of the scanner: on a busy machine there is still time for all that is drawn
TIMEOUT_S = 180.0
FADE_S = 7.0  # after a resize: black to pure red takes 3.7 s, and more on a busy machine
SETTLE_S = 0.4  # after a new size, until all has been laid out and painted


class Studio:
    """What the pictures are taken of, and the camera.

    Parameters
    ----------
    person : Path
        What `python -m simulator.demo` leaves beside its session: `data` and `decoder`.
    album : Album
        Where the pictures go.
    """

    def __init__(self, person: Path, album: "Album") -> None:
        self.app = QApplication.instance() or QApplication(["rtrecon"])
        self.album = album
        person = person.resolve()
        self.decoder = person / "decoder"
        self.stimuli = person / "data" / "stimuli"
        self.run = sorted((person / "data").rglob("*_bold.nii.gz"))[-1]  # never fitted on

    def scanner(self, stream: str) -> AbstractContextManager[None]:
        """A run played as a scanner would."""
        return self.simulated("play", self.run, "--stream", stream, "--speed", SPEED)

    @contextmanager
    def simulated(self, *what: object) -> Iterator[None]:
        """The simulator at work, in another process."""
        command = [sys.executable, "-m", "simulator", *map(str, what)]
        working = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT)
        try:
            yield
        finally:
            working.terminate()
            working.wait()

    @contextmanager
    def session(self, stream: str = "scanner", **more: object) -> Iterator[Pipeline]:
        """A session in front of that scanner, ready to start; its folder does not stay."""
        with TemporaryDirectory() as folder, self.scanner(stream):
            session = Session(
                self.decoder, stream, output=Path(folder) / "session", stimuli=self.stimuli, **more
            )
            with open_session(session, load_artifact(self.decoder), threading.Event()) as pipeline:
                yield pipeline

    @contextmanager
    def shown(self, window: QWidget) -> Iterator[QWidget]:
        """The window on screen; afterwards nothing of it is left."""
        window.resize(self.album.sizes[0])
        window.show()
        try:
            yield window
        finally:
            window.close()
            window.deleteLater()
            self.app.sendPostedEvents(window, QEvent.Type.DeferredDelete)

    @contextmanager
    def within(self) -> Iterator[Path]:
        """A folder to be in, with `decoder` and `stimuli`: names on screen are short, and no one's
        own. It does not stay.
        """
        before = Path.cwd()
        with TemporaryDirectory() as folder:
            os.chdir(folder)
            for name, there in (("decoder", self.decoder), ("stimuli", self.stimuli)):
                Path(name).symlink_to(there)
            try:
                yield Path(folder)
            finally:
                os.chdir(before)

    def until(self, holds: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
        """Let everything run until `holds()`."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not seen within {timeout_s:g} s")
            self.app.processEvents()
            time.sleep(0.005)

    def run_for(self, seconds: float) -> None:
        """Let everything run for a while."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)

    def take(self, name: str, window: QWidget, before: Callable[[], None] | None = None) -> None:
        """A picture of the window at each of the album's sizes; `before` waits for its moment."""
        for size in self.album.sizes:
            window.resize(size)
            self.run_for(SETTLE_S)
            if before is not None:
                before()
            self.album.keep(name, size, window)

    def stillness(self, run: Pipeline) -> None:
        """Wait for the end of a trial, when screens that fade have come to rest."""
        newest = run.frames.newest
        trial = 3 if newest is None else newest.decoded.trial.number
        self.until(lambda: drawn_of(trial + 1, 10.0)(run.frames.newest))
        self.run_for(FADE_S)


def drawn_of(trial: int, age_s: float) -> Callable[[Frame | None], bool]:
    """Whether a frame is the finished picture of that trial, with evidence of that age."""

    def holds(frame: Frame | None) -> bool:
        if frame is None:
            return False
        decoded = frame.decoded
        late = (decoded.trial.number, decoded.age_s) >= (trial, age_s)
        return late and frame.final

    return holds


class Album:
    """Where pictures are kept: all sizes to look at, and the smallest in the documentation.

    Taking one is quick, so that the session in it is not held up; `develop` writes them.

    Parameters
    ----------
    folder, pages : Path
        For all, and for those that the pages show.
    sizes : list of QSize
    scale : int
        Real pixels to one of these, as QT_SCALE_FACTOR has it.
    """

    def __init__(self, folder: Path, pages: Path, sizes: list[QSize], scale: int) -> None:
        self.folder, self.pages, self.sizes, self.scale = folder, pages, sizes, scale
        self.taken: list[str] = []
        self._films: list[tuple[str, QSize, QImage]] = []

    def keep(self, name: str, size: QSize, window: QWidget) -> None:
        """Take one picture."""
        self.taken.append(name)
        self._films.append((name, size, window.grab().toImage()))

    def develop(self) -> None:
        """Write what was taken."""
        for name, size, image in self._films:
            scale = "" if self.scale == 1 else f"@{self.scale}x"
            file = self.folder / f"{name}_{size.width()}x{size.height()}{scale}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            if not image.save(str(file)):
                raise OSError(f"cannot write {file}")
            print(file, flush=True)
            if self.scale == 1 and size == self.sizes[0]:
                self.pages.mkdir(parents=True, exist_ok=True)
                _small(file).save(self.pages / f"{name}.png", optimize=True)
        self._films.clear()


def _small(file: Path) -> Image.Image:
    """In 256 colours, and dithered, so that reconstructions keep their shades."""
    picture = Image.open(file).convert("RGB")
    colours = picture.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=3)
    return picture.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG)
