"""Whole sessions over real streams: what was scored is what plain numpy makes of their folders."""

import json
import logging
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pylsl
import pytest

from rtrecon.archive import finalize
from rtrecon.artifact import Artifact, save_artifact
from rtrecon.config import Session
from rtrecon.errors import Error
from rtrecon.pipeline import Pipeline, show_headless
from rtrecon.protocol.measures import Similarity
from rtrecon.protocol.threshold import Crossing, Direction
from rtrecon.session import open_session
from rtrecon.types import Block, Event, Geometry, Marker, Presentation, Volume
from rtrecon.verify import verify
from rtrecon.wire import ScannerOutlet
from tests.rtrecon.protocol.by_numpy import Recomputed, number, read
from tests.rtrecon.protocol.test_threshold import slow_firings
from tests.rtrecon.test_finalize import validated
from tests.toy import NAMES, send, toy_run

VOLUMES = 40  # of 2 s, in each of two runs

SIMILARITY = """
[protocol]
measure = "similarity"
target = "a dog"
shows = ["score", "instruction"]
repeat = 2
[protocol.baseline]
kind = "rest"
skip_s = 2
[protocol.scale]
low = -2
high = 2
smooth_s = 3
[protocol.threshold]
level = 0.4
hold_s = 2
refractory_s = 6
[[block]]
kind = "rest"
duration_s = 13
instruction = "Rest"
[[block]]
kind = "regulate"
duration_s = 17.5
instruction = "Think of a dog"
target = "dog"
[[block]]
kind = "transfer"
duration_s = 6
"""

PROBABILITY = """
[protocol]
measure = "probability"
when = "trial"
[protocol.scale]
low = 0.8
high = 0.1
[protocol.threshold]
level = 0.5
direction = "below"
[[block]]
kind = "regulate"
duration_s = 50
"""

REGION = """
[protocol]
measure = "region"
region = "REGION"
sham = "SHAM"
[protocol.baseline]
kind = "start"
seconds = 15
[protocol.scale]
low = -1
[[block]]
kind = "regulate"
duration_s = 20
[[block]]
kind = "sham"
duration_s = 100
"""

SIMILAR = '[protocol]\nmeasure = "similarity"'
PROBABILITY_OF = '[protocol]\nmeasure = "probability"\ntarget ='
OF_REGION = '[protocol]\nmeasure = "region"\nregion ='
SHAM_BLOCK = '[[block]]\nkind = "sham"\nduration_s = 1'


class Room:
    """A person's decoders and the sessions run with them."""

    def __init__(
        self, folder: Path, artifact: Artifact, generator: Path, geometry: Geometry
    ) -> None:
        self.folder, self.artifact, self.geometry = folder, artifact, geometry
        self._generator = generator
        self.presented: list[Presentation] = []
        save_artifact(artifact, folder / "decoder")

    def session(self, name: str, toml: str, **named: Any) -> Session:
        return Session(
            self.folder / "decoder", f"scanner-{name}", str(self._generator),
            output=self.folder / name, tables=tomllib.loads(toml), fixed={"steps": 2}, **named,
        )  # fmt: skip

    def run(
        self, name: str, toml: str, on_time: bool = False, pause: bool = False, **named: Any
    ) -> Path:
        """Two runs, the second with an end marker, before somebody who looks at all of it.

        `on_time`: each volume is sent when its acquisition ends, and not at once; `pause`: between
        the runs somebody presses pause.
        """
        session = self.session(name, toml, **named)
        outlet = ScannerOutlet(session.stream, self.geometry)
        with open_session(session, self.artifact, threading.Event()) as pipeline:
            shows = (show_headless, self._look)
            threads = [threading.Thread(target=show, args=(pipeline,)) for show in shows]
            for thread in threads:
                thread.start()
            assert outlet.wait_for_receiver(10.0)
            first = [item for item in toy_run(self.geometry, VOLUMES, 1) if not is_end(item)]
            begun = pylsl.local_clock()
            send(outlet, paced(first, begun) if on_time else iter(first), begun)
            wait_until(lambda: pipeline.status.volumes.received == VOLUMES)
            pipeline.pause(pause)
            begun += 1.0  # the first run took 0.8 s
            second = toy_run(self.geometry, VOLUMES, 2)
            send(outlet, paced(second, begun) if on_time else second, begun)
            for thread in threads:
                thread.join(timeout=60)
        return self.folder / name

    def _look(self, pipeline: Pipeline) -> None:
        self.presented = []
        while not pipeline.ended:
            self.presented.append(pipeline.presentation)
            pipeline.wait(0.002)


def is_end(item: Volume | Marker) -> bool:
    return isinstance(item, Marker) and item.event is Event.RUN_END


def paced(items: Iterable[Volume | Marker], begun: float) -> Iterator[Volume | Marker]:
    """Each volume when a scanner at 100 times the speed would have it."""
    for item in items:
        if isinstance(item, Volume):
            end = begun + 0.02 * (item.number + 1)
            wait_until(lambda end=end: pylsl.local_clock() >= end)
        yield item


def wait_until(holds: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline, pause = pylsl.local_clock() + timeout_s, threading.Event()
    while not holds():
        assert pylsl.local_clock() < deadline, "waited in vain"
        pause.wait(0.002)


@pytest.fixture(scope="module")
def room(
    toy_artifact: Artifact,
    toy_folder: Path,
    toy_geometry: Geometry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Room:
    return Room(tmp_path_factory.mktemp("room"), toy_artifact, toy_folder, toy_geometry)


@pytest.fixture(scope="module")
def similarity(room: Room) -> tuple[Path, list[Presentation]]:
    return room.run("similarity", SIMILARITY, on_time=True, free_viewing=True), room.presented


def compare(folder: Path, expected: Recomputed) -> list[dict[str, str]]:
    """Every score, and what belongs to it."""
    scores = read(folder / "scores.tsv")
    assert len(scores) == len(expected.at) > 5
    assert [int(row["number"]) for row in scores] == list(range(1, len(scores) + 1))
    computed_anew(folder, len(scores))
    for column in ("raw", "value", "told", "elapsed"):
        found = [number(row[column]) for row in scores]
        np.testing.assert_allclose(found, getattr(expected, column), rtol=0, atol=1e-6, err_msg=column)  # fmt: skip
    assert [row["block"] for row in scores] == [block["kind"] for block in expected.block]
    for row, n in zip(scores, expected.at, strict=True):
        assert (row["trial"], row["volume"]) == (expected.rows[n]["trial"], expected.rows[n]["volume"])  # fmt: skip
        assert int(row["run"]) == expected.runs[n]
        assert float(row["time"]) >= float(expected.rows[n]["received"])
    return scores


def computed_anew(folder: Path, count: int) -> None:
    verdict = verify(folder, frames=False)
    assert verdict.first == ""
    assert {check.name: check.compared for check in verdict.checks}["scores.tsv"] == count


def firings(expected: Recomputed, crossing: Crossing) -> list[int]:
    """Numbers of the scores that fire. A new run breaks the hold: a hole stands for it."""
    told, times, places = [], [], []
    for n, (value, time) in enumerate(zip(expected.told, expected.times(), strict=True)):
        if n and expected.runs[expected.at[n]] != expected.runs[expected.at[n - 1]]:
            told.append(np.nan), times.append(times[-1]), places.append(-1)
        told.append(value), times.append(time), places.append(n + 1)
    fired = slow_firings(crossing, np.array(told), np.array(times))
    return [places[n] for n in fired]


def test_similarity_against_a_baseline_of_rest(
    room: Room, similarity: tuple[Path, list[Presentation]]
) -> None:
    folder, _ = similarity
    expected = Recomputed(folder, room.folder / "decoder")
    scores = compare(folder, expected)
    told = np.array(expected.told)
    kinds = np.array([row["block"] for row in scores])
    assert set(kinds) == {"rest", "regulate", "transfer"}
    assert np.isfinite(told).sum() > 20
    assert np.isnan(told[kinds != "regulate"]).all()
    assert {row["measure"] for row in scores} == {"similarity to dog", "similarity to a dog"}
    assert scores[0]["fault"] == "no baseline yet"
    assert scores[-1]["fault"] == "n/a"
    fired = read(folder / "firings.tsv")
    assert [int(row["score"]) for row in fired] == firings(expected, Crossing(0.4, 2.0, 6.0))
    assert [row["number"] for row in fired] == [str(n + 1) for n in range(len(fired))]
    assert len(fired) > 1


def test_probability_after_each_trial(room: Room) -> None:
    folder = room.run("probability", PROBABILITY)
    expected = Recomputed(folder, room.folder / "decoder")
    scores = compare(folder, expected)
    assert [row["trial"] for row in scores] == [str(n + 1) for n in range(16)]
    assert {row["measure"] for row in scores} == {f"probability of {name}" for name in NAMES}
    crossing = Crossing(0.5, direction=Direction.BELOW)
    fired = read(folder / "firings.tsv")
    assert [int(row["score"]) for row in fired] == firings(expected, crossing)
    assert fired


def test_a_region_sham_blocks_and_a_pause(
    room: Room, similarity: tuple[Path, list[Presentation]]
) -> None:
    source, _ = similarity
    values = np.zeros(room.geometry.shape, np.uint8)
    values[:3] = 1
    mask = room.folder / "mask.nii.gz"
    nib.save(nib.Nifti1Image(values, room.geometry.affine), mask)
    toml = REGION.replace("REGION", str(mask)).replace("SHAM", str(source))
    folder = room.run("region", toml, pause=True)
    expected = Recomputed(folder, room.folder / "decoder", source)
    paused = np.array([expected.runs[n] == 2 for n in expected.at])
    assert np.isfinite(np.array(expected.told)[paused]).any()
    expected.told = np.where(paused, np.nan, expected.told).tolist()
    scores = compare(folder, expected)
    assert {row["measure"] for row in scores} == {"activity of mask.nii.gz"}
    kinds = np.array([block["kind"] for block in expected.block])
    told = np.array(expected.told)
    assert np.isfinite(told[kinds == "sham"]).sum() > 3
    assert not (folder / "firings.tsv").exists()


def test_what_may_be_shown_follows_the_schedule(
    similarity: tuple[Path, list[Presentation]],
) -> None:
    folder, presented = similarity
    plans = {
        Block.REST: {"Rest", ""},  # before the first block nothing is asked
        Block.REGULATE: {"Think of a dog"},
        Block.TRANSFER: {""},
    }
    seen = [shown for shown in presented if shown.until == shown.until]
    assert {shown.block for shown in seen} == set(plans)
    for shown in seen:
        assert shown.block is not None
        assert shown.instruction in plans[shown.block]
        assert shown.shows == {"score", "instruction"}
        told = [score.told for score in shown.scores.values()]
        if shown.block is not Block.REGULATE or shown.blank:
            assert np.isnan(told).all()
    assert {shown.threshold for shown in presented} == {0.4}
    assert presented[-1].fires == {"": len(read(folder / "firings.tsv"))}
    assert any(np.isfinite(shown.scores[""].told) for shown in seen if shown.scores)


def test_the_record_says_what_the_protocol_was(
    similarity: tuple[Path, list[Presentation]],
) -> None:
    folder, _ = similarity
    about = json.loads((folder / "session.json").read_text())
    assert about["tables"] == tomllib.loads(SIMILARITY)
    assert about["captions"] == ["a dog"]
    assert np.load(folder / "targets.npy").shape == (1, *np.load(folder / "c.npy").shape[1:])


def test_scores_become_a_table_for_each_run_of_a_valid_data_set(
    similarity: tuple[Path, list[Presentation]], tmp_path: Path
) -> None:
    folder, _ = similarity
    dataset = finalize(folder, tmp_path / "bids")
    assert validated(dataset) == []
    derived = dataset / "derivatives" / "rtrecon" / "sub-01"
    scores = read(folder / "scores.tsv")
    fired = {row["score"] for row in read(folder / "firings.tsv")}
    for run in ("1", "2"):
        stem = derived / f"func/sub-01_task-view_run-{run}_desc-feedback_timeseries"
        table = read(Path(f"{stem}.tsv"))
        of_run = [row for row in scores if row["run"] == run]
        for name in ("raw", "value", "told", "block", "volume", "fault"):
            assert [row[name] for row in table] == [row[name] for row in of_run]
        assert [row["onset"] for row in table] == [row["elapsed"] for row in of_run]
        assert [row["fired"] for row in table] == [str(int(r["number"] in fired)) for r in of_run]
        assert set(json.loads(Path(f"{stem}.json").read_text())) == set(table[0])
    for name in ("scores.tsv", "firings.tsv", "targets.npy"):
        assert (derived / "online" / name).read_bytes() == (folder / name).read_bytes()
    checklist = (derived / "sub-01_crednf.md").read_text()
    raw = [float(row["raw"]) for row in scores if row["block"] == "rest"]
    assert f"rest {np.mean(raw):.6g}" in checklist
    assert "measure similarity" in checklist


@pytest.mark.parametrize(
    ("table", "column", "told"),
    [
        ("scores.tsv", "value", "scores.tsv row 20, value: 0.123 recorded"),
        ("scores.tsv", "told", "scores.tsv row 20, told: 0.123 recorded"),
        ("firings.tsv", "score", "firings.tsv of the scores 0.123"),
    ],
)
def test_a_score_that_is_another_today_is_named(
    similarity: tuple[Path, list[Presentation]],
    room: Room,
    tmp_path: Path,
    table: str,
    column: str,
    told: str,
) -> None:
    shutil.copytree(similarity[0], tmp_path / "session")
    file = tmp_path / "session" / table
    lines = [line.split("\t") for line in file.read_text().splitlines()]
    row = 21 if table == "scores.tsv" else 1
    lines[row][lines[0].index(column)] = "0.123"
    file.write_text("".join("\t".join(line) + "\n" for line in lines))
    verdict = verify(tmp_path / "session", room.folder / "decoder", frames=False)
    assert verdict.first.startswith(told)


def test_a_failing_measure_costs_the_feedback_and_nothing_else(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    measure, calls = Similarity.__call__, iter(range(1000))

    def failing(self: Similarity, *given: Any) -> Any:
        if next(calls) % 3:
            raise ZeroDivisionError("on purpose")
        return measure(self, *given)

    monkeypatch.setattr(Similarity, "__call__", failing)
    with caplog.at_level(logging.ERROR):
        folder = room.run("failing", SIMILARITY)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["volumes"]["received"] == 2 * VOLUMES
    assert summary["recording"]["failed_writes"] == 0
    decoded = read(folder / "trials.tsv")
    assert len(read(folder / "scores.tsv")) == -(-len(decoded) // 3)
    lines = (folder / "status.jsonl").read_text().splitlines()
    status = [json.loads(line) for line in lines]
    assert "no feedback: ZeroDivisionError: on purpose" in [line["message"] for line in status]
    assert status[-1]["phase"] == "ended"


def codes(room: Room) -> Path:
    """A list on which P02 is shown what the first session showed."""
    file = room.folder / "list.toml"
    file.write_text('[codes]\nP01 = "real"\nP02 = "similarity"\n')
    return file


def test_scores_and_firings_of_what_is_shown_go_to_the_outputs(
    room: Room, similarity: tuple[Path, list[Presentation]]
) -> None:
    """Over LSL, read by a client; what went out is in the record. What is shown is yoked."""
    toml = SIMILARITY + '[[output]]\nkind = "lsl"\n[[trigger]]\nkind = "lsl"\n'
    heard: list[tuple[float, list[float]]] = []
    done = threading.Event()

    def listen() -> None:
        (found,) = pylsl.resolve_byprop("name", "scanner-outputs-score", 1, 20)
        inlet = pylsl.StreamInlet(found, max_buflen=60)
        while not done.is_set():
            chunk, stamps = inlet.pull_chunk(0.05)
            heard.extend(zip(stamps, chunk, strict=True))
        inlet.close_stream()

    listener = threading.Thread(target=listen)
    listener.start()
    folder = room.run("outputs", toml, free_viewing=True, yoked=codes(room), code="P02")
    done.set()
    listener.join(timeout=20)
    scores = {row["number"]: row for row in read(folder / "scores.tsv")}
    shown = {row["volume"]: row["raw"] for row in reversed(read(similarity[0] / "scores.tsv"))}
    assert [row["raw"] for row in scores.values()] == [shown[r["volume"]] for r in scores.values()]
    notes = verify(folder, frames=False).notes
    assert any("scores are not compared" in note for note in notes)
    sent = read(folder / "sent.tsv")
    assert {row["error"] for row in sent} == {"n/a"}
    fired = [row["number"] for row in sent if row["what"] == "trigger"]
    assert fired == [row["number"] for row in read(folder / "firings.tsv")]
    for row in sent:
        if row["what"] == "score" and row["number"] != "0":
            assert float(row["time"]) >= float(scores[row["number"]]["time"])
    by_time = {round(float(row["time"]), 5): row for row in scores.values()}
    heard = [(stamp, sample) for stamp, sample in heard if round(stamp, 5) in by_time]
    assert len(heard) > 5
    for stamp, sample in heard:
        row = by_time[round(stamp, 5)]
        expected = [number(row[name]) for name in ("raw", "value", "told")]
        np.testing.assert_allclose(sample, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('[protocol]\nmeasure = "joy"', "measure = 'joy': must be one of similarity"),
        (f'{PROBABILITY_OF} "horse"', "'horse': must be one of the decoder's candidates, cat, dog"),
        ('[protocol]\nmeasure = "region"', "region is missing"),
        (f'{OF_REGION} "early"\ntarget = "dog"', "a region has none"),
        (f'{OF_REGION} "nowhere.nii"', "cannot be read as a NIfTI mask"),
        (f'{SIMILAR}\nregion = "early"', "leave it out"),
        (f"{SIMILAR}\nmeasured = 1", "unknown key 'measured'"),
        (f'{SIMILAR}\nsham = "here"', "need each other"),
        (f"{SIMILAR}\n{SHAM_BLOCK}", "need each other"),
        (f'{SIMILAR}\nsham = "nowhere"\n{SHAM_BLOCK}', "has no scores"),
        (f'{SIMILAR}\n[[block]]\nkind = "sleep"\nduration_s = 1', "kind = 'sleep'"),
        (f"{SIMILAR}\ntarget = '{'x' * 1001}'", "at most 1000 characters, not 1001"),
        ('[[block]]\nkind = "rest"\nduration_s = 1', r"\[\[block\]\] without \[protocol\]"),
        ('[[output]]\nkind = "osc"', r"\[\[output\]\] without \[protocol\]"),
        (f'{SIMILAR}\n[[output]]\nkind = "smoke"', "kind = 'smoke'"),
        (f'{SIMILAR}\n[[person]]\nname = "a"\n[[person]]\nname = "b"', "one is in the scanner"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_has_begun(room: Room, toml: str, told: str) -> None:
    refused(room, room.session("mistaken", toml, wait_s=0.1), told)


def refused(room: Room, session: Session, told: str) -> None:
    with pytest.raises(Error, match=told) as raised, opened(session, room.artifact):
        pass
    assert "\n" not in str(raised.value)
    assert not (room.folder / "mistaken").exists()


def test_another_persons_patterns_are_none_of_this_persons_region(
    room: Room, similarity: tuple[Path, list[Presentation]]
) -> None:
    for code in ("P01", "P02"):  # both, so that a refusal tells nothing
        session = room.session("mistaken", f'{OF_REGION} "early"', yoked=codes(room), code=code)
        refused(room, session, "not for --yoked")


def test_free_viewing_has_no_trials(room: Room) -> None:
    for toml, told in {
        SIMILAR: "free viewing has no trial types",
        f'{SIMILAR}\ntarget = "dog"\nwhen = "trial"': "free viewing has no trials",
    }.items():
        refused(room, room.session("mistaken", toml, free_viewing=True), told)


def opened(session: Session, artifact: Artifact) -> Any:
    return open_session(session, artifact, threading.Event())


def test_a_mask_of_another_space_is_refused(room: Room) -> None:
    shapes = {(5, 5, 4): room.geometry.affine, room.geometry.shape: np.eye(4)}
    for told, (shape, affine) in zip(("voxels", "affine"), shapes.items(), strict=True):
        file = room.folder / f"{told}.nii"
        nib.save(nib.Nifti1Image(np.ones(shape, np.uint8), affine), file)
        refused(room, room.session("mistaken", f'{OF_REGION} "{file}"'), told)
