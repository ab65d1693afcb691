"""Whether the window stays smooth while a person's run is reconstructed on two cores.

    python -m tests.benchmarks.window --person out/demo-person

The whole program at 1920 x 1080, offscreen where there is no display: set-up page, preflight with
the model loading, a live run of the simulated person with the miniature model, the run's end. The
scanner is a process of its own. `python -m simulator.demo` makes the person.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from simulator.lsl import isolated

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp()  # windows as they are the first time
if "LSLAPICFG" not in os.environ:
    _config = Path(tempfile.mkdtemp()) / "lsl.cfg"
    _config.write_text(isolated(f"bench-{os.getpid()}"))
    os.environ["LSLAPICFG"] = str(_config)

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rtrecon.config import Session
from rtrecon.display.visit import VisitWindow
from rtrecon.display.window import OperatorWindow
from rtrecon.visit import Visit
from tests.benchmarks.document import table

HEAD = ["ms", "median", "95 %", "99 %", "longest", "target"]
LONGEST_S = 300.0


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--person", type=Path, default=Path("out/demo-person"))
    parser.add_argument("--speed", type=float, default=2.0, help="times faster than life")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=100, help="after so many it ends")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    run = sorted((options.person / "data").rglob("*_bold.nii.gz"))[-1]
    play = ("play", run, "--stream", "scanner", "--speed", options.speed, "--quiet")
    scanner = subprocess.Popen([sys.executable, "-m", "simulator", *map(str, play)])
    load_before = os.getloadavg()[0]
    try:
        with closing(Visit()) as visit:
            rows = _measured(visit, options)
    finally:
        scanner.kill()
        scanner.wait()
    loads = f"{load_before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end"
    print(f"\n{options.cores} cores, load average {loads}, replayed at {options.speed:g} x\n")
    print(table(HEAD, rows))


def _measured(visit: Visit, options: argparse.Namespace) -> list[list[str]]:
    app = QApplication([])
    output = Path(tempfile.mkdtemp()) / "session"
    stimuli = options.person / "data" / "stimuli"
    session = Session(options.person / "decoder", "scanner", output=output, stimuli=stimuli)
    window = VisitWindow(visit, session)
    window.resize(1920, 1080)
    window.show()
    loading = _gaps(window, lambda: window.set_up is not None and _looked(window))
    assert window.set_up is not None
    window.set_up.accept.setChecked(True)
    assert window.set_up.start.isEnabled(), "see rtrecon check"
    window.set_up.start.click()
    opening = _gaps(window, lambda: window.live is not None)
    live = window.live
    assert live is not None
    _until(lambda: live.session.status.shown > 2)
    running = _gaps(live, lambda: live.session.status.shown > options.pictures or live._over)
    live.stop()
    ending = _gaps(window, lambda: window.ended is not None)
    window.close()
    window.worker.submit(visit.close).result(timeout=60)
    window.worker.close(timeout_s=5)
    app.processEvents()
    with (output / "frames.tsv").open(newline="") as lines:
        frames = list(csv.DictReader(lines, delimiter="\t"))
    painted = [1e3 * (float(row["painted"]) - float(row["drawn"])) for row in frames]
    final = [row for row in frames if row["step"] == row["steps"]]
    drawn = [1e3 * (float(row["drawn"]) - float(row["received"])) for row in final]
    return [
        _row("between ticks, preflight and loading", loading, ""),
        _row("between ticks, opening the run", opening, ""),
        _row("between ticks, live", running, "99 %: 33"),
        _row("between ticks, completing the folder", ending, ""),
        _row(f"drawn to painted, {len(painted)} pictures", painted, "95 %: 25"),
        _row(f"volume received to drawn, {len(final)} finished", drawn, ""),
    ]


def _looked(window: VisitWindow) -> bool:
    page = window.set_up
    return page is not None and page.verdict.text().startswith(("Ready", "1 to", "2 to"))


def _gaps(window: VisitWindow | OperatorWindow, done: Callable[[], bool]) -> list[float]:
    """Between the ticks until something is done."""
    window.tick_gaps_ms.clear()
    _until(done)
    return list(window.tick_gaps_ms)


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        QTest.qWait(50)


def _row(name: str, values: list[float], target: str) -> list[str]:
    figures = [f"{np.percentile(values, q):.1f}" for q in (50, 95, 99, 100)]
    return [name, *figures, target]


if __name__ == "__main__":
    main()
