"""A session's pictures drawn again of the z and c that it recorded, and compared to the bit."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from rtrecon.config import Settings
from rtrecon.errors import BadDataset
from rtrecon.generators import Aim, Generator
from rtrecon.reconstruct import noise_seed
from rtrecon.session_folder import Row, SessionFolder
from rtrecon.verdict import Check, Verdict


@dataclass(frozen=True)
class Aimed:
    """A decoded volume that pictures may have been drawn of. `row`: of z.npy and c.npy."""

    row: int
    received: float
    reliability: float


Rows = dict[tuple[int, int], list[Aimed]]


def redraw(session: SessionFolder, generator: Generator, rows: Rows, verdict: Verdict) -> None:
    """Compare pictures, each drawn again of the recorded z and c."""
    check = Check("frames")
    verdict.checks.append(check)
    table = session.table("frames.tsv")
    if table and "aims" not in table[0]:
        verdict.notes.append("frames.tsv does not say what pictures were drawn of: not drawn again")
        return
    if (session.folder / "feedback.tsv").is_file():
        verdict.notes.append("what was shown came from a list of codes: no picture is drawn again")
        return
    pictures = [list(group) for _, group in groupby(table, _picture)]
    draw = _Redraw(session, generator, rows, check)
    for frames in tqdm(pictures, "drawing", leave=False, disable=None):
        try:
            draw(frames)
        except (ValueError, TypeError, KeyError) as error:
            raise BadDataset(
                f"{session.folder}: frames.tsv is damaged at frame {frames[0]['frame']} ({error}): "
                "use --no-frames"
            ) from error
    if draw.lost:
        verdict.notes.append(f"{draw.lost} pictures are not whole on disk")


def _picture(row: Row) -> tuple[str, str, str]:
    """Frames of one picture follow each other: same trial, first aim and settings."""
    return row["trial"], row["aims"].partition(",")[0], row["settings"]


class _Redraw:
    """Draws pictures of a record again and compares them."""

    def __init__(
        self, session: SessionFolder, generator: Generator, rows: Rows, check: Check
    ) -> None:
        self._session, self._generator, self._rows, self._check = session, generator, rows, check
        c = session.array("c")
        self._z, self._c = session.array("z"), () if c is None else c
        self._settings = _settings(session)
        self.lost = 0

    def __call__(self, frames: list[Row]) -> None:
        """Draw one picture, of which `frames` were shown, with its previews."""
        last = frames[-1]
        try:
            settings = self._settings[int(last["settings"])]
            aims = {step: self._aim(last, volume) for volume, step in _aims(last["aims"])}
        except LookupError:  # a kill may have taken what it was drawn of
            self.lost += len(frames)
            return
        seed = noise_seed(settings.seed, int(last["trial"]))
        wanted = {int(row["step"]): row for row in frames}
        drawn = self._generator.images(aims.pop(1), seed, settings, _Later(aims))
        for images, step, _ in drawn:
            if (row := wanted.pop(step, None)) is not None:
                self._compare(row, images)
            if not wanted:
                return
        for step, row in wanted.items():
            self._check.compared += 1
            self._check.differs(f"frame {row['frame']}: step {step} is not drawn today")

    def _compare(self, row: Row, images: NDArray[np.uint8]) -> None:
        where = f"{int(row['frame']):06d}.png (trial {row['trial']}, volume {row['volume']})"
        for n, today in enumerate(images, 1):
            recorded = self._recorded(int(row["frame"]), n, today.shape)
            if recorded is None:
                self.lost += 1
            else:
                self._check.array(where if n == 1 else f"{where}, sample {n}", recorded, today)

    def _recorded(self, frame: int, sample: int, shape: tuple[int, ...]) -> NDArray[Any] | None:
        """A recorded picture; None where it is not whole."""
        name = f"{frame:06d}.png" if sample == 1 else f"{frame:06d}_sample-{sample}.png"
        try:
            with Image.open(self._session.folder / "frames" / name, formats=("PNG",)) as picture:
                if (picture.height, picture.width) != shape[:2]:
                    return np.empty((picture.height, picture.width, 0), np.uint8)
                return np.asarray(picture)
        except (OSError, SyntaxError, Image.DecompressionBombError):
            return None

    def _aim(self, row: Row, volume: int) -> Aim:
        """What a picture was drawn of, as recorded."""
        found = self._rows.get((int(row["trial"]), volume), [])
        before = [aimed for aimed in found if aimed.received <= float(row["received"]) + 1e-6]
        aimed = before[-1]
        z = None if self._z is None else self._z[aimed.row]
        return Aim(z, self._c[aimed.row], aimed.reliability)


class _Later:
    """Answers a generator's question for a newer aim as the session did, which asks at each step
    from the second on.
    """

    def __init__(self, aims: dict[int, Aim]) -> None:
        self._aims, self._step = aims, 1

    def __call__(self) -> Aim | None:
        self._step += 1
        return self._aims.get(self._step)


def _aims(text: str) -> list[tuple[int, int]]:
    """Volumes, each with the step from which it was aimed at: "12,13@2"."""
    parts = (part.partition("@") for part in text.split(","))
    return [(int(volume), int(step or 1)) for volume, _, step in parts]


def _settings(session: SessionFolder) -> list[Settings]:
    """How pictures were made, by the numbers in frames.tsv."""
    known = Settings.__dataclass_fields__.keys()
    return [
        Settings(**{key: told[key] for key in told.keys() & known})
        for told in session.lines("settings.jsonl")
    ]
