"""Faults of the session's own machine: what the command line takes, and where they are put in."""

from pathlib import Path

import pytest

from rtrecon import growing, models
from rtrecon.errors import BadConfig
from rtrecon.record import Recorder
from simulator.__main__ import main
from simulator.faults.machine import KINDS, MachineFault, parse_machine_faults, rehearse


def test_a_list_of_faults() -> None:
    assert parse_machine_faults("kill=20,suspend=40:30,disk-full=0") == (
        MachineFault("kill", 20), MachineFault("suspend", 40, 30.0), MachineFault("disk-full", 0, 3.0),
    )  # fmt: skip
    assert parse_machine_faults("") == ()
    assert all(parse_machine_faults(f"{name}=1")[0].name == name for name in KINDS)


@pytest.mark.parametrize(
    "bad", ["kill", "kill=", "kill=-1", "kill=x", "kill=1:5", "nothing=1", "suspend=1:", "suspend=1:0",
            "suspend=1:nan", "suspend=1:1e9"],
)  # fmt: skip
def test_what_is_no_such_list_is_told(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["rehearse", "--faults", bad, "--", "run"])
    assert left.value.code == 2
    assert f"'{bad}'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["check"], ["--", "view"]])
def test_only_sessions_are_rehearsed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rehearse", *arguments]) == 1
    assert "rtrecon-simulate: rehearse what?" in capsys.readouterr().err


def test_afterwards_all_is_as_it_was(tmp_path: Path) -> None:
    before = growing.disk_write, models.load_apart, Recorder.volume
    with pytest.raises(BadConfig):
        rehearse((), ["view"])
    code = rehearse((), ["run", "--headless", "--decoder", str(tmp_path), "--wait", "1"])
    assert code == 1
    assert (growing.disk_write, models.load_apart, Recorder.volume) == before
