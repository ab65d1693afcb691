"""An EEG session's folder, however it ended, becomes a valid BIDS data set that others read the same."""

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pytest
from numpy.typing import NDArray

from rtrecon.__main__ import main
from rtrecon.archive import finalize
from rtrecon.eeg.inlet import Chunk
from rtrecon.eeg.record import EegRecorder
from rtrecon.eeg.signal import Signal
from rtrecon.errors import BadDataset
from rtrecon.types import Event, Marker
from tests.rtrecon.test_finalize import validated

RATE_HZ = 250.0
DTYPES = ("float32", "int16", "int32", "float64")
HOLE = 300  # before this sample a second is missing


def record(folder: Path, dtypes: tuple[str, ...], n: int = 500) -> list[NDArray[Any]]:
    """A session by the real recorder, with one person for each type; it is killed in the end."""
    rng = np.random.default_rng(0)
    signals = [
        Signal(f"s-{dtype}", ("Fp1", "a,b", "O1"), RATE_HZ, dtype, (1.0, 1e3, np.nan))
        for dtype in dtypes
    ]
    people = [
        {"name": s.dtype, "colour": "#000000",
         "signal": asdict(s) | {"unit_uv": [1.0, 1e3, None]}} for s in signals
    ]  # fmt: skip
    tables = {"eeg": {"mains_hz": 50}, "protocol": {}}
    clock = {"lsl": 1000.0, "unix": 1_800_000_000.0}
    about = {"kind": "eeg", "people": people, "tables": tables, "clock": clock}
    recorder = EegRecorder(folder, signals, about)
    stamps = 1000 + np.arange(n) / RATE_HZ
    stamps[HOLE:] += 1.0
    given = []
    for place, signal in enumerate(signals):
        samples = rng.normal(0, 100, (n, 3)).astype(signal.dtype)
        for piece in (slice(0, HOLE), slice(HOLE, n)) if n else ():
            recorder.chunk(place, Chunk(samples[piece], stamps[piece], stamps[piece], 0.0))
        given.append(samples)
    recorder.marker(Marker(Event.TRIAL, "dog, big", 0.0, 2.0, "dog.png", stamp=1000.5))
    recorder.marker(Marker(Event.TRIGGER, stamp=1001 + (HOLE + 10) / RATE_HZ))
    recorder.close()
    return given


def table(file: Path) -> list[dict[str, str]]:
    with file.open() as opened:
        return list(csv.DictReader(opened, delimiter="\t"))


def test_samples_labels_units_and_events_are_read_by_another_program(tmp_path: Path) -> None:
    given = record(tmp_path / "s", DTYPES)
    dataset = finalize(tmp_path / "s", tmp_path / "bids")
    assert validated(dataset) == []
    assert [row["participant_id"] for row in table(dataset / "participants.tsv")] == [
        "sub-01a", "sub-01b", "sub-01c", "sub-01d",
    ]  # fmt: skip
    for letter, samples in zip("abcd", given, strict=True):
        stem = dataset / f"sub-01{letter}" / "eeg" / f"sub-01{letter}_task-view_run-1"
        raw = mne.io.read_raw_brainvision(f"{stem}_eeg.vhdr", verbose="error")
        assert raw.ch_names == ["Fp1", "a,b", "O1"]
        assert raw.info["sfreq"] == RATE_HZ
        assert raw.info["meas_date"].isoformat() == "2027-01-15T08:00:00+00:00"
        volts = samples.astype(np.float64).T * np.array([[1e-6], [1e-3], [1e-6]])
        np.testing.assert_allclose(raw.get_data(), volts, rtol=1e-6)
        told = [(a["description"], round(a["onset"] * RATE_HZ)) for a in raw.annotations]
        assert told == [
            ("New Segment/", 0), ("Comment/dog, big", 125), ("New Segment/boundary", HOLE),
            ("Comment/trigger", HOLE + 10),
        ]  # fmt: skip
        events = table(Path(f"{stem}_events.tsv"))
        assert [(e["onset"], e["duration"], e["trial_type"]) for e in events] == [
            ("0.5", "2", "dog, big"), ("1.2", "0", "boundary"), ("1.24", "0", "trigger"),
        ]  # fmt: skip
        about = json.loads(Path(f"{stem}_eeg.json").read_text())
        assert (about["RecordingType"], about["Gaps"]) == ("discontinuous", [HOLE])
        assert about["PowerLineFrequency"] == 50
    stamps = np.load(dataset / "derivatives" / "rtrecon" / "online" / "eeg-2-stamps.npy")
    np.testing.assert_array_equal(stamps, np.load(tmp_path / "s" / "eeg-2-stamps.npy"))


def test_of_a_folder_that_was_cut_off_what_is_whole_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"
    (samples,) = record(folder, ("int16",))
    for name, lost in (("eeg-1.npy", 2), ("eeg-1-stamps.npy", 5 * 24 + 1), ("markers.jsonl", 3)):
        with (folder / name).open("r+b") as opened:
            opened.truncate((folder / name).stat().st_size - lost)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert main(["finalize", str(folder), "--output", str(tmp_path / "bids")]) == 0
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}
    stem = tmp_path / "bids" / "sub-01" / "eeg" / "sub-01_task-view_run-1"
    there = np.fromfile(f"{stem}_eeg.eeg", "<i2").reshape(-1, 3)
    np.testing.assert_array_equal(there, samples[:494])
    assert [e["trial_type"] for e in table(Path(f"{stem}_events.tsv"))] == ["dog, big", "boundary"]


def test_an_empty_or_damaged_folder_is_one_line(tmp_path: Path) -> None:
    record(tmp_path / "empty", ("int16",), n=0)
    with pytest.raises(BadDataset, match="has no sample"):
        finalize(tmp_path / "empty")
    record(tmp_path / "s", ("int16",))
    about = json.loads((tmp_path / "s" / "session.json").read_text())
    for change in ({"rate_hz": 0}, {"labels": ["../x"]}, {"dtype": "O"}, {"unit_uv": [None]}):
        person = about["people"][0]
        changed = about | {"people": [person | {"signal": person["signal"] | change}]}
        (tmp_path / "s" / "session.json").write_text(json.dumps(changed))
        with pytest.raises(BadDataset, match="is damaged"):
            finalize(tmp_path / "s")
    assert not (tmp_path / "s" / "bids").exists()
