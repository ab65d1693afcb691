"""The real recorded session from files to a finished session, by the programs of the package."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration.dataset import load_runs
from calibration.held_out import decode_runs
from rtrecon.artifact import load_artifact


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-m", *map(str, arguments)]


@pytest.mark.timeout(400)
def test_run_2_is_decoded_live_with_decoders_of_run_1(
    recorded_session: Path, tmp_path: Path, stream_name: str
) -> None:
    """At ten times the speed, between processes; nothing is lost and live equals offline."""
    decoder, session = tmp_path / "decoder", tmp_path / "session"
    subprocess.run(
        program("calibration", "fit", recorded_session, "--runs", 1, "--output", decoder),
        check=True,
    )  # fmt: skip
    bold = next(recorded_session.rglob("*run-2_bold.nii.gz"))
    scanner = subprocess.Popen(
        program("simulator", "play", bold, "--stream", stream_name, "--speed", 10, "--quiet")
    )
    try:
        subprocess.run(
            program("rtrecon", "run", "--headless", "--decoder", decoder, "--stream", stream_name,
                    "--output", session),
            check=True,
        )  # fmt: skip
        assert scanner.wait(timeout=30) == 0
    finally:
        scanner.kill()
        scanner.wait()
    summary = json.loads((session / "summary.json").read_text())
    assert summary["volumes"] == {"received": 209, "lost": 0, "duplicate": 0, "rejected": 0}
    identified = summary["identification"]
    assert (identified["trials"], identified["candidates"]) == (18, 3)
    for age_s in ("10", "12"):  # ends of volumes that start 8 and 10 s after the onset
        assert identified["by_age_s"][age_s]["top1"] >= 0.92  # chance .33, majority .39
    assert len(np.load(session / "volumes.npy", mmap_mode="r")) == 209
    offline = decode_runs(load_artifact(decoder), load_runs(recorded_session, ["2"]))
    np.testing.assert_allclose(
        np.load(session / "c.npy"), np.stack([d.c for d in offline]), atol=1e-4
    )
    with (session / "trials.tsv").open(newline="") as file:
        predicted = [row["predicted"] for row in csv.DictReader(file, delimiter="\t")]
    assert predicted == [d.predicted for d in offline]
