"""What a simulated session was worth: its record held against what was really shown."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.scoring.evaluate import two_way
from rtrecon.artifact import load_artifact
from rtrecon.decode import unit
from rtrecon.generators import load_generator
from rtrecon.stimuli import unpack_picture
from simulator import faces
from simulator.judge import WEIGHTS, Judge

AGES_S = (4, 6, 8, 10, 12)
_JUDGES = {"scenes": WEIGHTS, "faces": faces.JUDGE}  # each trained on true renders of these alone

Row = Mapping[str, str]


def score_session(folder: Path, decoder: Path, stimuli: Path) -> dict[str, Any]:
    """Two-way identification of the shown images and of z, by the age of the evidence.

    Images are compared in the features of a classifier that knows neither the generator nor the
    brain, and by the correlation of their pixels; latents by their correlation less the
    calibration's mean. Chance is 0.5. `stimuli` lie in the simulated session's dataset.
    """
    artifact = load_artifact(decoder)
    generator = load_generator(artifact.generator.name)
    decoded = _read(folder / "trials.tsv")
    files = {row["trial"]: stimuli / row["stim_file"] for row in decoded}
    truth = {trial: unpack_picture(file) for trial, file in files.items()}
    latents = generator.encode_images(list(truth.values())).reshape(len(truth), -1)
    latent_of = dict(zip(truth, latents, strict=True))
    scores: dict[str, Any] = {"by_age_s": {}}
    z, frames = np.load(folder / "z.npy"), _final_frames(folder)
    judge = Judge.load(_JUDGES[_shown_in(stimuli.parent)])
    mean = None if artifact.z is None else artifact.z.y_mean
    for age_s in (*AGES_S, np.inf):
        rows = _newest(decoded, age_s)
        at_age = {
            "trials": len(rows),
            "z": _z_two_way(
                [z[n] for n, _ in rows], [latent_of[r["trial"]] for _, r in rows], mean
            ),
        } | _image_scores(judge, folder, [row for _, row in _newest(frames, age_s)], truth)
        if np.isinf(age_s):
            scores |= at_age
        else:
            scores["by_age_s"][str(age_s)] = at_age
    summary = json.loads((folder / "summary.json").read_text())
    return scores | {"identification": summary["identification"]}


def table(scores: Mapping[str, Any]) -> str:
    """The scores by age as a Markdown table."""
    c = scores["identification"]
    lines = [
        "| evidence up to | trials | image, two-way | pixels, two-way | z, two-way | c, two-way "
        "| kind from c, top-1 |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [
        (f"{age} s", row, c["by_age_s"].get(age, {}))
        for age, row in scores["by_age_s"].items()
        if row["trials"]
    ]
    for name, row, of_c in [*rows, ("the trial's end", scores, c)]:
        cells = (row["image"], row["pixels"], row["z"], of_c.get("two_way"), of_c.get("top1"))
        shown = " | ".join("-" if x is None else f"{x:.2f}" for x in cells)
        lines.append(f"| {name} | {row['trials']} | {shown} |")
    chance = f"| chance | | 0.50 | 0.50 | 0.50 | 0.50 | {c['chance_top1']:.2f} |"
    return "\n".join([*lines, chance])


def _image_scores(
    judge: Judge, folder: Path, frames: Sequence[Row], truth: Mapping[str, NDArray[np.uint8]]
) -> dict[str, Any]:
    if len(frames) < 2:
        return {"image": None, "pixels": None, "judged_kind": None}
    shown = np.stack(
        [unpack_picture(folder / "frames" / f"{int(r['frame']):06d}.png") for r in frames]
    )
    true = np.stack([truth[row["trial"]] for row in frames])
    similarity = unit(judge.features(shown)) @ unit(judge.features(true)).T
    kinds = zip(judge.classify(shown)["kind"], judge.classify(true)["kind"], strict=True)
    return {
        "image": two_way(similarity),
        "pixels": two_way(pixel_correlation(shown, true)),
        "judged_kind": float(np.mean([one == other for one, other in kinds])),
    }


def pixel_correlation(some: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pearson's r over all RGB values of each picture with each other: (n, n_others)."""
    rows = [x.reshape(len(x), -1).astype(np.float32) for x in (some, others)]
    one, other = (unit(row - row.mean(axis=1, keepdims=True)) for row in rows)
    return one @ other.T


def _shown_in(dataset: Path) -> str:
    """Which pictures a simulated session shows."""
    about = json.loads((dataset / "derivatives" / "simulation" / "session.json").read_text())
    return str(about["design"]["pictures"])


def _z_two_way(
    predicted: Sequence[NDArray[np.float32]],
    true: Sequence[NDArray[np.float32]],
    mean: NDArray[np.float32] | None,
) -> float | None:
    if len(predicted) < 2 or mean is None:
        return None
    rows = np.stack([z.ravel() for z in predicted]) - mean
    return two_way(unit(rows) @ unit(np.stack(true) - mean).T)


def _newest(rows: Sequence[Row], age_s: float) -> list[tuple[int, Row]]:
    """Each trial's last row up to an age, with its place in the table."""
    newest = {r["trial"]: (n, r) for n, r in enumerate(rows) if float(r["age_s"]) <= age_s}
    return list(newest.values())


def _final_frames(folder: Path) -> list[Row]:
    return [row for row in _read(folder / "frames.tsv") if row["step"] == row["steps"]]


def _read(table: Path) -> list[Row]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))
