"""Beside each session a small process that goes on recording should the session's own be killed.

This is the session's side; what the process does is in `rtrecon.keeping`. Between the two goes a pipe
with bytes and no objects: when it breaks without a goodbye, the process takes over.
"""

import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

import pylsl

from rtrecon import keeping
from rtrecon.children import children

log = logging.getLogger(__name__)

LISTENS_S = 20.0  # so long it may take until it listens
ANSWERS_S = 10.0  # and until it answers
AGAIN_S = 2.0  # after its end, a new one is begun
_TURN_S = 0.05
_LEAVES_S = 5.0  # to leave once it was said goodbye to; then it is ended


class Hears(Protocol):
    """What a session listens to: `Receiver`, `EegSession`. May be read from any thread."""

    @property
    def streams(self) -> Sequence[str]:
        """Names; markers are named after the first."""
        ...

    @property
    def outlets(self) -> tuple[str, ...]:
        """Uids of the outlets that it hears and on which a sender may wait to be heard."""
        ...

    @property
    def until_idle_s(self) -> float | None:
        """After so long without anything the session ends."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        ...


class Tells(Protocol):
    """What writes the session's folder. May be read from any thread."""

    @property
    def folder(self) -> Path:
        """The session's."""
        ...

    @property
    def newest(self) -> Any:
        """What is on disk, as `Kept.forget` takes it; None: nothing."""
        ...


class Keeper:
    """The session's hold on its keeper: begins it, tells it what is on disk, says goodbye.

    In a thread of its own, so that nothing here holds up the session. A keeper that cannot be begun,
    ends or does not answer is told (`fault`) and begun anew. Methods may be called from any thread.

    Parameters
    ----------
    hears : Hears
        The session's: connected, and not yet read.
    recorder : Tells
        With whose folder the keeper would go on.
    kept : type of Kept
        Of the kind of session; made in the keeper's process.
    """

    def __init__(self, hears: Hears, recorder: Tells, kept: type[keeping.Kept]) -> None:
        self._hears, self._recorder, self._kept = hears, recorder, kept
        self.fault = ""
        """What the operator has to know; empty where all is well."""
        self.listening = threading.Event()
        """What comes goes to the keeper too."""
        self._leaving = threading.Event()
        self._process: BaseProcess | None = None
        self._thread = threading.Thread(target=self._work, name="rtrecon-keeper", daemon=True)
        self._thread.start()

    def goodbye(self) -> None:
        """Nothing is to be recorded but by the session, whatever becomes of it; returns at once."""
        self._leaving.set()

    def close(self) -> None:
        """Say goodbye, and see that the keeper ends."""
        self.goodbye()
        self._thread.join(2 * _LEAVES_S)
        if self._thread.is_alive() and self._process is not None:
            with suppress(ValueError):  # it has ended, and another one is just being begun
                self._process.kill()  # it takes nothing from the pipe
            self._thread.join(_LEAVES_S)

    def _work(self) -> None:
        while not self._leaving.is_set():
            try:
                ours, theirs = connection.Pipe()
                with ours:
                    self._process = _begin(theirs, self._kept)
                    theirs.close()
                    why = _Talk(ours, self._process, self).until_over()
            except Exception as error:  # whatever it is, another one is begun
                why = f"cannot be begun: {error}"
            self.listening.clear()
            if why:
                self.fault = (
                    f"the keeper {why}: a crash would end the recording until a new one listens"
                )
                log.warning("%s", self.fault)
                self._leaving.wait(AGAIN_S)


@contextmanager
def keeper_beside(hears: Hears, recorder: Tells, kept: type[keeping.Kept]) -> Iterator[Keeper]:
    """A keeper for as long as the session lasts."""
    keeper = Keeper(hears, recorder, kept)
    try:
        yield keeper
    finally:
        keeper.close()


def _begin(pipe: connection.Connection, kept: type[keeping.Kept]) -> BaseProcess:
    """Told the configuration of LSL: the process that children come of may be older than it."""
    process = children(kept.loads).Process(  # type: ignore[attr-defined]
        target=keeping.keep, args=(pipe, kept, os.environ.get("LSLAPICFG")), daemon=True,
        name="rtrecon-keeper",
    )  # fmt: skip
    process.start()
    return process


class _Talk:
    """What is said to one keeper and by it, from its beginning to its end."""

    def __init__(self, pipe: connection.Connection, process: BaseProcess, keeper: Keeper) -> None:
        self._pipe, self._process, self._keeper = pipe, process, keeper
        self._told: set[bytes] = set()  # what is said once
        self._newest: Any = None
        self._waits_since = pylsl.local_clock()  # for an answer
        self._owed_s = LISTENS_S

    def until_over(self) -> str:
        """Talk; returns why it ended, or nothing where that was wanted."""
        try:
            while not self._keeper._leaving.is_set():
                self._tell()
                if ended := self._hear():
                    return ended
            with suppress(OSError):
                self._pipe.send_bytes(keeping.GOODBYE)
            return ""
        except (OSError, EOFError):
            self._process.join(_LEAVES_S)
            return f"has ended ({self._process.exitcode})"
        finally:
            self._see_it_end()

    def _tell(self) -> None:
        hears, recorder = self._keeper._hears, self._keeper._recorder
        folder = str(recorder.folder.resolve())
        for outlet in hears.outlets:
            self._once(keeping.HEARS + outlet.encode(errors="replace"))
        asked = [list(hears.streams), folder, hears.until_idle_s]
        self._once(keeping.LISTEN + json.dumps(asked).encode())
        if hears.stopping:
            self._once(keeping.OVER)
        newest = recorder.newest
        if newest is not None and newest != self._newest:
            self._newest = newest
            self._pipe.send_bytes(keeping.RECORDED + json.dumps(newest).encode())
            if self._owed_s == float("inf"):
                self._waits_since, self._owed_s = pylsl.local_clock(), ANSWERS_S

    def _once(self, what: bytes) -> None:
        if what not in self._told:
            self._told.add(what)
            self._pipe.send_bytes(what)

    def _hear(self) -> str:
        """Its answers, for a turn; why it is given up, or nothing."""
        if connection.wait([self._pipe], _TURN_S):
            said = self._pipe.recv_bytes(keeping.MOST_BYTES)
            self._waits_since, self._owed_s = pylsl.local_clock(), LISTENS_S
            if said.startswith(keeping.LISTENS):
                self._owed_s = float("inf")
                self._listens()
            else:
                self._keeper.fault = f"the keeper does not listen: {said.decode(errors='replace')}"
        if pylsl.local_clock() - self._waits_since > self._owed_s:
            return "does not answer"
        return ""

    def _listens(self) -> None:
        if not self._keeper.listening.is_set():
            log.info(
                "should this program be killed, process %d records on to the end of the run",
                self._process.pid,
            )
        self._keeper.fault = ""
        self._keeper.listening.set()

    def _see_it_end(self) -> None:
        self._process.join(_LEAVES_S if self._keeper._leaving.is_set() else 0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_LEAVES_S)
        self._process.close()
