"""Fuzz targets, two at a time, each for so long of the processor's time: docs/fuzzing.md."""

import argparse
import json
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import psutil

from tests.fuzz.child import MOST_FINDINGS, atheris
from tests.fuzz.target import LARGEST

NAMES = (
    "wire", "receiver", "markers", "config", "decoder", "dicom", "par-rec", "nifti", "afni", "feeder",
    "xdf", "session-folder", "view", "eeg", "eeg-folder",
)  # fmt: skip
OUTPUT = Path("out") / "fuzz"
_STUCK_CPU_S, _STUCK_S = 30.0, 300.0  # within one input: then it is ended and counts as a hang
_TURN_S = 1.0


@dataclass
class Progress:
    """How far a target is in this round; kept in its folder."""

    cpu_s: float = 0.0
    executions: int = 0
    starts: int = 0
    ended: list[str] = field(default_factory=list)  # how processes ended that should not have


class Running:
    """A target's process."""

    def __init__(self, name: str, cpu_s: float, progress: Progress) -> None:
        self.name, self.folder, self.progress = name, OUTPUT / name, progress
        progress.starts += 1
        (self.folder / "report.json").unlink(missing_ok=True)
        (self.folder / "current").unlink(missing_ok=True)
        self._log: IO[bytes] = (self.folder / "log.txt").open("ab")
        left_s = max(1.0, cpu_s - progress.cpu_s)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child", name, str(self.folder), str(left_s),
             str(progress.starts)],
            stdout=self._log, stderr=self._log, env=_environment(),
        )  # fmt: skip
        self._before = asdict(progress)
        self._tried, self._since, self._since_cpu_s = -1, time.monotonic(), 0.0

    def done(self) -> bool:
        """Whether the process has ended; one that is stuck is ended."""
        self._take_report()
        if self._process.poll() is None:
            if self._stuck():
                self._process.send_signal(signal.SIGABRT)  # its traceback goes to its log
            return False
        if self._process.returncode != 0:
            self._keep_what_killed()
        self._log.close()
        return True

    def end(self) -> None:
        """Leave off; what it has done counts."""
        self._process.terminate()
        self._process.wait(10)
        self._take_report()
        self._log.close()

    def _take_report(self) -> None:
        try:
            told = json.loads((self.folder / "report.json").read_text())
        except (OSError, ValueError):
            return
        self.progress.cpu_s = self._before["cpu_s"] + told["cpu_s"]
        self.progress.executions = self._before["executions"] + told["executions"]
        _write_json(self.folder / "progress.json", asdict(self.progress))

    def _stuck(self) -> bool:
        try:
            tried = struct.unpack("<Q", (self.folder / "current").read_bytes()[:8])[0]
            cpu_s = sum(psutil.Process(self._process.pid).cpu_times()[:2])
        except (OSError, struct.error, psutil.Error):
            return False
        now = time.monotonic()
        if tried != self._tried:
            self._tried, self._since, self._since_cpu_s = tried, now, cpu_s
        return cpu_s - self._since_cpu_s > _STUCK_CPU_S or now - self._since > _STUCK_S

    def _keep_what_killed(self) -> None:
        """The input that was tried when the process died is a finding."""
        key = f"process ended with {self._process.returncode}"
        self.progress.ended.append(key)
        self.progress.cpu_s += 5.0  # what was not reported any more; so that this ends, too
        _write_json(self.folder / "progress.json", asdict(self.progress))
        try:
            current = (self.folder / "current").read_bytes()
        except OSError:
            return
        length = struct.unpack("<Q", current[8:16])[0]
        kept = self.folder / "findings" / f"ended-{self.progress.starts:03d}"
        kept.with_suffix(".bin").write_bytes(current[16 : 16 + min(length, 2 * LARGEST)])
        kept.with_suffix(".txt").write_text(f"{key}\n\nsee {self.folder / 'log.txt'}\n")


def main(arguments: list[str] | None = None) -> int:
    """Fuzz, and say what was found; 1 where anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(NAMES)}")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="of the processor, for each target"
    )
    parser.add_argument("--fresh", action="store_true", help="begin anew, also where time is left")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="targets at a time [2]")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.targets) - set(NAMES):
        parser.error(f"no target '{min(unknown)}': there are {', '.join(NAMES)}")
    names, cpu_s = asked.targets or list(NAMES), 60 * asked.minutes
    round_ = _begun(names, cpu_s, asked.fresh)
    engine = "atheris" if atheris() else "chance (without atheris: pip install -e '.[fuzz]')"
    print(
        f"{len(names)} targets, {asked.minutes:g} minutes of the processor each, by {engine}",
        flush=True,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _run(round_, cpu_s, asked.at_once)
    table = summary(names)
    (OUTPUT / "summary.md").write_text(table)
    print(table)
    return int(any(_findings(name) or round_[name].ended for name in names))


def _run(round_: dict[str, Progress], cpu_s: float, at_once: int) -> None:
    running: list[Running] = []
    try:
        while True:
            for one in [one for one in running if one.done()]:
                running.remove(one)
                print(_line(one.name), flush=True)
            (OUTPUT / "summary.md").write_text(summary(list(round_)))
            busy = {one.name for one in running}
            waiting = [n for n, p in round_.items() if n not in busy and _has_time(n, p, cpu_s)]
            places = at_once - len(running)
            running += [Running(name, cpu_s, round_[name]) for name in waiting[:places]]
            if not running:
                return
            time.sleep(_TURN_S)
    finally:
        for one in running:
            one.end()


def _begun(names: list[str], cpu_s: float, fresh: bool) -> dict[str, Progress]:
    """The round that was broken off, or a new one."""
    round_ = {name: _progress(name) for name in names}
    if fresh or not any(_has_time(name, progress, cpu_s) for name, progress in round_.items()):
        for name in names:
            round_[name] = Progress()
            _write_json(OUTPUT / name / "progress.json", asdict(Progress()))
            for part in ("findings/*", "log.txt"):
                for file in (OUTPUT / name).glob(part):
                    file.unlink()
    return round_


def _progress(name: str) -> Progress:
    for part in ("corpus", "seeds", "findings"):
        (OUTPUT / name / part).mkdir(parents=True, exist_ok=True)
    try:
        return Progress(**json.loads((OUTPUT / name / "progress.json").read_text()))
    except (OSError, ValueError, TypeError):
        return Progress()


def _has_time(name: str, progress: Progress, cpu_s: float) -> bool:
    return progress.cpu_s < cpu_s - 1 and len(_findings(name)) < MOST_FINDINGS


def summary(names: list[str]) -> str:
    """A table for people."""
    head = (
        "| target | CPU min | executions | a second | coverage | corpus | findings |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    found = [
        f"\n- {name}: {file.read_text().splitlines()[0]} ({file})"
        for name in names
        for file in _findings(name)
    ]
    return head + "".join(map(_line, names)) + "".join(found) + "\n" * bool(found)


def _line(name: str) -> str:
    progress = _progress(name)
    rate = progress.executions / progress.cpu_s if progress.cpu_s else 0.0
    corpus = len(list((OUTPUT / name / "corpus").iterdir()))
    return (
        f"| {name} | {progress.cpu_s / 60:.1f} | {progress.executions:,} | {rate:,.0f} | "
        f"{_coverage(name)} | {corpus} | {len(_findings(name))} |\n"
    )


def _coverage(name: str) -> str:
    """Branches that the engine has seen, of its last line that says so."""
    try:
        text = (OUTPUT / name / "log.txt").read_bytes()[-20_000:].decode("utf-8", "replace")
    except OSError:
        return "-"
    seen = [part.split()[0] for part in text.split(" cov: ")[1:]]
    return seen[-1] if seen else "-"


def _findings(name: str) -> list[Path]:
    return sorted((OUTPUT / name / "findings").glob("*.txt"))


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def _write_json(file: Path, content: object) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.replace(file)


if __name__ == "__main__":
    sys.exit(main())
