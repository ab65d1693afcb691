"""A recorded EEG session as a BIDS data set: each person is a subject of it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import isnan
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.archive.brainvision import Mark, write_brainvision
from rtrecon.archive.derived import AS_THEY_ARE, FEEDBACK, write_derived_top
from rtrecon.archive.raw import EVENTS, Names, time_of_day, write_raw_top
from rtrecon.archive.tables import write_json, write_tsv
from rtrecon.eeg.folder import STAMP, EegFolder, Recording
from rtrecon.eeg.index import units_uv
from rtrecon.eeg.settings import Eeg, read_eeg
from rtrecon.errors import BadDataset
from rtrecon.printable import printable
from rtrecon.types import Event

GAP, TRIGGER = "boundary", "trigger"
_MARKED = {
    "onset": {"Description": "Of the first sample at or after it, in the recording", "Units": "s"},
    "sample": {"Description": "The same, counted from 0"},
    "trial_type": {
        "Description": f"Condition, as the stimulus program named it; {GAP}: samples are missing "
        f"before this one; {TRIGGER}: a trigger's pulse"
    },
    **{name: EVENTS[name] for name in ("stim_name", "caption")},
}
_SCORED = {name: told for name, told in FEEDBACK.items() if name not in ("volume", "trial")} | {
    "onset": {"Description": "Of the newest sample in the score, in the recording", "Units": "s"},
    "sample": {"Description": "How many samples of the recording were known; -1: no signal"},
    "acquired": {"Description": "Stamp of the newest sample, LSL clock", "Units": "s"},
}


def write_eeg(root: Path, session: EegFolder, names: Names) -> None:
    """Write the data set and its derivatives into an empty folder.

    Raises
    ------
    BadDataset
        There is not one sample.
    """
    if not any(len(recording.samples) for recording in session.recordings):
        raise BadDataset(f"{session.folder} has no sample: there is nothing in it")
    derived = root / "derivatives" / "rtrecon"
    settings = read_eeg(session.about["tables"], str(session.folder))
    people = [name for name, _ in _named(session, names)]
    for own, recording in _named(session, names):
        if len(recording.samples):
            _write_person(root / own.folder, session, recording, own, settings)
            _write_scores(derived / own.folder / "eeg", session, recording, own)
    online = derived / "online"
    online.mkdir(parents=True)
    for file in session.folder.iterdir():
        if file.name in (*AS_THEY_ARE, "participant.tsv"):
            shutil.copyfile(file, online / file.name)
    for n, recording in enumerate(session.recordings, 1):
        np.save(online / f"eeg-{n}-stamps.npy", recording.stamps)
    write_derived_top(derived, session, "Scores that were fed back", _DERIVED)
    subjects = [own.subject for own in people]
    write_raw_top(root, f"EEG with feedback, {names.visit}", subjects, _README)


def _named(session: EegFolder, names: Names) -> Iterator[tuple[Names, Recording]]:
    """Several people are told apart by a letter, in the order of the session."""
    several = len(session.recordings) > 1
    for letter, recording in zip(ascii_lowercase, session.recordings, strict=False):
        subject = f"{names.subject}{letter}" if several else names.subject
        yield replace(names, subject=subject), recording


def _write_person(
    folder: Path, session: EegFolder, recording: Recording, names: Names, settings: Eeg
) -> None:
    eeg, stem = folder / "eeg", f"{names.visit}_task-{names.task}_run-1"
    eeg.mkdir(parents=True)
    signal, events = recording.signal, _events(session, recording)
    began = time_of_day(session.about, float(recording.stamps[0, STAMP]))
    marks = [
        Mark("New Segment" if event["trial_type"] == GAP else "Comment", str(event["trial_type"]),
             int(event["sample"]))
        for event in events
    ]  # fmt: skip
    unit_uv: NDArray[np.float64] = units_uv(settings, signal)
    write_brainvision(
        eeg / f"{stem}_eeg", recording.samples, signal.rate_hz, signal.labels, unit_uv, marks, began
    )
    write_json(eeg / f"{stem}_eeg.json", _sidecar(recording, names, settings))
    channels = [{"name": label, "type": "EEG", "units": "uV"} for label in signal.labels]
    write_tsv(eeg / f"{stem}_channels.tsv", ("name", "type", "units"), channels)
    columns = ["onset", "duration", "trial_type", "sample", "stim_name", "caption"]
    write_tsv(eeg / f"{stem}_events.tsv", columns, events)
    write_json(eeg / f"{stem}_events.json", _MARKED)
    scans = [{"filename": f"eeg/{stem}_eeg.vhdr", "acq_time": began}]
    write_tsv(folder / f"{names.visit}_scans.tsv", ("filename", "acq_time"), scans)


def _sidecar(recording: Recording, names: Names, settings: Eeg) -> dict[str, Any]:
    signal, gaps = recording.signal, recording.gaps()
    unknown = not settings.unit_uv and not signal.units_known
    return {
        "TaskName": names.task,
        "EEGReference": "n/a",
        "SamplingFrequency": signal.rate_hz,
        "PowerLineFrequency": settings.mains_hz or "n/a",
        "SoftwareFilters": "n/a",
        "EEGChannelCount": signal.n_channels,
        "RecordingDuration": len(recording.samples) / signal.rate_hz,
        "RecordingType": "discontinuous" if gaps else "continuous",
        "Gaps": gaps,
        **({"UnitsNote": "The stream told no unit: taken for microvolts"} if unknown else {}),
    }


def _events(session: EegFolder, recording: Recording) -> list[dict[str, Any]]:
    """Trials, triggers and gaps, at the first sample that is not older."""
    stamps = np.asarray(recording.stamps[:, STAMP])
    events: list[dict[str, Any]] = [
        {"sample": sample, "duration": 0.0, "trial_type": GAP} for sample in recording.gaps()
    ]
    for marker in session.markers:
        if isnan(marker.stamp) or marker.event not in (Event.TRIAL, Event.TRIGGER):
            continue
        trial = marker.event is Event.TRIAL
        events.append({
            "sample": min(int((stamps < marker.stamp).sum()), len(stamps) - 1),
            "duration": marker.duration_s if trial else 0.0,
            "trial_type": printable(marker.trial_type) if trial else TRIGGER,
            "stim_name": marker.stim_file, "caption": marker.caption,
        })  # fmt: skip
    rate_hz = recording.signal.rate_hz
    ordered = sorted(events, key=lambda event: int(event["sample"]))
    return [event | {"onset": event["sample"] / rate_hz} for event in ordered]


def _write_scores(folder: Path, session: EegFolder, recording: Recording, names: Names) -> None:
    """What was fed back to this person, in time with the recording."""
    folder.mkdir(parents=True)
    fired = {row["score"] for row in session.table("firings.tsv")}
    rate_hz, person = recording.signal.rate_hz, printable(recording.person.name)
    rows: list[dict[str, object]] = [
        {
            **row,
            "onset": (int(row["sample"]) - 1) / rate_hz if int(row["sample"]) > 0 else None,
            "fired": str(int(row["number"] in fired)),
        }
        for row in session.table("scores.tsv")
        if row["person"] == person
    ]  # fmt: skip
    table = folder / f"{names.visit}_task-{names.task}_run-1_desc-feedback_timeseries"
    write_tsv(Path(f"{table}.tsv"), list(_SCORED), rows)
    write_json(Path(f"{table}.json"), _SCORED)


_README = """# An EEG session with feedback

Samples as they came from the amplifiers, one subject for each person, in the order of the session.
`derivatives/rtrecon` holds the scores that were fed back, when each sample came (`online/eeg-1-stamps.npy`
for the first person: stamp on the local clock, stamp as sent, arrival, s), versions and settings.

Where samples are missing, the recording goes on without a hole: these places are told as `boundary` in
`_events.tsv`, as `Gaps` in `_eeg.json` and as new segments in the `.vmrk` file.

To be added by hand: authors, licence and ethics approval in `dataset_description.json`, age, sex and
handedness in `participants.tsv`, reference, cap and amplifier in the `_eeg.json` files.
"""

_DERIVED = """# What was made of the samples during the session

`sub-*/eeg/`: the scores of each person, in time with the recording. `online/`: the record itself.
`scores.tsv`, `firings.tsv`, `sent.tsv`, `participant.tsv`, `status.jsonl`, `markers.jsonl`, `log.txt`,
`session.json` and `summary.json` as they were written during the session; `eeg-1-stamps.npy` and so on:
stamp on the local clock, stamp as sent and arrival of each sample, s. Times are of the LSL clock,
`session.json` has the offset to the time of day.
"""
