"""What keeps an EEG session from starting is made really so, and told with its way out."""

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pylsl
import pytest

from rtrecon.__main__ import main
from rtrecon.check.eeg import bytes_of, check_eeg
from rtrecon.check.findings import Finding
from rtrecon.eeg.plan import read_plan
from rtrecon.eeg.signal import Signal, signal_of
from simulator.eeg import Plan, info_of

TOML = """
stream = "STREAM"
[eeg]
channels = ["O1", "O2"]
[protocol]
[[block]]
kind = "rest"
duration_s = 30
[[block]]
kind = "regulate"
duration_s = 60
[[person]]
name = "Ada"
stream = "STREAM-1"
[[person]]
name = "Ben"
stream = "STREAM-2"
"""


@pytest.fixture
def stream() -> str:
    return f"eeg-{uuid4().hex[:8]}"


@pytest.fixture
def amplifiers(stream: str) -> Iterator[list[pylsl.StreamOutlet]]:
    """Ada's says all of itself; Ben's neither labels nor units."""
    bare = pylsl.StreamInfo(f"{stream}-2", "EEG", 8, 250, "float32", "ben")
    outlets = [pylsl.StreamOutlet(info) for info in (info_of(Plan(), f"{stream}-1"), bare)]
    yield outlets
    outlets.clear()


def look(toml: Path, output: Path, wait_s: float = 5.0) -> dict[str, Finding]:
    plan = read_plan(toml, {"output": output, "wait_s": wait_s})
    found = list(check_eeg(plan, threading.Event()))
    assert len({finding.name for finding in found}) == len(found)
    return {finding.name: finding for finding in found}


def test_all_is_well_and_nobody_is_listened_to(
    stream: str, amplifiers: list[pylsl.StreamOutlet], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    toml = tmp_path / "session.toml"
    toml.write_text(TOML.replace("STREAM", stream).replace('channels = ["O1", "O2"]', ""))
    assert main(["check", "--config", str(toml), "--output", str(tmp_path / "session")]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = {line[6:27].strip(): line for line in lines}
    assert "BAD" not in "".join(lines)
    assert f"'{stream}-1' on " in told["stream of Ada"]
    assert "8 channels, 250 Hz" in told["stream of Ada"]
    assert told["stream of Ada"].startswith("ok")
    assert told["stream of Ben"].startswith("look")
    assert "unknown units, taken for microvolts" in told["stream of Ben"]
    assert "(8 used: Fp1, Fp2, C3, Cz, C4, Pz, O1, O2)" in told["index of Ada"]
    assert "ms from ours" in told["clock of Ben"]
    assert "2 blocks in 1:30 min" in told["feedback protocol"]
    assert {"network", "display", "memory", "output", "disk"} <= set(told)
    assert not any(outlet.have_consumers() for outlet in amplifiers)
    assert not (tmp_path / "session").exists()


def test_what_is_not_there_or_does_not_fit(
    stream: str, amplifiers: list[pylsl.StreamOutlet], tmp_path: Path
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text(TOML.replace("STREAM", stream).replace(f"{stream}-1", "nobody"))
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "session.json").write_text("{}")
    found = look(toml, tmp_path / "session", 0.5)
    assert [name for name, finding in found.items() if finding.ok is False] == [
        "stream of Ada", "index of Ben", "output",
    ]  # fmt: skip
    assert "no EEG stream 'nobody' within 0.5 s" in found["stream of Ada"].text
    assert "start the amplifier's stream" in found["stream of Ada"].way_out
    assert found["index of Ada"].text == "not looked at: there is no stream"
    assert "has no channel 'O1'" in found["index of Ben"].text


def test_options_that_an_eeg_session_does_not_know_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text(TOML)
    assert main(["check", "--config", str(toml), "--decoder", "x"]) == 1
    assert "--decoder is of no use in an EEG session" in capsys.readouterr().err


def test_bytes_are_those_of_samples_and_three_stamps() -> None:
    assert bytes_of(Signal("a", ("1", "2"), 500.0, "int16", (1.0, 1.0))) == 500 * (2 * 2 + 3 * 8)
    info = info_of(Plan(channels=4), "a", speed=2)
    assert bytes_of(signal_of(info)) == 2 * 250 * (4 * 4 + 24)
