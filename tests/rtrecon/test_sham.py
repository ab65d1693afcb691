"""Another session's feedback is shown, nobody present can tell, and the record holds the truth."""

import hashlib
import json
import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pylsl
import pytest
from numpy.typing import NDArray
from PIL import Image

from rtrecon.__main__ import main
from rtrecon.artifact import Artifact, load_artifact, save_artifact
from rtrecon.config import Session
from rtrecon.mailbox import Mailbox
from rtrecon.pipeline import Pipeline
from rtrecon.record import Recorder
from rtrecon.session import open_session
from rtrecon.session_folder import open_session_folder
from rtrecon.sham import Yoked, coded_feedback
from rtrecon.types import Decoded, Frame, Geometry, Times, Trial
from rtrecon.wire import ScannerOutlet
from tests.full_disk import files_end_at
from tests.live import rows
from tests.toy import NAMES, send, toy_run

LIST = 'trials = 4\n[codes]\nP01 = "real"\nP02 = "source"\n'


class Told:
    """What a session showed and said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.painted: list[tuple[int, int, str, NDArray[np.uint8]]] = []
        self.texts: list[str] = []
        self.window: tuple[object, ...] = ()

    def run(
        self, room: Path, toy_folder: Path, geometry: Geometry, seed: int, code: str = ""
    ) -> "Told":
        """A live session in front of somebody who notes everything."""
        name = f"scanner-{self.folder.name}"
        outlet = ScannerOutlet(name, geometry)
        session = Session(
            room / "decoder", name, str(toy_folder), output=self.folder,
            yoked=room / "list.toml" if code else None, code=code, fixed={"steps": 3},
        )  # fmt: skip
        with open_session(session, load_artifact(room / "decoder"), threading.Event()) as pipeline:
            self.window = (
                pipeline.generator_text, pipeline.decoder_text, pipeline.takes, pipeline.candidates,
            )  # fmt: skip
            shower = threading.Thread(target=self._watch, args=(pipeline,))
            shower.start()
            assert outlet.wait_for_receiver(10.0)
            send(outlet, toy_run(geometry, 20, seed), pylsl.local_clock())
            shower.join(timeout=60)
        self.texts += (self.folder / "log.txt").read_text().splitlines()
        return self

    def _watch(self, pipeline: Pipeline) -> None:
        pipeline.start()
        while not (pipeline.ended and pipeline.frames.peek() is None):
            frame = pipeline.frames.take(timeout_s=0.2)
            if frame is not None:
                self._note(frame)
                pipeline.shown(frame)
            self.texts.append(pipeline.status.message)

    def _note(self, frame: Frame) -> None:
        decoded = frame.decoded
        said = f"{decoded.predicted} {decoded.confidence:.6f}"
        self.painted.append((decoded.trial.number, frame.step, said, frame.image))


@pytest.fixture(scope="module")
def room(
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A decoder, a session to show instead, and a list."""
    room = tmp_path_factory.mktemp("room")
    save_artifact(toy_artifact, room / "decoder")
    (room / "list.toml").write_text(LIST)
    Told(room / "source").run(room, toy_folder, toy_geometry, seed=1)
    return room


@pytest.fixture(scope="module", autouse=True)
def told_as_on_the_command_line() -> Iterator[None]:
    logger = logging.getLogger("rtrecon")
    before = logger.level
    logger.setLevel(logging.INFO)
    yield
    logger.setLevel(before)


@pytest.fixture(scope="module")
def sham(room: Path, toy_folder: Path, toy_geometry: Geometry) -> Told:
    return Told(room / "sham").run(room, toy_folder, toy_geometry, seed=2, code="P02")


@pytest.fixture(scope="module")
def real(room: Path, toy_folder: Path, toy_geometry: Geometry) -> Told:
    return Told(room / "real").run(room, toy_folder, toy_geometry, seed=2, code="P01")


def picture(folder: Path, frame: str) -> NDArray[np.uint8]:
    with Image.open(folder / "frames" / f"{int(frame):06d}.png") as opened:
        return np.asarray(opened)


def test_what_is_painted_is_what_the_source_showed(room: Path, sham: Told) -> None:
    """Pictures, and the guess beside them, in the order of the source."""
    shown_from = [int(row["shown_from"]) for row in rows(sham.folder / "feedback.tsv")]
    source = {int(row["frame"]): row for row in rows(room / "source" / "frames.tsv")}
    guesses = {row["received"]: row for row in rows(room / "source" / "trials.tsv")}
    painted = {int(row["frame"]): row for row in rows(sham.folder / "frames.tsv")}
    assert len(sham.painted) == len(painted) > 3
    assert shown_from == sorted(set(shown_from))
    for (trial, step, said, image), serial in zip(sham.painted, painted, strict=True):
        row = source[shown_from[serial - 1]]
        guess = guesses[row["received"]]
        np.testing.assert_array_equal(image, picture(room / "source", row["frame"]))
        assert (trial, step) == (int(row["trial"]), int(row["step"]))
        assert said == f"{guess['predicted']} {guess['confidence']}"


def test_what_is_decoded_is_the_persons_own(sham: Told, real: Told) -> None:
    """Received, decoded and recorded as if nothing were exchanged."""
    for name in ("volumes", "z", "c", "patterns", "probabilities"):
        np.testing.assert_array_equal(
            np.load(sham.folder / f"{name}.npy"), np.load(real.folder / f"{name}.npy")
        )
    ours, theirs = (rows(folder / "trials.tsv") for folder in (sham.folder, real.folder))
    for column in ("trial", "age_s", "predicted", "confidence"):
        assert [row[column] for row in ours] == [row[column] for row in theirs]
    scored = [
        json.loads((told.folder / "summary.json").read_text())["identification"]
        for told in (sham, real)
    ]
    assert scored[0] == scored[1]


def test_nothing_that_is_said_tells_one_from_the_other(sham: Told, real: Told) -> None:
    def masked(texts: list[str]) -> list[str]:
        without_time = [re.sub(r"^\S+ \S+ ", "", text) for text in texts]
        names = "|".join([*NAMES, "P01", "P02", "real", "sham"])
        return sorted({re.sub(rf"\b({names})\b|[\d.,]+", "#", text) for text in without_time})

    def unnamed(text: str) -> str:
        """Without what the test itself calls folder and streams."""
        return text.replace(str(real.folder), "").replace("scanner-real", "")

    real_lines = [text for text in real.texts if "real" in unnamed(text)]
    assert not [text for text in real_lines if "feedback" in text]
    assert masked(sham.texts) == masked(real.texts)
    assert any("feedback by code P02" in text for text in sham.texts)
    assert sham.window[0] == str(real.window[0]).replace("P01", "P02")
    assert "feedback by code P02" in str(sham.window[0])
    assert sham.window[1:] == real.window[1:]
    assert sham.window[2] == frozenset()  # controls that change nothing would tell
    listed = [sorted(path.name for path in told.folder.iterdir()) for told in (sham, real)]
    assert "contact_sheet.png" not in listed[0] + listed[1]


def test_what_is_said_of_a_trial_is_what_was_shown(room: Path, sham: Told) -> None:
    """The log is on the operator's terminal."""
    last = {row["trial"]: row["predicted"] for row in rows(room / "source" / "trials.tsv")}
    own = {row["trial"]: row["predicted"] for row in rows(sham.folder / "trials.tsv")}
    told = [re.search(r"trial (\d+), \S+ decoded as (\S+)", text) for text in sham.texts]
    said = {found[1]: found[2] for found in told if found}
    assert said
    assert said == {trial: last[trial] for trial in said}
    assert last != own  # else it would prove nothing


def test_the_record_holds_the_truth(room: Path, sham: Told, real: Told) -> None:
    truth = json.loads((sham.folder / "feedback.json").read_text())
    about = (room / "source" / "session.json").read_bytes()
    assert truth == {
        "code": "P02",
        "sham": True,
        "source": {
            "session": "source",
            "started": json.loads(about)["started"],
            "sha256": hashlib.sha256(about).hexdigest(),
        },
    }
    truth = json.loads((real.folder / "feedback.json").read_text())
    assert truth == {"code": "P01", "sham": False, "source": None}


def test_every_frame_of_every_moment_in_order_and_not_before_its_time(room: Path) -> None:
    """Without a scanner: each decoded volume as the source had it, received now."""
    source = open_session_folder(room / "source")
    yoked = Yoked(source, 2.0)
    shown: list[Frame] = []

    class All(Mailbox[Frame]):
        def put(self, item: Frame) -> None:
            shown.append(item)

    now = pylsl.local_clock()
    for row in source.table("trials.tsv"):
        yoked.put(decoded_like(row, now))
    yoked.close()
    came_from: list[tuple[int, int]] = []
    yoked.until_closed(All(), lambda *numbers: came_from.append(numbers))
    recorded = source.table("frames.tsv")
    assert len(shown) == len(recorded)
    assert came_from == [(n, int(row["frame"])) for n, row in enumerate(recorded, 1)]
    for frame, row in zip(shown, recorded, strict=True):
        np.testing.assert_array_equal(frame.image, picture(room / "source", row["frame"]))
        assert frame.times.drawn - now >= float(row["drawn"]) - float(row["received"]) - 1e-6


def test_a_full_disk_costs_no_picture_of_it(room: Path, toy_geometry: Geometry) -> None:
    source = open_session_folder(room / "source")
    yoked, frames = Yoked(source, 2.0), Mailbox[Frame]()
    recorder = Recorder(room / "full", toy_geometry, {})
    with files_end_at(0):
        for row in source.table("trials.tsv")[:3]:
            yoked.put(decoded_like(row, pylsl.local_clock()))
        yoked.close()
        yoked.until_closed(frames, recorder.yoked)
    recorder.close()
    assert frames.newest is not None
    shown = rows(room / "full" / "feedback.tsv")
    assert [int(row["frame"]) for row in shown] == list(range(1, frames.newest.serial + 1))


def decoded_like(row: dict[str, str], received: float, later_s: float = 0.0) -> Decoded:
    trial = Trial(int(row["trial"]), "cat", float(row["onset_s"]), 6.0)
    nothing = np.zeros(3, np.float32)
    return Decoded(
        trial, int(row["volume"]), float(row["age_s"]) + later_s, None, nothing[None], nothing,
        nothing, "cat", 0.1, Times(received=received),
    )  # fmt: skip


def test_a_moment_that_the_source_lacks_leaves_the_last_picture(room: Path) -> None:
    source = open_session_folder(room / "source")
    yoked = Yoked(source, 2.0)
    row = source.table("trials.tsv")[0]
    assert yoked.instead_of(decoded_like(row, 0.0, later_s=100.0)) is None
    assert yoked.instead_of(decoded_like(row | {"trial": "99"}, 0.0)) is None
    shown = yoked.instead_of(decoded_like(row, 0.0, later_s=0.4))
    assert shown is not None
    assert shown.predicted == row["predicted"]


def no_change(room: Path) -> None:
    pass


def other_tr(room: Path) -> None:
    _edit(room, lambda about: about["geometry"].update(tr_s=1.0))


def other_candidates(room: Path) -> None:
    _edit(room, lambda about: about.update(candidates=["cat", "horse", "noise"]))


def no_picture(room: Path) -> None:
    next((room / "source" / "frames").glob("*.png")).unlink()


def no_source(room: Path) -> None:
    shutil.rmtree(room / "source")


def other_trials(room: Path) -> None:
    (room / "list.toml").write_text(LIST.replace("4", "5"))


def _edit(room: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    file = room / "source" / "session.json"
    about = json.loads(file.read_text())
    change(about)
    file.write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (no_change, "P09", "has no code 'P09'"),
        (other_tr, "P01", "a TR of 1 s"),
        (other_candidates, "P01", "other candidates"),
        (no_picture, "P01", "lacks its picture"),
        (no_source, "P01", "is no session"),
        (other_trials, "P01", "has 4 trials, not 5"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_whatever_the_code(
    room: Path,
    tmp_path: Path,
    change: Callable[[Path], None],
    code: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """For a code with real feedback, too: else the refusal would tell."""
    shutil.copytree(room, tmp_path / "room")
    change(tmp_path / "room")
    lines = []
    for asked in {code, code.replace("P01", "P02")}:
        given = ("--decoder", tmp_path / "room" / "decoder", "--yoked", tmp_path / "room/list.toml")
        assert main(["run", "--headless", *map(str, given), "--code", asked]) == 1
        lines += capsys.readouterr().err.splitlines()
    assert len(set(lines)) == 1
    assert said in lines[0]


def test_a_list_without_a_code_is_refused(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--decoder", str(room / "decoder"), "--yoked", str(room / "list.toml"))
    assert main(["run", "--headless", *given]) == 1
    assert "--code" in capsys.readouterr().err


def test_a_list_that_is_none_is_refused(room: Path, toy_artifact: Artifact, tmp_path: Path) -> None:
    for text, said in (("codes = 3", "table"), ("x = [", "not TOML"), ("[codes]\nP = 3", "table")):
        (tmp_path / "list.toml").write_text(text)
        with pytest.raises(Exception, match=said):
            coded_feedback("P", tmp_path / "list.toml", toy_artifact)
