"""The derivative data set: what was made of the volumes while they came, and what was shown."""

import logging
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rtrecon import __version__
from rtrecon.archive.raw import BIDS_VERSION, Names
from rtrecon.archive.runs import RecordedRun
from rtrecon.archive.tables import number, write_json, write_tsv
from rtrecon.session_folder import RecordedFolder, Row, SessionFolder, open_rows

log = logging.getLogger(__name__)

AS_THEY_ARE = (
    "session.json", "settings.jsonl", "status.jsonl", "markers.jsonl", "volumes.tsv", "quality.tsv",
    "summary.json", "log.txt", "contact_sheet.png", "quality.png",
    "scores.tsv", "firings.tsv", "sent.tsv", "targets.npy",
)  # fmt: skip
ARRAYS = {
    "patterns": "Evidence of each voxel that the decoders read, in units of its noise SD",
    "z": "Predicted diffusion latent (channels, height, width)",
    "c": "Predicted text conditioning (tokens, features)",
    "probabilities": "Probability of each candidate, in the order of session.json's candidates",
}
_MOTION = {
    "trans_x": "x_mm", "trans_y": "y_mm", "trans_z": "z_mm",
    "rot_x": "pitch_rad", "rot_y": "roll_rad", "rot_z": "yaw_rad",
    "framewise_displacement": "framewise_mm", "dvars": "dvars", "weight": "weight",
    "reason": "reason",
}  # fmt: skip
CONFOUNDS: dict[str, Any] = {
    "lost": {"Description": "1: the volume never came; its voxels are zeros"},
    "rejected": {"Description": "1: it came and was rejected; its voxels are zeros"},
    "fault": {"Description": "Why it was rejected"},
    **{
        f"trans_{axis}": {
            "Description": "Translation against the calibration's reference (SPM's convention)",
            "Units": "mm",
        }
        for axis in "xyz"
    },
    **{
        f"rot_{axis}": {
            "Description": "Rotation against the calibration's reference (SPM's convention)",
            "Units": "rad",
        }
        for axis in "xyz"
    },
    "framewise_displacement": {
        "Description": "Sum of the six absolute changes since the volume before, rotations at 50 mm",
        "Units": "mm",
    },
    "dvars": {"Description": "Change since the volume before, as a multiple of the usual"},
    "weight": {"Description": "How much the volume counted online, 0 to 1"},
    "reason": {"Description": "Why it did not count in full"},
    "acquired": {"Description": "End of acquisition, LSL clock", "Units": "s"},
    "received": {"Description": "Arrival, LSL clock", "Units": "s"},
}
FEEDBACK: dict[str, Any] = {
    "onset": {
        "Description": "Middle of the newest volume in the score; onset of the trial where there is "
        "one score for each trial",
        "Units": "s",
    },
    "volume": {"Description": "The newest volume in the score"},
    "trial": {"Description": "Counts from 1 in the session; 0: free viewing"},
    "block": {"Description": "Of the schedule: rest, regulate, transfer or sham"},
    "measure": {"Description": "What was measured"},
    "raw": {"Description": "As measured"},
    "value": {"Description": "Against baseline and scaling, 0 to 1"},
    "told": {"Description": "What participant and devices were told, 0 to 1"},
    "fired": {"Description": "1: the threshold was held with this score, and triggers fired"},
    "fault": {"Description": "Why there is no value"},
    "acquired": {"Description": "End of the volume's acquisition, LSL clock", "Units": "s"},
    "time": {"Description": "When the score was worked out, LSL clock", "Units": "s"},
}
_PICTURE = re.compile(r"\d{6,}(_sample-\d+)?\.png")


def write_derived(
    root: Path, session: SessionFolder, runs: Sequence[RecordedRun], names: Names
) -> None:
    """Write the derivative data set into an empty folder, without its report."""
    func, online = root / names.folder / "func", root / names.folder / "online"
    func.mkdir(parents=True)
    online.mkdir()
    for run, quality in zip(runs, quality_of(session, runs), strict=True):
        stem = func / names.run(run)
        table = f"{stem}_desc-confounds_timeseries"
        write_tsv(Path(f"{table}.tsv"), list(CONFOUNDS), confounds(session, run, quality))
        write_json(Path(f"{table}.json"), CONFOUNDS)
        if run.triggers:
            pulses = [
                {"onset": m.onset_s, "duration": 0.0, "trial_type": "trigger"} for m in run.triggers
            ]
            write_tsv(
                Path(f"{stem}_desc-triggers_events.tsv"),
                ("onset", "duration", "trial_type"),
                pulses,
            )
        _write_feedback(stem, session, run)
    for name in AS_THEY_ARE:
        if (session.folder / name).is_file():
            shutil.copyfile(session.folder / name, online / name)
    run_at = {session.rows[i]["received"]: run.label for run in runs for i in run.accepted.values()}
    _write_decoded(online, session, run_at)
    _write_frames(online, session, run_at)
    write_derived_top(root, session, "What rtrecon made of the volumes during the scan", _README)


def _write_feedback(stem: Path, session: SessionFolder, run: RecordedRun) -> None:
    """The scores of a run, where there was a protocol."""
    scores = [row for row in session.table("scores.tsv") if row.get("run") == str(run.label)]
    fired = {row["score"] for row in session.table("firings.tsv")}
    if scores:
        rows = [
            row | {"onset": row["elapsed"], "fired": str(int(row["number"] in fired))}
            for row in scores
        ]
        table = f"{stem}_desc-feedback_timeseries"
        write_tsv(Path(f"{table}.tsv"), list(FEEDBACK), rows)
        write_json(Path(f"{table}.json"), FEEDBACK)


def quality_of(session: SessionFolder, runs: Sequence[RecordedRun]) -> list[dict[int, Row]]:
    """For every run, volume number to its row of quality.tsv, which goes on from run to run."""
    rows, found, at = session.table("quality.tsv"), [], 0
    for run in runs:
        own: dict[int, Row] = {}
        for volume in run.accepted:
            ahead = _ahead(rows, at, volume)
            if ahead is not None:
                own[volume], at = rows[ahead], ahead + 1
        found.append(own)
    return found


def _ahead(rows: Sequence[Row], at: int, volume: int) -> int | None:
    """Where a volume's row is, sought only as long as the numbers rise: beyond is another run."""
    for index in range(at, len(rows)):
        if number(rows[index]["number"]) == volume:
            return index
        if number(rows[index]["number"]) > volume:
            return None
    return None


def confounds(
    session: SessionFolder, run: RecordedRun, quality: Mapping[int, Row]
) -> Iterator[dict[str, object]]:
    """One row for every volume of the run's image, lost ones too."""
    for volume in range(run.n_volumes):
        status, index = run.status(volume), run.accepted.get(volume)
        row: dict[str, object] = {
            "lost": int(status == "lost"),
            "rejected": int(status == "rejected"),
            "fault": run.rejected.get(volume) if status == "rejected" else None,
        }
        told = quality.get(volume, {})
        row |= {ours: told.get(theirs) for ours, theirs in _MOTION.items()}
        if index is not None:
            row |= {name: session.rows[index][name] for name in ("acquired", "received")}
        yield row


def _write_decoded(online: Path, session: SessionFolder, run_at: Mapping[str, int]) -> None:
    """The decoded volumes and, row by row with them, the arrays."""
    rows = session.table("trials.tsv")
    arrays = {}
    for name in ARRAYS:
        try:
            arrays[name] = open_rows(session.folder / f"{name}.npy")
        except FileNotFoundError:
            continue
        except (ValueError, OSError) as error:
            log.warning("%s.npy is left out: %s", name, error)
    whole = min([len(rows), *map(len, arrays.values())])
    _write_with_run(online / "decoded.tsv", rows[:whole], run_at)
    for name, array in arrays.items():
        np.save(online / f"{name}.npy", array[:whole])
    told = {
        f"{name}.npy": {
            "Description": ARRAYS[name] + "; row by row with decoded.tsv",
            "Shape": [whole, *array.shape[1:]],
            "Type": str(array.dtype),
        }
        for name, array in arrays.items()
    }
    write_json(online / "arrays.json", told)


def _write_frames(online: Path, session: SessionFolder, run_at: Mapping[str, int]) -> None:
    """The pictures that were shown; one that a kill cut off is in no table and stays behind."""
    rows = session.table("frames.tsv")
    shown = {f"{int(number(row['frame'])):06d}" for row in rows if number(row["frame"]) >= 0}
    (online / "frames").mkdir()
    for file in sorted((session.folder / "frames").glob("*.png")):
        if _PICTURE.fullmatch(file.name) and file.name.split("_")[0].split(".")[0] in shown:
            shutil.copyfile(file, online / "frames" / file.name)
    _write_with_run(online / "frames.tsv", rows, run_at)


def _write_with_run(file: Path, rows: Sequence[Row], run_at: Mapping[str, int]) -> None:
    columns = ["run", *(rows[0] if rows else ())]
    write_tsv(file, columns, ({"run": run_at.get(row["received"]), **row} for row in rows))


def write_derived_top(root: Path, session: RecordedFolder, name: str, readme: str) -> None:
    """What BIDS wants beside the subjects' folders, and what it is to overlook."""
    about = session.about
    versions = about.get("versions", {})
    by = [{"Name": "rtrecon", "Version": str(versions.get("rtrecon", __version__))}]
    write_json(
        root / "dataset_description.json",
        {
            "Name": name,
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": by,
            "DatasetLinks": {"raw": "../.."},
            "SourceDatasets": [{"URL": "../.."}],
            **{key.capitalize(): about[key] for key in ("decoder", "generator") if key in about},
            "Versions": versions,
        },
    )
    # what BIDS has no names for
    (root / ".bidsignore").write_text(
        "online\n*_crednf.*\n*_desc-confounds_timeseries.*\n*_desc-triggers_events.*\n"
        "*_desc-feedback_timeseries.*\n"
    )
    (root / "README.md").write_text(readme)


_README = """# What was made of the volumes during the scan

`func/`: head motion, quality and fate of every volume, by the names that fMRIPrep uses; the
scanner's triggers; the scores of a feedback protocol. `online/`: the record itself.

- `decoded.tsv`, one row for every volume that was decoded; `z.npy`, `c.npy`, `patterns.npy`,
  `probabilities.npy` row by row with it (`arrays.json` says what they hold)
- `frames.tsv` and `frames/`: every picture as shown. Times are of the LSL clock, `session.json` has
  the offset to the time of day
- `settings.jsonl`, `status.jsonl`, `markers.jsonl`, `volumes.tsv`, `quality.tsv`, `log.txt`,
  `session.json`, `summary.json`, and with a feedback protocol `scores.tsv`, `firings.tsv`, `sent.tsv`,
  as they were written during the session

`*_crednf.md` and `.json`: the CRED-nf checklist, filled in as far as the record can.
"""
