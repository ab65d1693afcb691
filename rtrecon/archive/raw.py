"""The raw data set: what the scanner sent and what the person was shown."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rtrecon import __version__
from rtrecon.archive.bold import write_bold
from rtrecon.archive.runs import RecordedRun
from rtrecon.archive.tables import number, write_json, write_tsv
from rtrecon.session_folder import SessionFolder
from rtrecon.types import Marker

BIDS_VERSION = "1.10.0"
EVENTS: dict[str, Any] = {
    "trial_type": {"Description": "Condition, as the stimulus program named it"},
    "stim_file": {"Description": "Picture shown, below stimuli/"},
    "stim_name": {"Description": "What the stimulus program called the picture; never checked"},
    "caption": {"Description": "What the picture shows, in words, as the stimulus program said"},
}


@dataclass(frozen=True)
class Names:
    """How the person, the task and the visit are called; labels of letters and digits."""

    subject: str = "01"
    task: str = "view"
    session: str = ""

    @property
    def folder(self) -> Path:
        """Of one person's visit, within a data set."""
        visit = [f"ses-{self.session}"] if self.session else []
        return Path(f"sub-{self.subject}", *visit)

    @property
    def visit(self) -> str:
        """What the names of the visit's files begin with."""
        return "_".join(self.folder.parts)

    def run(self, run: RecordedRun) -> str:
        """What the names of a run's files begin with."""
        return f"{self.visit}_task-{self.task}_run-{run.label}"


def write_raw(
    root: Path,
    session: SessionFolder,
    runs: Sequence[RecordedRun],
    names: Names,
    pictures: Mapping[str, Path],
) -> None:
    """Write the raw data set into an empty folder. `pictures`: by the name that markers use."""
    func = root / names.folder / "func"
    func.mkdir(parents=True)
    shown = _copy_stimuli(root / "stimuli", runs, pictures)
    for run in runs:
        stem = names.run(run)
        write_json(func / f"{stem}_bold.json", _sidecar(session, run, names.task))
        columns = _event_columns(run, shown)
        write_tsv(
            func / f"{stem}_events.tsv", columns, [_event(trial, shown) for trial in run.trials]
        )
        told = {name: text for name, text in EVENTS.items() if name in columns}
        write_json(func / f"{stem}_events.json", told)
        write_bold(func / f"{stem}_bold.nii.gz", session, run)
    rows = [
        {"filename": f"func/{names.run(run)}_bold.nii.gz", "acq_time": acquired_at(session, run)}
        for run in runs
    ]
    write_tsv(root / names.folder / f"{names.visit}_scans.tsv", ("filename", "acq_time"), rows)
    write_raw_top(root, f"Live reconstruction, {names.visit}", [names.subject], _README)


def acquired_at(session: SessionFolder, run: RecordedRun) -> str:
    """When volume 0 began, in UTC; empty where the session did not note its clocks."""
    geometry = session.geometry
    volume, index = next(iter(run.accepted.items()))
    ended = number(session.rows[index]["acquired"])
    return time_of_day(session.about, ended - (volume + 1) * geometry.tr_s / geometry.speed)


def time_of_day(about: Mapping[str, Any], stamp: float) -> str:
    """An LSL time in UTC; empty where the session did not note its clocks."""
    clock = about.get("clock", {})
    try:
        began = stamp - clock["lsl"] + clock["unix"]
        return datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (TypeError, LookupError, ValueError, OverflowError, OSError):
        return ""


def _copy_stimuli(
    folder: Path, runs: Sequence[RecordedRun], pictures: Mapping[str, Path]
) -> set[str]:
    """Names of the pictures that were shown and are at hand; these are copied."""
    named = {trial.stim_file for run in runs for trial in run.trials}
    shown = named & pictures.keys()
    for name in shown:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pictures[name], folder / name)
    return shown


def _sidecar(session: SessionFolder, run: RecordedRun, task: str) -> dict[str, Any]:
    geometry = session.geometry
    content: dict[str, Any] = {
        "TaskName": task,
        "RepetitionTime": geometry.tr_s,
        "ConversionSoftware": "rtrecon",
        "ConversionSoftwareVersion": __version__,
    }
    if len(geometry.slice_times_s) == geometry.shape[2]:
        content["SliceTiming"] = list(geometry.slice_times_s)
    if len(geometry.echo_times_s) == 1:
        content["EchoTime"] = geometry.echo_times_s[0]
    elif geometry.echo_times_s:
        content["CombinedEchoTimes"] = list(geometry.echo_times_s)
    scanner = session.about.get("scanner")
    if isinstance(scanner, dict):
        content |= {key: scanner[key] for key in _SCANNER if isinstance(scanner.get(key), str)}
    lost, rejected = run.of_status("lost"), run.of_status("rejected")
    content |= {"LostVolumes": lost, "RejectedVolumes": rejected}
    if lost or rejected:
        content["MissingVolumesNote"] = (
            "Volumes that never reached the receiver (LostVolumes) or that it rejected "
            "(RejectedVolumes) are zeros; indices count from 0"
        )
    return content


_SCANNER = ("Manufacturer", "ManufacturersModelName", "InstitutionName", "StationName")


def _event_columns(run: RecordedRun, shown: set[str]) -> list[str]:
    columns = ["onset", "duration", "trial_type"]
    columns += ["stim_file"] * any(trial.stim_file in shown for trial in run.trials)
    columns += ["stim_name"] * any(trial.stim_file not in {"", *shown} for trial in run.trials)
    return columns + ["caption"] * any(trial.caption for trial in run.trials)


def _event(trial: Marker, shown: set[str]) -> dict[str, object]:
    column = "stim_file" if trial.stim_file in shown else "stim_name"
    return {
        "onset": trial.onset_s, "duration": trial.duration_s, "trial_type": trial.trial_type,
        column: trial.stim_file, "caption": trial.caption,
    }  # fmt: skip


def write_raw_top(root: Path, name: str, subjects: Sequence[str], readme: str) -> None:
    """What BIDS wants beside the subjects' folders."""
    by = {"Name": "rtrecon", "Version": __version__, "Description": "rtrecon finalize"}
    write_json(
        root / "dataset_description.json",
        {
            "Name": name,
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "GeneratedBy": [by],
        },
    )
    write_tsv(
        root / "participants.tsv", ("participant_id",),
        [{"participant_id": f"sub-{subject}"} for subject in subjects],
    )  # fmt: skip
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    (root / "CHANGES").write_text(f"1.0.0 {today}\n  - Made by rtrecon {__version__}\n")
    (root / "README.md").write_text(readme)


_README = """# A session of live reconstruction

Volumes as they came from the scanner, and the events as the stimulus program announced them.
`derivatives/rtrecon` holds what was made of them during the scan: patterns, decodings, the pictures
as shown with their times, head motion and quality, versions and settings, and the CRED-nf checklist
as far as the record can fill it in.

A volume that was lost on its way or rejected is all zeros, so that time is kept. Which ones those
are is in each run's `_bold.json` and, volume by volume, in the derivative's
`_desc-confounds_timeseries.tsv`.

To be added by hand: authors, licence and ethics approval in `dataset_description.json`, age, sex and
handedness in `participants.tsv`, the scanner and its sequence in the `_bold.json` files.
"""
