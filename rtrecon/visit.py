"""One person's visit: decoders and generator loaded once, several runs one after another.

Each run has a session folder of its own: OUTPUT, OUTPUT_run-2, OUTPUT_run-3 and so on, the first
that holds no session yet.
"""

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain, count
from math import nan
from pathlib import Path
from typing import Any

from rtrecon.check.findings import Finding
from rtrecon.check.volumes import More, check
from rtrecon.config import Session
from rtrecon.models import Models
from rtrecon.pipeline import Pipeline
from rtrecon.session import default_output, open_session
from rtrecon.types import VolumeCounts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """What became of a run, as its folder says.

    Attributes
    ----------
    folder : Path
    failed : bool
        It ended in a fault of its own.
    volumes : VolumeCounts
    shown : int
        Pictures.
    trials, candidates : int
        Of those that are known.
    top1, chance : float
        Share of the trials whose likeliest candidate was the right one; nan: not known.
    lost : int
        What could not be recorded.
    withdrawn : bool
        The participant has stopped it.
    """

    folder: Path
    failed: bool = False
    volumes: VolumeCounts = field(default_factory=VolumeCounts)
    shown: int = 0
    trials: int = 0
    candidates: int = 0
    top1: float = nan
    chance: float = nan
    lost: int = 0
    withdrawn: bool = False


class Visit:
    """Owned by one thread: every call may take as long as loading a model or closing a folder.

    Attributes
    ----------
    stop : threading.Event
        Set from any thread: ends a wait for a run's stream, and the run that is open. It is clear
        again when that run is over.
    runs : list of Ended
        What became of all that are over.
    """

    def __init__(self, stop: threading.Event | None = None) -> None:
        self.stop = stop or threading.Event()
        self.runs: list[Ended] = []
        self._models = Models()
        self._run = ExitStack()
        self._pipeline: Pipeline | None = None
        self._choice: Session | None = None
        self._look = threading.Event()  # ends the look that is under way

    def check(self, choice: Session, more: Sequence[More] = ()) -> Iterator[Finding]:
        """Look at everything that a run needs; what is loaded stays for it."""
        self._look = threading.Event()
        return check(choice, self._models, self._look, more)

    def give_up(self) -> None:
        """End the wait of a look that is under way; from any thread."""
        self._look.set()

    def open_run(self, choice: Session) -> Pipeline:
        """A run ready to start, recorded to the folder that is named; ends the one before.

        Raises
        ------
        Error
            Something is missing or does not fit; no folder has been made then.
        """
        self.end_run()
        choice = replace(choice, output=choice.output or default_output())
        artifact = self._models.artifact(choice.decoder)
        self._pipeline = self._run.enter_context(
            open_session(choice, artifact, self.stop, self._models)
        )
        self._choice = choice
        return self._pipeline

    def next_run(self) -> Pipeline:
        """Another run as the last one, in the next folder.

        Raises
        ------
        Error
        """
        assert self._choice is not None
        return self.open_run(replace(self._choice, output=free_folder(self._choice.output)))

    def end_run(self) -> Ended | None:
        """End the run that is open, complete its folder, and say what became of it."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is None:
            return None
        self._run.close()
        self.stop.clear()
        self.runs.append(ended(pipeline))
        return self.runs[-1]

    def close(self) -> None:
        """End the run that is open, and let go of the models."""
        self.stop.set()
        try:
            self.end_run()
        finally:
            self._models.close()


def ended(pipeline: Pipeline) -> Ended:
    """What became of a run whose folder is complete."""
    try:
        summary = json.loads((pipeline.folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a full disk
        summary = {}
    known: dict[str, Any] = summary.get("identification", {})
    return Ended(
        pipeline.folder,
        pipeline.failed,
        pipeline.status.volumes,
        pipeline.status.shown,
        known.get("trials", 0),
        known.get("candidates", 0),
        known.get("top1", nan) if known.get("trials") else nan,
        known.get("chance_top1", nan),
        summary.get("recording", {}).get("failed_writes", 0),
        pipeline.withdrawn,
    )


def free_folder(output: Path | None) -> Path:
    """The first of OUTPUT, OUTPUT_run-2, OUTPUT_run-3, ... that holds no session.

    After a folder that is called so already comes the next number: after S_run-2, S_run-3.
    """
    output = output or default_output()
    stem, _, number = output.name.rpartition("_run-")
    if not (stem and number.isdecimal()):
        stem, number = output.name, "1"
    later = (output.with_name(f"{stem}_run-{n}") for n in count(int(number) + 1))
    return next(f for f in chain([output], later) if not (f / "session.json").exists())
