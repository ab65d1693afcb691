"""Whatever a stream or a file calls itself, it commands no terminal and forges no line."""

import logging
from pathlib import Path

import pytest

from rtrecon.__main__ import _log_to_terminal
from rtrecon.archive.tables import write_tsv
from rtrecon.log_file import log_file
from rtrecon.printable import printable, printable_lines
from rtrecon.session_writer import tsv

EVIL = (
    "dog\x1b[2J\x1b]0;owned\x07\r2026-01-01 ERROR rtrecon forged\x9b31m\u202etxt.exe\ud800\u2028x"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain text", "plain text"),
        ("  two\tcells\nand lines ", "two cells and lines"),
        ("\x1b[31mred", "?[31mred"),
        ("a\u202eb", "a?b"),
        ("half \ud800", "half ?"),
        ("Käse, 猫, كلب", "Käse, 猫, كلب"),
        ("\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}", "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{ROCKET}"),
    ],
)
def test_a_line_is_a_line(text: str, told: str) -> None:
    assert printable(text) == told


def test_lines_stay_lines() -> None:
    assert printable_lines("one\n  - two\x1b\n") == "one\n  - two?\n"


def harmless(text: str) -> bool:
    return not any(c in text for c in "\x1b\x07\r\x9b\u202e\ud800\u2028")


def test_log_and_terminal_get_one_harmless_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half a character is more than a report of pytest's can hold.
    monkeypatch.setattr(logging.getLogger("rtrecon"), "propagate", False)
    _log_to_terminal()
    with log_file(tmp_path):
        logging.getLogger("rtrecon.x").warning("stream '%s' is silent", EVIL)
        try:
            raise ValueError(EVIL)
        except ValueError:
            logging.getLogger("rtrecon.x").exception("it failed")
    on_disk = (tmp_path / "log.txt").read_text(encoding="utf-8")
    on_terminal = capsys.readouterr().err
    for said in (on_disk, on_terminal):
        assert harmless(said)
        assert said.splitlines()[0].endswith("is silent")
        assert "Traceback" in said
        assert said.count("\n") == len(said.splitlines())


def test_text_breaks_out_of_no_cell(tmp_path: Path) -> None:
    assert harmless(tsv([EVIL, 1.0]))
    assert tsv([EVIL, 1.0]).count("\t") == 1
    write_tsv(tmp_path / "x.tsv", ("a", "b"), [{"a": EVIL, "b": "\t"}])
    written = (tmp_path / "x.tsv").read_text(encoding="utf-8")
    assert harmless(written)
    assert [line.count("\t") for line in written.splitlines()] == [1, 1]
