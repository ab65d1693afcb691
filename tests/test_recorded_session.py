"""The real recorded session from files to a finished session, by the programs of the package."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration.data.dataset import load_runs
from tests.offline import assert_live_is_offline


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
    assert_live_is_offline(session, decoder, load_runs(recorded_session, ["2"]))
