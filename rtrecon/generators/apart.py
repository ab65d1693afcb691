"""A generator in a process of its own: what happens to it there does not happen to the session.

A driver that crashes, a GPU that answers nothing any more and a system that kills whoever takes too
much memory end that process alone; one that is stuck is ended. Then it is begun again.
"""

import atexit
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator, GeneratorLost
from rtrecon.generators import Aim, Newer, Step
from rtrecon.generators.border import Word, error_of, of_aim, send
from rtrecon.generators.child import Child, Over

log = logging.getLogger(__name__)

LOADER = "rtrecon.generators:load_generator"
# Without a sign of life for so long a picture is taken for stuck: several TRs, since pictures are
# made to fit one, and never less than the first picture with other settings, which no longer
# compiles anything, or a machine that swaps may take.
LEAST_S = 5.0
SLOWER = 10.0  # times slower than the last pictures were
LOADING_S = 300.0  # the same while it is loaded and compiled, which takes minutes
MOST_IN_A_ROW = 5  # lost without a picture in between: then it is not begun again


def load_apart(name_or_folder: str, loader: str = LOADER) -> "Apart":
    """Load a generator in a process of its own.

    Parameters
    ----------
    name_or_folder : str
    loader : str
        "module:function" that the process calls with the name and a `Compute` or None, as
        `load_generator`.

    Raises
    ------
    BadGenerator, MemoryError
        As the loader does.
    GeneratorLost
        The process ended.
    """
    return Apart(name_or_folder, loader)


@dataclass(frozen=True)
class Elsewhere:
    """Where, and in which precision, the process draws. `gpu`: its name, if it is one."""

    said: dict[str, Any]
    gpu: str | None

    def told(self) -> dict[str, Any]:
        """As `Compute.told`."""
        return self.said


class Apart:
    """A generator as `Generator` has it, and how it stands. Used by one thread at a time.

    Attributes
    ----------
    trouble : str
        One line for the operator while it is not there; empty while it is. From any thread.
    """

    def __init__(self, name_or_folder: str, loader: str = LOADER) -> None:
        self._asked, self._loader = name_or_folder, loader
        self.trouble = ""
        self._child: Child | None = None
        self._facts: dict[str, Any] = {}
        self._refused: GeneratorLost | None = None  # what the last attempt to begin again met
        self._turn: object | None = None  # the picture that is being drawn
        self._settings = Settings()  # of the last picture
        self._step_s = 0.0  # that a step of one sample took in the last finished picture
        self._decodes = self._settled = self._closed = False
        self._in_a_row = self._restarts = 0
        atexit.register(self.close)  # before Python waits for its processes
        try:
            self.ready()
        except BaseException:
            self.close()
            raise
        facts = self._facts
        self.name, self.identity = facts["name"], facts["identity"]
        self.latent, self.conditioning = tuple(facts["latent"]), tuple(facts["conditioning"])
        self.size_px, self.takes = facts["size_px"], frozenset(facts["takes"])
        self.defaults = Settings(**facts["defaults"])
        self.compute = Elsewhere(facts["compute"], facts["gpu"])

    def ready(self, over: Callable[[], bool] = lambda: False) -> None:
        """See that it is there and loaded; where it is not, begin it anew and wait.

        Raises
        ------
        GeneratorLost
            It ended again.
        """
        if self._refused is not None:
            refused, self._refused = self._refused, None
            raise refused
        if self._child is None:
            self._child = self._begun()
            if self._closed:  # while it was begun, and could not be ended yet
                self._child.kill()
        if self._child.loaded:
            return
        try:
            facts, _ = self._heard(LOADING_S, over)
        except (Over, GeneratorLost):
            raise
        except Exception as error:
            self._missing(error)
        if self._facts and facts != self._facts:
            self._missing(BadGenerator(f"'{self._asked}' is another one now"))
        self._facts, self._child.loaded = facts, True
        self.trouble = ""

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        """As the generator in the process draws them; each step is asked for, none is made before.

        Raises
        ------
        BadInput, MemoryError, RuntimeError
            As the generator does; whatever else it raises is a RuntimeError here.
        GeneratorLost
        """
        self.ready()
        self._abandon()
        turn = self._turn = object()
        self._settings = settings
        within_s, spent_s = self._patience_s(settings), 0.0
        arrays, about = of_aim(aim)
        about |= {"seed": seed, "settings": asdict(settings), "newer": newer is not None}
        what = "images"
        try:
            while True:
                if self._turn is not turn:
                    raise RuntimeError("another picture was begun")
                began = time.perf_counter()
                answer, made = self._said(within_s, what, arrays, **about)
                spent_s += time.perf_counter() - began
                if answer["what"] == "done":
                    break
                what, arrays, about = "next", [], {}
                if answer["what"] == "step":
                    yield Step(made[0], answer["step"], answer["steps"])
                elif newer is not None and (moved := newer()) is not None:
                    arrays, about = of_aim(moved)
            self._turn = None
            self._step_s = spent_s / (settings.steps * settings.samples)
            self._in_a_row = 0
        finally:
            if self._turn is turn:
                self._abandon()

    def decode_latents(self, z: NDArray[np.float32]) -> NDArray[np.uint8] | None:
        """As the generator does."""
        self._decodes = True
        pictures = self._call(self._patience_s(self._settings), "decode", [z])
        return pictures[0] if pictures else None

    def settle(self) -> None:
        """As the generator does; from now on one that is lost is begun again."""
        self._call(LOADING_S, "settle")
        self._settled = True

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """As the generator does."""
        return self._call(LOADING_S, "encode images", images)[0]

    def encode_captions(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """As the generator does."""
        return self._call(LOADING_S, "encode captions", captions=list(captions))[0]

    def close(self) -> None:
        """End the process, whatever it does. From any thread."""
        self._closed = True
        atexit.unregister(self.close)
        if (child := self._child) is not None:
            child.kill()

    def _patience_s(self, settings: Settings) -> float:
        if not self._settled:
            return LOADING_S
        return max(LEAST_S, SLOWER * self._step_s * settings.steps * settings.samples)

    def _call(
        self, within_s: float, what: str, arrays: Sequence[NDArray[Any]] = (), **about: Any
    ) -> list[NDArray[Any]]:
        self.ready()
        self._abandon()
        return self._said(within_s, what, arrays, **about)[1]

    def _abandon(self) -> None:
        """Tell the process that nobody wants the picture on its way."""
        turn, self._turn = self._turn, None
        if turn is not None and self._child is not None:
            with suppress(OSError):
                send(self._child.connection, "close")

    def _said(
        self, within_s: float, what: str, arrays: Sequence[NDArray[Any]], **about: Any
    ) -> Word:
        """Say something and return the answer."""
        assert self._child is not None
        try:
            send(self._child.connection, what, arrays, **about)
        except OSError:
            raise self._lost() from None
        return self._heard(within_s)

    def _heard(self, within_s: float, over: Callable[[], bool] = lambda: False) -> Word:
        assert self._child is not None
        while True:
            try:
                about, arrays = self._child.word(within_s, over)
            except TimeoutError:
                raise self._lost(f"has not answered for {within_s:.2g} s and was ended") from None
            except (EOFError, OSError, ValueError, KeyError):
                raise self._lost() from None
            if about["what"] == "log":
                logging.getLogger(about["name"]).log(about["level"], "%s", about["text"])
            elif about["what"] == "error":
                self._turn = None  # that picture is over
                error = error_of(about)
                if about["broken"]:
                    line = str(error).partition("\n")[0]
                    raise self._lost(
                        f"had to end, its GPU answers nothing more ({line})"
                    ) from error
                raise error
            else:
                return about, arrays

    def _begun(self) -> Child:
        anew = None
        if self._facts:
            log.info("the generator's process is started again")
            self._in_a_row %= MOST_IN_A_ROW  # beyond that, somebody asks for it anew
            anew = {
                "compute": self._facts["compute"], "settings": asdict(self._settings),
                "decodes": self._decodes, "settled": self._settled,
            }  # fmt: skip
        if self._closed:
            raise GeneratorLost("the generator is closed")
        try:
            return Child(self._loader, self._asked, anew)
        except (OSError, EOFError) as error:
            raise self._lost(f"cannot be started ({error})") from None

    def _missing(self, error: Exception) -> NoReturn:
        """It could not be loaded: said as it is the first time, later as a process that was lost."""
        if not self._facts:
            raise error
        line = str(error).partition("\n")[0]
        raise self._lost(f"cannot be started again ({type(error).__name__}: {line})") from error

    def _lost(self, why: str = "") -> GeneratorLost:
        """Say that the process is no more, and see to it."""
        child, self._child, self._turn = self._child, None, None
        if child is not None:
            why = why or child.ended()
            child.close()
        self._in_a_row += 1
        text = f"the generator's process {why}"
        if not self._settled or self._closed:
            return GeneratorLost(f"{text}: try again, or choose another generator")
        if self._in_a_row >= MOST_IN_A_ROW:
            self.trouble = f"{text}, {self._in_a_row} times in a row; it is not started again"
            return GeneratorLost(self.trouble)
        self._restarts += 1
        self.trouble = f"{text}; it is started again (restart {self._restarts})"
        return GeneratorLost(f"{text}; it is started again", self._again)

    def _again(self, over: Callable[[], bool]) -> None:
        try:
            self.ready(over)
        except Over:
            pass
        except GeneratorLost as error:
            self._refused = error  # for whoever asks next
