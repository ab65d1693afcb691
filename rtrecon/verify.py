"""A recorded session computed anew: the same code on the same machine gives the same, to the bit.

What came is walked through today's preprocessing and decoders; pictures are drawn again of the
*recorded* z and c, so that a change in decoding and one in drawing are told apart.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from rtrecon.artifact import ABOUT, Artifact, load_artifact
from rtrecon.compatibility import check_stream
from rtrecon.config import Settings
from rtrecon.decode import Decode
from rtrecon.errors import BadArtifact, BadDataset
from rtrecon.generators import Aim, Generator, load_generator
from rtrecon.reconstruct import noise_seed
from rtrecon.record import versions
from rtrecon.session import undisturbed
from rtrecon.session_folder import Row, SessionFolder, open_session_folder
from rtrecon.types import Decoded, Marker, Pattern

log = logging.getLogger(__name__)

ARRAYS = ("patterns", "z", "c", "probabilities")


@dataclass
class Check:
    """One table, array or folder of pictures of the record, held to today's.

    Attributes
    ----------
    compared, different : int
        Rows.
    first : str
        The first difference, in words.
    largest : float
        The largest relative difference of any value.
    """

    name: str
    compared: int = 0
    different: int = 0
    first: str = ""
    largest: float = 0.0

    def differs(self, what: str) -> None:
        """Take note of a row that differs."""
        self.different += 1
        self.first = self.first or what

    def array(self, where: str, recorded: NDArray[Any], today: NDArray[Any]) -> None:
        """Compare one row, to the bit."""
        self.compared += 1
        if recorded.shape != today.shape:
            self.differs(f"{where}: shape {recorded.shape} recorded, {today.shape} today")
            return
        apart = (recorded != today) & ~((recorded != recorded) & (today != today))  # nan is nan
        if not apart.any():
            return
        at = tuple(int(n) for n in np.argwhere(apart)[0])
        a, b = recorded[apart].astype(float), today[apart].astype(float)
        self.largest = max(self.largest, float(np.max(np.abs(a - b) / np.maximum(abs(a), abs(b)))))
        place = ", ".join(map(str, at))
        self.differs(f"{where}, element [{place}]: {a[0]:.9g} recorded, {b[0]:.9g} today")

    def cells(self, where: str, recorded: Row, today: Row) -> None:
        """Compare one row of a table, as text."""
        self.compared += 1
        for column in today:
            if column in recorded and recorded[column] != today[column]:
                self.differs(
                    f"{where}, {column}: {recorded[column]} recorded, {today[column]} today"
                )
                return


@dataclass
class Verdict:
    """What a session was, what is different around it today, and how each part compares."""

    notes: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def first(self) -> str:
        """The first difference; empty where all is identical."""
        return next((f"{check.name} {check.first}" for check in self.checks if check.first), "")

    def table(self) -> str:
        """For people: a line a part."""
        rows = [("part", "compared", "different", "largest relative", "first difference")]
        rows += [
            (c.name, str(c.compared), str(c.different), f"{c.largest:.2g}", c.first or "none")
            for c in self.checks
        ]
        widths = [max(len(row[n]) for row in rows) for n in range(4)]
        return "\n".join(
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
            for row in rows
        )


def verify(
    folder: Path, decoder: Path | None = None, generator: str = "", frames: bool = True
) -> Verdict:
    """Compute a recorded session anew and compare.

    Parameters
    ----------
    folder : Path
        The session's.
    decoder : Path, optional
        By default a folder of the recorded name, beside the session or its parent, or here.
    generator : str
        A name or folder; by default the one the decoder was fitted for.
    frames : bool
        Whether pictures are drawn again.

    Raises
    ------
    BadDataset, BadArtifact, BadGenerator, BadInput, Mismatch
        Something is missing or does not fit.
    """
    session = open_session_folder(folder)
    decoder = decoder or _decoder_of(session)
    artifact = load_artifact(decoder)
    check_stream(artifact, session.geometry, folder.name)
    verdict = Verdict([*_other_versions(session), *_other_decoder(session, decoder)])
    drawer = _generator(session, generator or artifact.generator.name, verdict) if frames else None
    with undisturbed():
        rows = _decoding(session, artifact, verdict)
        if drawer is not None:
            _drawing(session, drawer, rows, verdict)
    return verdict


def _decoder_of(session: SessionFolder) -> Path:
    """The folder that the session names, where it still is."""
    told = session.about.get("decoder")
    name = str(told.get("folder", "")) if isinstance(told, dict) else ""
    bare = Path(name).name  # what is read from a file is no path
    here = session.folder.resolve()
    for place in (here.parent, here.parent.parent, Path()):
        if bare and (place / bare / ABOUT).is_file():
            return place / bare
    raise BadArtifact(
        f"decoder '{bare}' of {session.folder} is not beside it: name its folder with --decoder DIR"
    )


def _other_versions(session: SessionFolder) -> list[str]:
    recorded = session.about.get("versions", {})
    try:
        today = versions()
    except PackageNotFoundError:
        today = {}
    return [
        f"{name} was {recorded[name]}, is {today.get(name, 'missing')}"
        for name in recorded
        if recorded[name] != today.get(name)
    ]


def _other_decoder(session: SessionFolder, decoder: Path) -> list[str]:
    told = session.about.get("decoder")
    recorded = told.get("sha256") if isinstance(told, dict) else None
    today = json.loads((decoder / ABOUT).read_text(encoding="utf-8"))["sha256"]
    if recorded in (None, today):
        return []
    return [f"decoder '{decoder}' is another ({today[:12]}) than the session's ({recorded[:12]})"]


def _generator(session: SessionFolder, name: str, verdict: Verdict) -> Generator:
    """Loaded as the session had it: on the same device, in its precision, with as many threads."""
    from rtrecon.generators.compute import Compute

    recorded = session.about.get("compute")
    compute = Compute.recorded(recorded) if isinstance(recorded, dict) else None
    generator = load_generator(name, compute)
    told = session.about.get("generator")
    identity = told.get("identity") if isinstance(told, dict) else None
    if identity not in (None, generator.identity):
        verdict.notes.append(
            f"generator '{name}' is another ({generator.identity[:12]}) than the session's "
            f"({str(identity)[:12]})"
        )
    if recorded and compute is None:
        verdict.notes.append(f"pictures were drawn on {recorded.get('device')}, which is not here")
    return generator


@dataclass(frozen=True)
class _Aimed:
    """A decoded volume that pictures may have been drawn of. `row`: of z.npy and c.npy."""

    row: int
    received: float
    reliability: float


_Rows = dict[tuple[int, int], list[_Aimed]]


def _again(session: SessionFolder, artifact: Artifact) -> Iterator[tuple[Pattern, Decoded]]:
    """What the ingest thread would make of it today."""
    free_viewing = bool(session.about.get("free_viewing"))
    preprocess = artifact.preprocess(session.geometry.affine, free_viewing)
    decode = Decode(artifact)
    for item in tqdm(session.walk(), "decoding", len(session.rows), leave=False, disable=None):
        if isinstance(item, Marker):
            preprocess.mark(item)
            continue
        try:
            pattern = preprocess.add(item)
            decoded = None if pattern is None else decode(pattern)
        except Exception as error:  # as in a session: it goes on without this volume
            log.warning("volume %d could not be worked on: %s", item.number, error)
            continue
        if pattern is not None and decoded is not None:
            yield pattern, decoded


def _decoding(session: SessionFolder, artifact: Artifact, verdict: Verdict) -> _Rows:
    """Compare what was decoded; returns what pictures can have been drawn of."""
    table = session.table("trials.tsv")
    arrays = {name: array for name in ARRAYS if (array := session.array(name)) is not None}
    checks = {name: Check(f"{name}.npy") for name in arrays}
    text = Check("trials.tsv")
    verdict.checks += [text, *checks.values()]
    rows: _Rows = {}
    count = 0
    for row, (pattern, decoded) in enumerate(_again(session, artifact)):
        count += 1
        where = f"row {row} (trial {decoded.trial.number}, volume {decoded.volume})"
        if row < len(table):
            text.cells(where, table[row], _cells(decoded))
        for name, array in arrays.items():
            today = pattern.voxels if name == "patterns" else getattr(decoded, name)
            if row < len(array) and today is not None:
                checks[name].array(where, array[row], today)
        told = table[row].get("reliability") if row < len(table) else None
        reliability = decoded.reliability if told is None else float(told)
        aimed = _Aimed(row, decoded.times.received, reliability)
        rows.setdefault((decoded.trial.number, decoded.volume), []).append(aimed)
    _ending(session, len(table), count, text, verdict)
    return rows


def _cells(decoded: Decoded) -> Row:
    """The columns of trials.tsv that are decoded or understood, and no clock's."""
    trial = decoded.trial
    numbers = {
        "onset_s": trial.onset_s, "age_s": decoded.age_s, "confidence": decoded.confidence,
    }  # fmt: skip
    texts = {
        "trial": str(trial.number), "volume": str(decoded.volume), "trial_type": trial.trial_type,
        "predicted": decoded.predicted, "stim_file": trial.stim_file,
        "reliability": repr(float(decoded.reliability)),
    }  # fmt: skip
    written = {name: " ".join(text.split()) or "n/a" for name, text in texts.items()}
    return written | {name: f"{number:.6f}" for name, number in numbers.items()}


def _ending(
    session: SessionFolder, recorded: int, today: int, text: Check, verdict: Verdict
) -> None:
    """Rows too few or too many: a killed session may lack its last, any other may not."""
    if not (session.folder / "summary.json").is_file():
        verdict.notes.append(
            f"the session was killed: {recorded} decoded volumes are whole on disk, today's are {today}"
        )
    elif recorded != today:
        text.differs(f"has {recorded} rows, today's decoding makes {today}")


def _drawing(session: SessionFolder, generator: Generator, rows: _Rows, verdict: Verdict) -> None:
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
        self, session: SessionFolder, generator: Generator, rows: _Rows, check: Check
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
            with Image.open(self._session.folder / "frames" / name) as picture:
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
    from the second on."""

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
