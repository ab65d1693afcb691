"""The suite: program, scanner, remote views and what listens to the outputs, watched all day."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pylsl
from threadpoolctl import threadpool_limits

from simulator.lsl import isolated
from tests.benchmarks.document import seconds
from tests.soak import people, sample
from tests.soak.day import Act, Day, Run
from tests.soak.folder import Latencies, checked

EVERY_S = 4.5  # between two looks at the program, and between two goes at the known work
END_S = 60.0
MONITORS = [
    {
        "name": name,
        "x": x,
        "y": 0,
        "width": 1280,
        "height": 720,
        "logicalDpi": 96,
        "logicalBaseDpi": 96,
        "dpr": 1,
    }
    for name, x in (("operator", 0), ("participant", 1280))
]
ANY = "any"  # where a sample was taken that is not of a known point of the hour


@dataclass(frozen=True)
class Taken:
    """A sample, and what was counted beside it where it was at a known point of the hour."""

    where: str
    run: int
    sample: sample.Sample
    objects: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


@dataclass
class Seen:
    """All that a day has told. `latencies`: by run. `work`: LSL clock, ms."""

    day: Day
    began: float = field(default_factory=pylsl.local_clock)
    taken: list[Taken] = field(default_factory=list)
    latencies: list[Latencies] = field(default_factory=list)
    work: list[tuple[float, float]] = field(default_factory=list)
    gaps: list[list[float]] = field(default_factory=list)  # of the live window, ms, by run
    opening: list[float] = field(default_factory=list)  # longest gap while a run is opened, ms
    messages: int = 0  # that came by OSC
    views: int = 0


class Suite:
    """Everything that runs; `seen` fills as the day goes on."""

    def __init__(self, day: Day, folder: Path) -> None:
        self.seen = Seen(day)
        self._folder, self._stream = folder, f"suite-{os.getpid()}"
        (folder / "lsl.cfg").write_text(isolated(f"soak-{os.getpid()}"))
        (folder / "monitors.json").write_text(json.dumps({"screens": MONITORS}))
        self._environment = os.environ | {
            "LSLAPICFG": str(folder / "lsl.cfg"), "XDG_CONFIG_HOME": str(folder / "settings"),
            "QT_QPA_PLATFORM": f"offscreen:configfile={folder / 'monitors.json'}",
            "HF_HUB_OFFLINE": "1",
        }  # fmt: skip
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.settimeout(0.5)
        port = self._listener.getsockname()[1]
        toml = f"generator = '{folder / 'toy'}'\n{people.PROTOCOL.format(port=port)}"
        (folder / "soak.toml").write_text(toml)
        self._log = (folder / "log.txt").open("w")
        self._over = threading.Event()
        self._view: subprocess.Popen[bytes] | None = None

    def run(self, progress: Callable[[int], object]) -> int:
        """The whole day; returns the program's exit code. `progress` is told of volumes.

        Raises
        ------
        Incomplete
            A run's folder lacks something.
        """
        words = (self._stream, *self.seen.day.words)
        program = self._begin("tests.soak.program", self._folder, *words, stdout=subprocess.PIPE)
        scanner = self._begin("tests.soak.scanner", *words, stdin=subprocess.PIPE)
        others = [
            threading.Thread(target=self._look, args=(psutil.Process(program.pid),)),
            threading.Thread(target=self._listen),
        ]
        for thread in others:
            thread.start()
        assert program.stdout is not None
        try:
            for line in program.stdout:
                self._heed(json.loads(line), progress)
            return program.wait(END_S)
        finally:
            self._over.set()
            for process in filter(None, (program, scanner, self._view)):
                process.kill()
                process.communicate()
            for thread in others:
                thread.join()
            self._listener.close()
            self._log.close()

    def _begin(self, module: str, *words: object, **more: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *map(str, words)]
        return subprocess.Popen(command, env=self._environment, stderr=self._log, **more)

    def _heed(self, said: dict[str, Any], progress: Callable[[int], object]) -> None:
        run = self.seen.day.runs[said["run"]]
        if said["event"] == "sample":
            held, kinds = sample.Sample(**said["sample"]), dict(said["kinds"])
            taken = Taken(said["where"], run.number, held, said["objects"], kinds)
            self.seen.taken.append(taken)
        elif said["event"] == "ended":
            self._end(run, said)
            progress(run.volumes)
        elif run.act is Act.VIEWED:
            self._view = self._begin(
                "rtrecon", "view", "--role", "operator", "--stream", self._stream
            )
            self.seen.views += 1

    def _end(self, run: Run, said: dict[str, Any]) -> None:
        view, self._view = self._view, None
        if view is not None:  # closed politely, or killed
            assert view.poll() is None, "the remote view has ended by itself"
            view.terminate() if run.hour % 2 else view.kill()
            view.wait(END_S)
        self.seen.gaps.append(said["gaps"])
        self.seen.opening.append(said["opening"])
        folder = Path(said["folder"])
        self.seen.latencies.append(checked(folder, run))
        shutil.rmtree(folder)

    def _look(self, program: psutil.Process) -> None:
        matrix = np.random.default_rng(0).normal(size=(160, 160))
        with threadpool_limits(1):
            while not self._over.wait(EVERY_S):
                worked = seconds(lambda: np.linalg.svd(matrix))
                self.seen.work.append((pylsl.local_clock(), 1e3 * worked))
                with suppress(psutil.NoSuchProcess):
                    held = sample.take(program, pylsl.local_clock())
                    self.seen.taken.append(Taken(ANY, len(self.seen.latencies), held))

    def _listen(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                self._listener.recv(4096)
                self.seen.messages += 1

    @property
    def said(self) -> str:
        """The last lines of the programs' errors."""
        return "\n".join((self._folder / "log.txt").read_text().splitlines()[-40:])


@contextmanager
def suite(day: Day) -> Iterator[Suite]:
    """A suite with everything that it needs, in a folder that goes afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="rtrecon-soak-"))
    try:
        people.make(folder)
        yield Suite(day, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
