"""Real programs are started by firings, with their arguments as they are, and never outlive it."""

import json
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import pytest

from rtrecon.errors import BadConfig
from rtrecon.outputs import open_outputs
from rtrecon.outputs.command import arguments_of
from rtrecon.types import Person
from tests.told import SentLog, a_firing, eventually

PEOPLE = (Person("anna; touch pwned"), Person("{value}"))
_WRITES = "import json, sys; open(sys.argv[1], 'a').write(json.dumps(sys.argv[2:]) + chr(10))"
_HANGS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
part = sys.argv[1] + ".part"
open(part, "w").write(f"{os.getpid()} {child.pid}")
os.rename(part, sys.argv[1])
time.sleep(float(sys.argv[2]))
"""


def table(code: str, *arguments: str, **keys: object) -> dict[str, object]:
    return {"kind": "command", "command": [sys.executable, "-c", code, *arguments], **keys}


def alive(process: int) -> bool:
    """Whether it runs (and is not only a number that nobody has asked after yet)."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_arguments_are_plain_text_and_each_firing_starts_one(tmp_path: Path) -> None:
    file = tmp_path / "got"
    code = table(_WRITES, str(file), "{person}", "n={number} v={value}", "{other}", "$HOME `id`")
    log = SentLog()
    outputs = open_outputs({"trigger": [code]}, "s", PEOPLE, log)
    for n, person in enumerate(PEOPLE, 1):
        outputs.fire(a_firing(n, person.name, 0.25))
        eventually(lambda n=n: file.exists() and len(file.read_text().splitlines()) == n)
    outputs.close()
    assert [json.loads(line) for line in file.read_text().splitlines()] == [
        ["anna; touch pwned", "n=1 v=0.25", "{other}", "$HOME `id`"],
        ["{value}", "n=2 v=0.25", "{other}", "$HOME `id`"],
    ]
    assert [sent.error for sent in log.all] == ["", ""]


def test_what_a_command_says_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rtrecon")
    code = "import sys; print('hello'); sys.stderr.write('x' * 100_000); sys.exit(3)"
    outputs = open_outputs({"trigger": [table(code)]}, "s", PEOPLE)
    outputs.fire(a_firing(1, PEOPLE[0].name))
    eventually(lambda: "ended with 3: " in caplog.text)
    outputs.close()
    (said,) = (r.getMessage() for r in caplog.records if "ended with" in r.getMessage())
    assert len(said) < 4200


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("timeout_s", [0.5, 600])
@pytest.mark.parametrize("own_s", ["0", "600"])
def test_it_is_killed_with_its_children(
    tmp_path: Path, timeout_s: float, own_s: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After its time, or at the end; also where its child outlives it."""
    file = tmp_path / "processes"
    code = table(_HANGS, str(file), own_s, timeout_s=timeout_s)
    outputs = open_outputs({"trigger": [code]}, "s", PEOPLE)
    outputs.fire(a_firing(1, PEOPLE[0].name))
    if timeout_s > 1:
        eventually(file.exists)
        processes = [int(word) for word in file.read_text().split()]
        assert alive(processes[1])
        outputs.close()
        assert "still runs at the end: killed" in caplog.text
    else:
        eventually(lambda: "took more than 0.5 s: killed" in caplog.text)
        processes = [int(word) for word in file.read_text().split()] if file.exists() else []
    eventually(lambda: not any(alive(process) for process in processes))
    outputs.close()


def test_commands_that_hang_delay_nobody(caplog: pytest.LogCaptureFixture) -> None:
    log = SentLog()
    code = table("import time; time.sleep(600)")
    outputs = open_outputs({"trigger": [code]}, "s", PEOPLE, log)
    took = []
    for n in range(20):
        began = monotonic()
        outputs.fire(a_firing(n, PEOPLE[0].name))
        took.append(monotonic() - began)
    assert max(took) < 1
    began = monotonic()
    outputs.close()
    assert monotonic() - began < 9
    assert [sent.error for sent in log.all] == [""] * 20
    assert caplog.text.count("one of 8 that run already: killed") == 12
    assert caplog.text.count("still runs at the end: killed") == 8


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"command": ["no-such-program-here"]}, "command 'no-such-program-here' is no program"),
        ({"command": []}, "command = .*: must be a list"),
        ({"command": "reboot now"}, "command = 'reboot now': must be a list"),
        ({"command": ["{person}"]}, "command '{person}' is no program"),
        ({"command": ["true", "a\0b"]}, "text without zero bytes"),
        ({"command": ["true"], "timeout_s": 0}, "timeout_s = 0.0: must be above 0"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_line(keys: dict[str, object], said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        open_outputs({"trigger": [{"kind": "command", **keys}]}, "s", PEOPLE)


def test_a_place_is_replaced_once() -> None:
    firing = a_firing(2, "{number}", 1 / 3)
    assert arguments_of(("a{person}", "{person}{value}", "{}"), firing) == [
        "a{person}", "{number}0.333333", "{}",
    ]  # fmt: skip


def test_our_own_streams_are_not_handed_down(tmp_path: Path) -> None:
    """A command reads nothing of ours, and Ctrl-C in our terminal does not reach it."""
    file = tmp_path / "got"
    code = (
        "import os, sys\n"
        "told = len(sys.stdin.read()), os.getsid(0), os.getpid()\n"
        "open(sys.argv[1], 'w').write(' '.join(map(str, told)) + ' ')"
    )
    outputs = open_outputs({"trigger": [table(code, str(file))]}, "s", PEOPLE)
    outputs.fire(a_firing(1, PEOPLE[0].name))
    eventually(lambda: file.exists() and file.read_text().endswith(" "))
    outputs.close()
    length, leader, process = file.read_text().split()
    assert (length, leader) == ("0", process)
    assert int(leader) != os.getsid(0)
