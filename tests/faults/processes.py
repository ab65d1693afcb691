"""Sessions and scanners as processes of their own, from one that has loaded everything already."""

import multiprocessing
import os
import sys
import threading
from multiprocessing import forkserver, popen_forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

_context: ForkServerContext = multiprocessing.get_context("forkserver")
_LOADED = [
    "tests.faults.processes", "rtrecon.session", "rtrecon.visit", "rtrecon.generators.diffusion",
    "simulator.scanner", "simulator.recording",
]  # fmt: skip
_starting = threading.Lock()
LSL = "lsl_api.cfg"
"""Looked for where a process works: with it, streams of different cases do not meet."""


def get_ready() -> None:
    """Have everything loaded: on a busy machine that takes longer than a case."""
    _context.set_forkserver_preload(_LOADED)
    process = _context.Process(target=int)
    process.start()
    process.join()


def begin(program: str, arguments: list[str], said: Path) -> ForkServerProcess:
    """Start `rtrecon` or `rtrecon-simulate`; what it says goes to a file.

    What it starts in turn comes from the same process as it does, and its number is noted in a file
    beside `said`, so that whoever is left behind is known.
    """
    forkserver.ensure_running()
    address = forkserver._forkserver._forkserver_address  # type: ignore[attr-defined]
    process = _context.Process(target=_work, args=(program, arguments, str(said), address))
    with _starting:
        process.start()
        # Who starts the next one would look whether this one has ended, and take its exit code away
        # from the thread that waits for it.
        multiprocessing.process._children.discard(process)  # type: ignore[attr-defined]
    return process


def started_by(said: Path) -> list[int]:
    """The numbers of the processes that a program has started."""
    file = said.with_suffix(".pids")
    return [int(line) for line in file.read_text().split()] if file.is_file() else []


def alive(pid: int) -> bool:
    """Whether a process works still; one that nobody has asked for its end is over, too."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _work(program: str, arguments: list[str], said: str, address: str) -> None:
    # A session would begin a server of its own, and load everything once more.
    server = forkserver._forkserver  # type: ignore[attr-defined]
    server._forkserver_address = address
    server.ensure_running = lambda: None
    launch = popen_forkserver.Popen._launch  # type: ignore[attr-defined]

    def noted(self: popen_forkserver.Popen, process: object) -> None:
        launch(self, process)
        with Path(said).with_suffix(".pids").open("a") as file:
            file.write(f"{self.pid}\n")

    popen_forkserver.Popen._launch = noted  # type: ignore[attr-defined]
    os.chdir(Path(said).parent)  # as do those that it starts
    with Path(said).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if program == "rtrecon":
        from rtrecon.__main__ import main
    else:
        from simulator.__main__ import main
    sys.exit(main(arguments))
