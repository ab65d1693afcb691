"""Mistakes on the command line are told in one line."""

import pytest

from calibration.__main__ import main


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "rtrecon-calibrate: the following arguments are required: COMMAND"),
        ("fly", "invalid choice: 'fly'"),
        ("fit data", "rtrecon-calibrate fit: the following arguments are required: --output"),
        ("fit data --output out --workers 0", "--workers: '0' is no whole number from 1 on"),
        ("fit data --output out --voxels few", "--voxels: 'few' is no whole number from 1 on"),
        ("explain data --output out --subject 1 2", "unrecognized arguments: 2"),
    ],
)
def test_wrong_usage_is_one_line(given: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(given.split())
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert "--help" in line


def test_a_dataset_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("fit", "report", "explain"):
        assert main([command, "nowhere", "--output", "out"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line == "rtrecon-calibrate: nowhere is no folder: name a BIDS dataset"
    assert main(["fit", "nowhere", "--output", "out", "--generator", "none"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "generator 'none' is neither a folder nor a known name" in line
