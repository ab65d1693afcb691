"""What eight views and four recorders cost a session: nothing may be lost, and nothing may come later.

    python -m tests.benchmarks.load

The same run again and again through the whole program with its window (offscreen), alternately alone
and with remote views (`rtrecon view`, a process each) and recorders (`rtrecon.xdf_recorder`, a process
each, at a lower priority as views have it: docs/xdf.md). Every volume has to be on the session's disk
and in each recording, and what is decoded has to be the same to the bit.
"""

import argparse
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pylsl
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from rtrecon.artifact import save_artifact
from rtrecon.generators import load_generator
from rtrecon.priority import give_way
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Event, Geometry, Marker, Volume, read_only
from rtrecon.wire import ScannerOutlet
from rtrecon.xdf_recorder import XdfRecorder
from rtrecon.xdf_runs import items
from simulator.lsl import isolated
from simulator.pace import Clock, Pace
from tests import phantom
from tests.benchmarks.document import seconds, table
from tests.soak.folder import Latencies, latencies
from tests.toy import NAMES, artifact_for, save_toy

SHAPE, VOXEL_MM, TR_S = (64, 64, 34), (3.0, 3.0, 3.5), 2.0
LONGEST_S = 120.0
QUANTILES = (50, 95, 99)
END_S = 20.0


@dataclass(frozen=True)
class Went:
    """One run.

    `c`: what was decoded of each volume; `work_ms`: a known piece of work meanwhile; `cores`: how
    many cores each kind of program kept busy.
    """

    late: Latencies
    c: np.ndarray
    work_ms: float
    cores: dict[str, float]


def geometry(speed: float) -> Geometry:
    """Of a usual scanner."""
    affine = np.diag([*VOXEL_MM, 1.0])
    affine[:3, 3] = phantom.CENTRE_MM - np.array(VOXEL_MM) * (np.array(SHAPE) - 1) / 2
    return Geometry(SHAPE, read_only(affine), TR_S, "int16", speed)


def prepare(folder: Path) -> list[np.ndarray]:
    """Write a toy generator and decoders that realign; returns volumes, int16 (i, j, k)."""
    save_toy(folder / "toy")
    affine = geometry(1.0).affine
    reference = phantom.volume(SHAPE, affine).astype(np.float32)
    artifact = artifact_for(load_generator(str(folder / "toy")), geometry(1.0))
    save_artifact(replace(artifact, reference=reference), folder / "decoder")
    rng = np.random.default_rng(0)
    heads = [phantom.volume(SHAPE, affine, pose) for pose in phantom.poses(4, 0, 0.02, 0.02)]
    return [
        (heads[n % 4] + 100 + rng.normal(scale=2, size=SHAPE)).astype(np.int16) for n in range(20)
    ]


def run_of(data: list[np.ndarray], count: int) -> Iterator[Volume | Marker]:
    """A trial every eighth volume."""
    yield Marker(Event.RUN_START)
    for number in range(count):
        if number % 8 == 2:
            yield Marker(Event.TRIAL, NAMES[number // 8 % 3], number * TR_S + 0.3, 6.0)
        yield Volume(number, data[number % len(data)])


class Bench:
    """Everything in one folder, on one stream name a run."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._data = prepare(folder)
        self._matrix = np.random.default_rng(0).normal(size=(160, 160))
        self._runs = 0

    def go(self, loaded: bool) -> Went:
        """One run, with everybody who watches or without."""
        self._runs += 1
        stream, output = f"load-{os.getpid()}-{self._runs}", self._folder / f"run-{self._runs}"
        outlet = ScannerOutlet(stream, geometry(self._options.speed))
        files = [self._folder / f"{output.name}-{n}.xdf" for n in range(self._options.recorders)]
        with ExitStack() as others:
            session = others.enter_context(closing(Program(
                "rtrecon", "run", "--decoder", self._folder / "decoder", "--stream", stream,
                "--generator", self._folder / "toy", "--output", output, "--close",
            )))  # fmt: skip
            session.wait_for("waiting for the first volume")
            programs = {"session": [session]}
            if loaded:
                programs |= self._crowd(stream, files, others)
            started, before = time.monotonic(), busy_s(programs)
            work = self._send(outlet)
            lasted, after = time.monotonic() - started, busy_s(programs)
            outlet.send_marker(
                Marker(Event.RUN_END, volumes=self._options.volumes), pylsl.local_clock()
            )
            session.process.wait(LONGEST_S)
            assert session.process.returncode == 0, session.said
            for program in (one for kind in programs.values() for one in kind):
                program.end()
        if loaded:
            for file in files:
                self._check(file)
        cores = {kind: (after[kind] - before[kind]) / lasted for kind in programs}
        return self._went(output, work, cores)

    def _crowd(
        self, stream: str, files: list[Path], others: ExitStack
    ) -> dict[str, list["Program"]]:
        """All who watch, here and listening before the first volume."""
        views = [
            others.enter_context(
                closing(
                    Program("rtrecon", "view", "--role", "operator", "--stream", stream, "--close")
                )
            )
            for _ in range(self._options.views)
        ]
        recorders = [
            others.enter_context(
                closing(Program("tests.benchmarks.load", "--record", file, "--stream", stream))
            )
            for file in files
        ]
        for view in views:
            view.wait_for("is heard")
        for recorder in recorders:
            recorder.wait_for(f"stream '{stream}-markers' is recorded")
        return {"views": views, "recorders": recorders}

    def _send(self, outlet: ScannerOutlet) -> float:
        """The whole run but its end, on time; returns how long a known piece of work took meanwhile, ms."""
        assert outlet.wait_for_receiver(LONGEST_S)
        pace, speed = Pace(Clock(), self._options.speed, lambda: False), self._options.speed
        worked = []
        for item in run_of(self._data, self._options.volumes):
            if isinstance(item, Marker):
                outlet.send_marker(item, pylsl.local_clock())
                continue
            stamp = pace.wait(item.end_s(TR_S))
            outlet.send_volume(item.number, item.data, stamp)
            if item.number % 5 == 0:
                threading.Event().wait(TR_S / speed / 2)  # when the session has done its own
                worked.append(1e3 * seconds(lambda: np.linalg.svd(self._matrix)))
        return float(np.median(worked))

    def _check(self, file: Path) -> None:
        """A recording has all volumes as they were sent."""
        volumes = [item for item in items(file)[1] if isinstance(item, Volume)]
        assert [volume.number for volume in volumes] == list(range(self._options.volumes)), file
        for volume in volumes:
            assert np.array_equal(volume.data, self._data[volume.number % len(self._data)]), file
        file.unlink()

    def _went(self, output: Path, work_ms: float, cores: dict[str, float]) -> Went:
        session = open_session_folder(output)
        numbers = [int(row["number"]) for row in session.rows]
        assert numbers == list(range(self._options.volumes)), output
        for number, volume in zip(numbers, session.volumes, strict=True):
            assert np.array_equal(volume, self._data[number % len(self._data)]), output
        c = session.array("c")
        assert c is not None
        went = Went(latencies(session), np.array(c), work_ms, cores)
        shutil.rmtree(output)
        return went


class Program:
    """A process whose errors are read as they come."""

    def __init__(self, module: str, *words: object) -> None:
        command = [sys.executable, "-m", module, *map(str, words)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.said = ""
        self._changed = threading.Condition()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self.said += line
                self._changed.notify_all()

    def wait_for(self, words: str) -> None:
        """Until it has said that."""
        with self._changed:
            assert self._changed.wait_for(lambda: words in self.said, LONGEST_S), self.said

    def end(self) -> None:
        """End it by the end of its input; it has to have gone well until then."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(LONGEST_S)
        assert self.process.returncode == 0, self.said

    def close(self) -> None:
        """End it: by the end of its input, or else at once."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)
        self.process.kill()
        self.process.wait()
        self._reading.join()


def busy_s(programs: dict[str, list[Program]]) -> dict[str, float]:
    """Time of the processor that each kind has taken so far, its children's too, s."""
    return {kind: sum(map(_busy_s, those)) for kind, those in programs.items()}


def _busy_s(program: Program) -> float:
    parent = psutil.Process(program.process.pid)
    total = 0.0
    for process in (parent, *parent.children(recursive=True)):
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:2])
    return total


def record(file: Path, stream: str) -> None:
    """A recorder, until its input ends."""
    give_way()
    logging.basicConfig(level=logging.INFO)
    with closing(XdfRecorder(file, stream)):
        sys.stdin.read()


def compared(pairs: list[tuple[Went, Went]]) -> Iterator[list[str]]:
    """Lines of the table: alone and loaded, and the ratio of each pair."""
    for name, of in (("arrival to decoded", "decoded"), ("arrival to first picture", "shown")):
        for q in QUANTILES:
            values = [[np.percentile(getattr(went.late, of), q) for went in pair] for pair in pairs]
            yield _line(name, f"{q} %", np.array(values))
    yield _line("known work", "50 %", np.array([[went.work_ms for went in pair] for pair in pairs]))


def busy(pairs: list[tuple[Went, Went]]) -> Iterator[list[str]]:
    """Lines of the table of cores that were kept busy."""
    for kind in pairs[0][1].cores:
        values = [[went.cores.get(kind, 0.0) for went in pair] for pair in pairs]
        yield [kind, *(f"{value:.2f}" for value in np.median(values, axis=0))]


def _line(name: str, what: str, ms: np.ndarray) -> list[str]:
    """`ms`: (n_pairs, 2)."""
    ratio = ms[:, 1] / ms[:, 0]
    figures = (*np.median(ms, axis=0), np.median(ratio), ratio.min(), ratio.max())
    return [name, what, *(f"{figure:.2f}" for figure in figures)]


def main() -> None:
    """Take turns, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speed", type=float, default=4.0, help="times faster than life [4]")
    parser.add_argument("--volumes", type=int, default=120, help="of a run [120]")
    parser.add_argument("--repeats", type=int, default=5, help="turns [5]")
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--recorders", type=int, default=4)
    parser.add_argument("--record", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--stream", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        record(options.record, options.stream)
        return
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="rtrecon-load-") as name, threadpool_limits(1):
        folder = Path(name)
        _isolate(folder)
        bench, pairs = Bench(options, folder), []
        for turn in tqdm(range(options.repeats), unit="turn"):
            order = (False, True) if turn % 2 == 0 else (True, False)
            went = {loaded: bench.go(loaded) for loaded in order}
            assert np.array_equal(went[False].c, went[True].c), "decoded otherwise"
            pairs.append((went[False], went[True]))
    n = len(pairs) * options.volumes
    views, recorders = options.views, options.recorders
    print(
        f"\n{options.repeats} turns of {options.volumes} volumes ({SHAPE[0]} x {SHAPE[1]} x {SHAPE[2]}"
        f", int16), one every {TR_S / options.speed:g} s; {os.cpu_count()} cores, load {load:.1f} at "
        f"the start. All {n} volumes are in the sessions and in each recording, and what was decoded "
        "is the same to the bit.\n"
    )
    beside = f"with {views} views and {recorders} recorders"
    print(table(["ms", "", "alone", beside, "ratio, median", "lowest", "highest"], compared(pairs)))
    print("\n" + table(["cores busy", "alone", beside], busy(pairs)))


def _isolate(folder: Path) -> None:
    """LSL kept on this machine, windows as they are the first time; before LSL is first used."""
    config = folder / "lsl.cfg"
    config.write_text(isolated(f"load-{os.getpid()}"))
    os.environ["LSLAPICFG"] = str(config)
    os.environ["XDG_CONFIG_HOME"] = str(folder / "settings")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["HF_HUB_OFFLINE"] = "1"


if __name__ == "__main__":
    main()
