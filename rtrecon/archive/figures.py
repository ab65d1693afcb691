"""What the record of a session has to say, by the items of the checklist."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np

from rtrecon.archive.derived import quality_of
from rtrecon.archive.runs import RecordedRun
from rtrecon.archive.tables import number
from rtrecon.quality import START_UP
from rtrecon.session_folder import Row, SessionFolder, open_rows
from rtrecon.summary import percentiles

BY_HAND = {
    "3d": "physiological noise, if anything was done about it",
    "3e": "differences between groups",
    "4a": "the calibration session that the decoder was fitted on, and its accuracy",
    "4b": "why this schedule",
    "4c": "whether the participant saw the pictures or the operator alone, and on what screen",
    "4d": "which of these the participant saw",
    "4e": "scanner, head coil, sequence, screen or projector, response devices",
    "5a": "what counts as success in this study",
    "5b": "between sessions, and resting baselines",
    "7a": "the repository and its address",
}  # fmt: skip


def acquisition(session: SessionFolder, runs: Sequence[RecordedRun]) -> dict[str, Any]:
    """What the stream said of its volumes."""
    geometry = session.geometry
    sizes = np.linalg.norm(geometry.affine[:3, :3], axis=0)
    return {
        "repetition time (s)": geometry.tr_s,
        "echo times (s)": list(geometry.echo_times_s) or "unknown",
        "matrix": list(geometry.shape),
        "voxel size (mm)": [round(float(size), 4) for size in sizes],
        "slice times": "in the sidecars" if geometry.slice_times_s else "unknown",
        "volumes of each run": [run.n_volumes for run in runs],
        "replayed at (times real time)": geometry.speed,
    }


def processing(session: SessionFolder, runs: Sequence[RecordedRun]) -> dict[str, Any]:
    """Item 3d."""
    rows = session.table("quality.tsv")
    realigned = any(np.isfinite(number(row["x_mm"])) for row in rows)
    return {
        "motion correction": "every volume realigned to the calibration's reference, rigid, "
        "inverse-compositional Gauss-Newton on a cubic-spline reference" if realigned else "none",
        "trends and noise": "per voxel, a baseline that walks at random, the trial's amplitude and "
        "the one before, estimated volume by volume; regressor: the trial's haemodynamic response",
        "volumes weighted": "by DVARS and framewise displacement; the first "
        f"{START_UP} of a run count for nothing; dead and spiking voxels are left out",
        "volumes lost": sum(len(run.of_status("lost")) for run in runs),
        "volumes rejected": sum(len(run.of_status("rejected")) for run in runs),
        "volumes that counted in part or not": sum(number(row["weight"]) < 1 for row in rows),
        "latency (ms)": latencies(session),
    }  # fmt: skip


def latencies(session: SessionFolder) -> dict[str, dict[str, float]]:
    """From the arrival of a volume to its decoding, its first and its finished picture."""
    decoded = [_after(row, "decoded") for row in session.table("trials.tsv")]
    first: dict[tuple[str, str], float] = {}
    final = []
    for row in session.table("frames.tsv"):
        first.setdefault((row["trial"], row["received"]), _after(row, "painted"))
        if row["step"] == row["steps"]:
            final.append(_after(row, "painted"))
    series = {
        "arrival to decoded": decoded,
        "arrival to first picture": [*first.values()],
        "arrival to finished picture": final,
    }
    return {
        name: percentiles([x for x in ms if np.isfinite(x)]) for name, ms in series.items() if ms
    }


def artefacts(session: SessionFolder, runs: Sequence[RecordedRun]) -> dict[str, Any]:
    """Item 3e: motion by run and by condition."""
    by_run: dict[str, float] = {}
    by_condition: dict[str, list[float]] = {}
    for run, quality in zip(runs, quality_of(session, runs), strict=True):
        moved = {n: number(row["framewise_mm"]) for n, row in quality.items()}
        moved = {n: mm for n, mm in moved.items() if np.isfinite(mm)}
        if moved:
            by_run[f"run {run.label}"] = float(np.mean([*moved.values()]))
        tr_s = session.geometry.tr_s
        for trial in run.trials:
            end_s = trial.onset_s + max(tr_s, np.nan_to_num(trial.duration_s))
            during = [mm for n, mm in moved.items() if trial.onset_s <= n * tr_s < end_s]
            by_condition.setdefault(trial.trial_type, []).extend(during)
    means = {name: float(np.mean(mm)) for name, mm in by_condition.items() if mm}
    return {
        "mean framewise displacement (mm)": by_run or "not measured",
        "the same by condition (mm)": means or "not measured",
    }


def feature(session: SessionFolder) -> dict[str, Any]:
    """Item 4a."""
    shapes = {}
    for name in ("patterns", "z", "c"):
        try:
            shapes[name] = list(open_rows(session.folder / f"{name}.npy").shape[1:])
        except (OSError, ValueError):
            continue
    about = session.about
    return {
        "feature": "a voxel pattern of evidence about the trial, taken by linear maps (ridge) to the "
        "latent z and the conditioning c of an image generator",
        "voxels": shapes.get("patterns", "not recorded"),
        "z": shapes.get("z", "not recorded"),
        "c": shapes.get("c", "not recorded"),
        "decoder": about.get("decoder", "not recorded"),
        "generator": about.get("generator", "not recorded"),
        "candidates": list(about.get("candidates", [])),
        "feedback protocol": _tables(session, "protocol"),
    }


def schedule(session: SessionFolder) -> dict[str, Any]:
    """Item 4b."""
    free = session.about.get("free_viewing")
    return {
        "schedule": "continuous: a picture for every volume decoded, not held back or rewarded",
        "trials": "none: what was seen about 5 s ago" if free else "announced by markers",
        "volumes decoded": len(session.table("trials.tsv")),
        "blocks of the feedback protocol": _tables(session, "block"),
        "scores": len(session.table("scores.tsv")),
        "firings": len(session.table("firings.tsv")),
    }


def content(session: SessionFolder) -> dict[str, Any]:
    """Item 4c."""
    rows = session.table("frames.tsv")
    return {
        "modality": "visual: reconstructed pictures",
        "pictures shown": len(rows),
        "finished ones among them": sum(row["step"] == row["steps"] for row in rows),
        "settings": session.about.get("settings", "not recorded"),
    }


def variables(session: SessionFolder) -> dict[str, Any]:
    """Item 4d."""
    return {
        "pictures as shown": "online/frames, times in online/frames.tsv",
        "what they were drawn of": "online/z.npy, c.npy, patterns.npy, probabilities.npy, row by row "
        "with online/decoded.tsv",
        "scores as told": "online/scores.tsv; where they went, online/sent.tsv"
        if session.table("scores.tsv")
        else "no feedback protocol",
        "settings over time": "online/settings.jsonl"
        if (session.folder / "settings.jsonl").is_file()
        else "not recorded",
    }


def machines(session: SessionFolder) -> dict[str, Any]:
    """Item 4e."""
    about = session.about
    return {
        "versions": about.get("versions", "not recorded"),
        "computer": about.get("machine", "not recorded"),
        "stream": f"Lab Streaming Layer, '{about.get('stream', 'not recorded')}'",
        "started": about.get("started", "not recorded"),
    }


def success(session: SessionFolder) -> dict[str, Any]:
    """Item 5a: the measure in each kind of block, and how often trials were identified."""
    return _identified(session) | {"mean raw measure by block": _by_block(session)}


def _by_block(session: SessionFolder) -> dict[str, float] | str:
    raw: dict[str, list[float]] = {}
    for row in session.table("scores.tsv"):
        if not isnan(measured := number(row["raw"])):
            raw.setdefault(row["block"], []).append(measured)
    return {block: float(np.mean(of)) for block, of in raw.items()} or "no feedback protocol"


def _tables(session: SessionFolder, name: str) -> Any:
    """What the configuration said of a feedback protocol."""
    tables = session.about.get("tables")
    found = tables.get(name) if isinstance(tables, dict) else None
    return found or "none"


def _identified(session: SessionFolder) -> dict[str, Any]:
    """How often the last volume of a trial named its condition."""
    known = set(session.about.get("candidates", []))
    last: dict[str, Row] = {row["trial"]: row for row in session.table("trials.tsv")}
    scored = [row for row in last.values() if row["trial_type"] in known]
    if not scored or len(known) < 2:
        return {"identification": "no trial whose condition is among the candidates"}
    right = sum(row["predicted"] == row["trial_type"] for row in scored)
    return {
        "trials": len(scored),
        "identified at their last volume": right / len(scored),
        "chance": 1 / len(known),
    }


def course() -> dict[str, Any]:
    """Item 5b."""
    return {
        "plots": "online/quality.png and contact_sheet.png, where the session ended in order",
        "values": "online/decoded.tsv, probabilities.npy; of a feedback protocol online/scores.tsv",
    }


def data() -> dict[str, Any]:
    """Item 7a."""
    return {"raw data, derivatives and displayed values": "this BIDS data set"}


def _after(row: Row, what: str) -> float:
    return 1e3 * (number(row[what]) - number(row["received"]))
