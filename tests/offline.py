"""A live session's record held against what calibration makes of the same run's files."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from calibration.scoring.evaluate import evaluate
from calibration.scoring.held_out import held_out_runs
from rtrecon.artifact import load_artifact
from rtrecon.bids import Run
from rtrecon.generators import load_generator


def assert_live_is_offline(session: Path, decoder: Path, runs: Sequence[Run]) -> None:
    """The same values decoded of every volume, and the same scores of them."""
    artifact = load_artifact(decoder)
    generator = load_generator(artifact.generator.name)
    held_out = held_out_runs(artifact, runs, generator)
    offline = held_out.decoded(artifact)
    for name in ("z", "c"):
        wanted = [getattr(one, name) for one in offline if getattr(one, name) is not None]
        if wanted:
            live = np.load(session / f"{name}.npy")
            np.testing.assert_allclose(live, np.stack(wanted), atol=1e-4)
    with (session / "trials.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["predicted"] for row in rows] == [one.predicted for one in offline]
    assert [float(row["confidence"]) for row in rows] == pytest.approx(
        [one.confidence for one in offline], abs=1e-4
    )
    scored = evaluate(artifact, held_out, generator)
    summary = json.loads((session / "summary.json").read_text())["identification"]
    assert (summary["trials"], summary["candidates"]) == (scored["trials"], scored["candidates"])
    for live, score in (("top1", "kind_top1"), ("two_way", "kind_two_way")):
        assert summary[live] == pytest.approx(scored["scores"][score]["value"])
        by_age = {age: one[live] for age, one in summary["by_age_s"].items() if one["trials"] > 1}
        evaluated = {age: one["value"] for age, one in scored["by_age_s"][score].items()}
        assert by_age == pytest.approx(evaluated)
