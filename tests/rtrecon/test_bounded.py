"""A file of a size that no description has is not read into memory."""

import os
from pathlib import Path

import pytest

from rtrecon.artifact import ABOUT, load_artifact
from rtrecon.bounded import bounded_text
from rtrecon.config import read_toml
from rtrecon.errors import BadArtifact, BadConfig


def sparse(file: Path) -> Path:
    """A terabyte that takes no room on disk."""
    with file.open("wb") as opened:
        os.truncate(opened.fileno(), 1 << 40)
    return file


def test_a_file_is_read_whole_up_to_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("käse\r\n".encode())
    assert bounded_text(file, 7) == "käse\n"
    with pytest.raises(OSError, match="too large"):
        bounded_text(file, 6)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_says_nothing_of_its_size_is_bounded_too() -> None:
    with pytest.raises(OSError, match="too large"):
        bounded_text(Path("/dev/zero"), 1000)


def test_a_terabyte_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cannot read the configuration"):
        read_toml(sparse(tmp_path / "a.toml"))
    sparse(tmp_path / ABOUT)
    with pytest.raises(BadArtifact, match="too large"):
        load_artifact(tmp_path)
