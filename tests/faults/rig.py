"""One case done: a real session and a real scanner over LSL, in processes of their own."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from simulator.faults import parse_faults
from simulator.lsl import isolated
from tests.faults.case import Case
from tests.faults.outcome import Outcome
from tests.faults.processes import LSL, alive, begin, started_by
from tests.faults.scan import Scan
from tests.faults.sent import sent_of

_SEATS = count(os.getpid())
"""Ports of each case: those of one that is over are not free for a minute, and streams are found by them."""
_LEAVE_S = 10.0  # for what a session has started, after its end


def run_case(case: Case, when: str, scan: Scan, folder: Path) -> Outcome:
    """Do it, and wait for its end, but not for ever."""
    at = case.at(when)
    return run(scan, folder, at, case.wire(at), case.machine(at), case)


def run(scan: Scan, folder: Path, at: int, wire: str, machine: str, case: Case) -> Outcome:
    """A session with these faults in its scanner and in its machine."""
    folder.mkdir(parents=True)
    stream, output = f"faults-{os.getpid()}-{folder.name}", folder / "session"
    (folder / LSL).write_text(isolated(stream, next(_SEATS)))
    live = [
        "run", "--stream", stream, "--decoder", str(scan.decoder), "--output", str(output),
        "--generator", str(scan.generator), "--steps", "2", *case.options,
        *(["--close"] if case.window else ["--headless"]),
    ]  # fmt: skip
    program, live = _rehearsed(machine, live)
    play = ["play", str(scan.run), "--stream", stream, "--speed", f"{case.speed:g}", "--quiet"]
    began = time.monotonic()
    deadline = began + case.limit_s
    with (
        _begun(program, live, folder / "session.txt") as session,
        _begun(
            "rtrecon-simulate", [*play, *(["--faults", wire] if wire else [])],
            folder / "scanner.txt",
        ) as scanner,
    ):  # fmt: skip
        session.join(max(0.0, deadline - time.monotonic()))
        exit_code, took_s = session.exitcode, time.monotonic() - began
        scanner.join(max(0.0, deadline - time.monotonic()))  # what records on waits for its end
        left = _still_there(started_by(folder / "session.txt"))
    said = "".join(file.read_text(errors="replace") for file in sorted(folder.glob("*.txt")))
    sent = sent_of(scan, parse_faults(wire), case.speed)
    return Outcome(scan, output, at, sent, case.speed, exit_code, tuple(left), said, took_s)


def _rehearsed(machine: str, live: list[str]) -> tuple[str, list[str]]:
    if not machine:
        return "rtrecon", live
    return "rtrecon-simulate", ["rehearse", "--faults", machine, "--", *live]


@contextmanager
def _begun(program: str, arguments: list[str], said: Path) -> Iterator[ForkServerProcess]:
    process = begin(program, arguments, said)
    try:
        yield process
    finally:
        if process.is_alive():
            process.kill()
        process.join(10)
        for pid in filter(alive, started_by(said)):
            os.kill(pid, signal.SIGKILL)


def _still_there(pids: list[int]) -> list[int]:
    """Which of the processes work still, when they have had time to end."""
    deadline = time.monotonic() + _LEAVE_S
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left
