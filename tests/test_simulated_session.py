"""A simulated person from pictures to reconstructions in the window, by the package's programs."""

import csv
import json
import subprocess
from pathlib import Path

import pytest

from calibration.data.dataset import load_runs
from rtrecon.artifact import load_artifact
from simulator.scoring import score_session
from tests.listening import lsl_ports, unnamed, watched
from tests.offline import assert_live_is_offline
from tests.person import program

SPEED = 10


@pytest.mark.timeout(300)
def test_unseen_pictures_are_decoded_and_shown_in_the_window(
    person: Path, tmp_path: Path, stream_name: str
) -> None:
    run = sorted((person / "data").rglob("*_bold.nii.gz"))[-1]
    session, shots = tmp_path / "session", tmp_path / "shots"
    scanner = subprocess.Popen(
        program("simulator", "play", run, "--stream", stream_name, "--speed", SPEED, "--quiet")
    )
    live = subprocess.Popen(
        program(
            "rtrecon", "run", "--decoder", person / "decoder", "--stream", stream_name,
            "--stimuli", person / "data" / "stimuli", "--output", session,
            "--screenshots", shots, "--close",
        ),
    )  # fmt: skip
    try:
        with watched(live.pid, scanner.pid) as sockets:
            assert live.wait() == 0
            assert scanner.wait(timeout=30) == 0
    finally:
        for process in (live, scanner):
            process.kill()
            process.wait()
    assert any(socket.port in lsl_ports() for socket in sockets)
    assert unnamed(sockets, lsl_ports()) == []  # nothing beyond docs/security.md
    summary = json.loads((session / "summary.json").read_text())
    volumes = summary["volumes"]
    assert (volumes["lost"], volumes["duplicate"], volumes["rejected"]) == (0, 0, 0)
    assert volumes["received"] > 12 * 6
    assert summary["frames"]["shown"] > 30
    with (session / "frames.tsv").open() as table:
        shown = {row["trial"] for row in csv.DictReader(table, delimiter="\t")}
    assert len(shown) == 12
    assert (session / "contact_sheet.png").is_file()
    assert len(list(shots.glob("window-*.png"))) >= 6
    scores = score_session(session, person / "decoder", person / "data" / "stimuli")
    assert scores["trials"] == 12
    assert scores["z"] > 0.65  # chance .5; by five runs only
    assert scores["identification"]["two_way"] > 0.6
    assert_live_is_offline(session, person / "decoder", load_runs(person / "data", ["6"]))


def test_the_decoders_say_what_they_were_fitted_on(person: Path) -> None:
    artifact = load_artifact(person / "decoder")
    assert artifact.about["trials"] == 5 * 24
    assert artifact.generator.name == "miniature"
    assert len(artifact.candidates) == 13
    assert artifact.about["held_out_correlation"]["z"] > 0.15
