"""Yoked sham feedback: a person is shown what another person's session showed, and nobody present
can tell.

A list that somebody else made says of each code whether its feedback is real. The whole list is
checked whatever the code, so that a refusal tells nothing about the code either.
"""

import hashlib
import json
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.bounded import bounded_text
from rtrecon.errors import BadConfig, BadInput, Mismatch
from rtrecon.mailbox import Mailbox
from rtrecon.session_folder import Row, SessionFolder, open_session_folder
from rtrecon.stimuli import unpack_picture
from rtrecon.types import UNMARKED, Decoded, Frame, read_only

REAL = "real"
_LONGEST_S = 10.0  # a picture that took longer than this in its own session comes after it


class Yoked:
    """What a recorded session showed, for each decoded volume of the one that runs.

    Stands where the mailbox of what is to be drawn stands (`put`, `close`, `superseded`), and
    where the drawing stands (`until_closed`). `put` is called by the ingest thread.

    Parameters
    ----------
    source : SessionFolder
        A session whose decoded volumes and frames are shown.
    tr_s : float
    """

    def __init__(self, source: SessionFolder, tr_s: float) -> None:
        self.source, self._tr_s = source, tr_s
        self.superseded = 0
        self._rows = source.table("trials.tsv")
        self._z, self._c = source.array("z"), source.array("c")
        self._probabilities = source.array("probabilities")
        self._by_trial: dict[int, list[int]] = {}
        for n, row in enumerate(self._rows[: self._whole()]):
            self._by_trial.setdefault(int(row["trial"]), []).append(n)
        self._frames: dict[str, list[Row]] = {}  # by when their volume was received
        for frame in source.table("frames.tsv"):
            self._frames.setdefault(frame["received"], []).append(frame)
        self._coming: SimpleQueue[tuple[Decoded, list[Row]] | None] = SimpleQueue()
        self._serial = count(1)

    @property
    def trials(self) -> int:
        """How many trials it decoded."""
        return len(self._by_trial.keys() - {UNMARKED})

    def files(self) -> Iterator[Path]:
        """The pictures that it showed."""
        for frames in self._frames.values():
            yield from (self._file(int(frame["frame"])) for frame in frames)

    def instead_of(self, decoded: Decoded) -> Decoded | None:
        """What was decoded there at the same moment, as of this trial; None where nothing was."""
        row = self._moment(decoded)
        if row is None or self._c is None or self._probabilities is None:
            return None
        probabilities = read_only(np.asarray(self._probabilities[row], np.float32))
        return replace(
            decoded,
            z=None if self._z is None else self._z[row],
            c=self._c[row],
            scores=probabilities,
            probabilities=probabilities,
            predicted=self._rows[row]["predicted"],
            confidence=float(self._rows[row]["confidence"]),
        )

    def put(self, decoded: Decoded) -> None:
        """Have the frames of that moment shown, each as long after its volume as it was there."""
        row = self._moment(decoded)
        shown = self.instead_of(decoded)
        frames = [] if row is None else self._frames.get(self._rows[row]["received"], [])
        if frames and shown is not None:
            self._coming.put((shown, frames))
        else:
            self.superseded += 1

    def close(self) -> None:
        """Nothing more will be put."""
        self._coming.put(None)

    def until_closed(self, frames: Mailbox[Frame], shown: Callable[[int, int], None]) -> None:
        """Show what has been put until closed; `shown` is told each frame's number here and there."""
        while (coming := self._coming.get()) is not None:
            for row in coming[1]:
                if (frame := self._frame(coming[0], row)) is not None:
                    frames.put(frame)
                    shown(frame.serial, int(row["frame"]))

    def _whole(self) -> int:
        arrays = (self._z, self._c, self._probabilities)
        return min([len(self._rows), *(len(array) for array in arrays if array is not None)])

    def _moment(self, decoded: Decoded) -> int | None:
        """The row of the same trial and age; in free viewing of the same time in the run."""
        own = self._by_trial.get(decoded.trial.number, [])
        if decoded.trial.number == UNMARKED:
            same = (row for row in own if int(self._rows[row]["volume"]) == decoded.volume)
            return next(same, None)
        by_age = {row: abs(float(self._rows[row]["age_s"]) - decoded.age_s) for row in own}
        nearest = min(by_age, key=by_age.__getitem__, default=None)
        return nearest if nearest is not None and by_age[nearest] <= self._tr_s / 2 else None

    def _frame(self, shown: Decoded, row: Row) -> Frame | None:
        """A recorded frame, when it is due; None where it cannot be read: the last one stays."""
        try:
            images = self._images(int(row["frame"]))
        except (OSError, ValueError):
            return None
        took_s = min(max(float(row["drawn"]) - float(row["received"]), 0.0), _LONGEST_S)
        time.sleep(max(0.0, shown.times.received + took_s - pylsl.local_clock()))
        times = replace(shown.times, drawn=pylsl.local_clock())
        step, steps = int(row["step"]), int(row["steps"])
        return Frame(next(self._serial), read_only(images), shown, step, steps, times)

    def _images(self, frame: int) -> NDArray[np.uint8]:
        samples: list[NDArray[np.uint8]] = []
        for sample in count(1):
            if not (file := self._file(frame, sample)).is_file() and sample > 1:
                return np.stack(samples)
            samples.append(unpack_picture(file))
        raise AssertionError

    def _file(self, frame: int, sample: int = 1) -> Path:
        name = f"{frame:06d}.png" if sample == 1 else f"{frame:06d}_sample-{sample}.png"
        return self.source.folder / "frames" / name


class Coded(NamedTuple):
    """What a code stands for. `yoked`: None where the feedback is real."""

    code: str
    yoked: Yoked | None

    def write(self, folder: Path) -> None:
        """Put the truth in the record: feedback.json. Nothing else says it."""
        source = None
        if self.yoked is not None:
            about = (self.yoked.source.folder / "session.json").read_bytes()
            source = {
                "session": self.yoked.source.folder.resolve().name,
                "started": self.yoked.source.about.get("started"),
                "sha256": hashlib.sha256(about).hexdigest(),
            }
        truth = {"code": self.code, "sham": self.yoked is not None, "source": source}
        (folder / "feedback.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


def coded_feedback(code: str, file: Path, artifact: Artifact) -> Coded:
    """What a list says of a code, all of its sessions checked.

    Raises
    ------
    BadConfig
        The list cannot be read or does not hold the code.
    BadInput, Mismatch
        One of its sessions is missing or does not fit: whichever it is, for every code.
    """
    table = _read(file)
    codes = table["codes"]
    sources = {name: file.parent / value for name, value in codes.items() if value != REAL}
    yoked = {name: _checked(folder, artifact) for name, folder in sources.items()}
    _same_trials(file, table.get("trials"), list(yoked.values()))
    if code not in codes:
        raise BadConfig(f"{file} has no code '{code}': ask whoever made the list")
    return Coded(code, yoked.get(code))


def _read(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(bounded_text(file))
    except OSError as error:
        raise BadConfig(f"cannot read the list of codes {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"{file} is not TOML: {error}") from error
    codes, trials = table.get("codes"), table.get("trials")
    if not isinstance(codes, dict) or not all(isinstance(value, str) for value in codes.values()):
        raise BadConfig(
            f'{file}: write a table [codes] of CODE = "{REAL}" or the folder of a recorded session'
        )
    if trials is not None and not isinstance(trials, int):
        raise BadConfig(f"{file}: trials = {trials!r}: must be how many trials a session has")
    return table


def _checked(folder: Path, artifact: Artifact) -> Yoked:
    try:
        source = open_session_folder(folder)
        yoked = Yoked(source, artifact.tr_s)
        missing = next((path for path in yoked.files() if not path.is_file()), None)
    except (ValueError, LookupError) as error:
        raise BadInput(f"session {folder} is damaged ({error}): choose another") from error
    if missing is not None:
        raise BadInput(f"session {folder} lacks its picture {missing.name}: choose another")
    if abs(source.geometry.tr_s - artifact.tr_s) > 0.005 * artifact.tr_s:
        raise Mismatch(
            f"session {folder} has a TR of {source.geometry.tr_s:g} s, decoder '{artifact.name}' "
            f"{artifact.tr_s:g} s: choose one of the same protocol"
        )
    if tuple(source.about.get("candidates", ())) != artifact.candidates:
        raise Mismatch(
            f"session {folder} has other candidates than decoder '{artifact.name}': "
            "choose one of the same study"
        )
    return yoked


def _same_trials(file: Path, wanted: int | None, sessions: list[Yoked]) -> None:
    """Sessions of unlike length would tell, by when their pictures stop, which one is shown."""
    for yoked in sessions:
        wanted = yoked.trials if wanted is None else wanted
        if yoked.trials != wanted:
            raise Mismatch(
                f"{file}: session {yoked.source.folder} has {yoked.trials} trials, not {wanted}: "
                "all must have as many"
            )
