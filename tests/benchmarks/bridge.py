"""From a file's last byte to the volume in a receiver's hands, and a long run's losses and memory.

    python -m tests.benchmarks.bridge

Files are written in place, in two parts; the last one counts. The bridge is a process of its own.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from simulator.lsl import isolated

if "LSLAPICFG" not in os.environ:
    _config = Path(tempfile.mkdtemp()) / "lsl.cfg"
    _config.write_text(isolated(f"bench-{os.getpid()}"))
    os.environ["LSLAPICFG"] = str(_config)

import pylsl

from rtrecon.connect import find_stream, open_volumes
from tests import exports

TR_S = 0.72
Write = Callable[[Path, int, np.ndarray], list[Path]]


def _nifti(folder: Path, n: int, data: np.ndarray) -> list[Path]:
    return [exports.write_nifti(folder / f"run_{n:05}.nii", data, exports.AFFINE, tr_s=TR_S)]


def _mosaic(folder: Path, n: int, data: np.ndarray) -> list[Path]:
    return [exports.write_mosaic(folder / f"{n:06}.dcm", data, volume=n, tr_s=TR_S)]


def _enhanced(folder: Path, n: int, data: np.ndarray) -> list[Path]:
    return [exports.write_enhanced(folder / f"{n:06}.dcm", data, volume=n, tr_s=TR_S)]


def _slices(folder: Path, n: int, data: np.ndarray) -> list[Path]:
    made = exports.write_slices(folder / f"{n:06}", data, volume=n, tr_s=TR_S, volumes=10_000)
    return [path.rename(folder / f"{n:06}_{k:03}.dcm") for k, path in enumerate(made)]


def _par_rec(folder: Path, n: int, data: np.ndarray) -> list[Path]:
    return list(exports.write_par_rec(folder / f"Dump-{n:04}.par", data, n, tr_s=TR_S))


WRITERS: dict[str, Write] = {
    "mosaic": _mosaic,
    "enhanced": _enhanced,
    "slices": _slices,
    "NIfTI": _nifti,
    "PAR/REC": _par_rec,
}


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(
    make: Write, shape: tuple[int, int, int], count: int, every_s: float, options: list[str]
) -> tuple[np.ndarray, list[float], int]:
    """Latencies (s), resident memory of the bridge (MB) at 200 volumes and the end, and volumes lost."""
    name = f"bench-{time.monotonic_ns()}"
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as out:
        volumes = [
            np.random.default_rng(n).integers(0, 900, shape).astype(np.int16) for n in range(4)
        ]
        bridge = subprocess.Popen(
            [sys.executable, "-m", "rtrecon", "bridge", out, "--stream", name, "--from-start", *options],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        finished: dict[int, float] = {}
        memory: list[float] = []
        came: dict[int, float] = {}
        ready = threading.Event()

        def feed() -> None:
            begin = time.monotonic()
            for n in range(count):
                contents = [(p.name, p.read_bytes()) for p in make(Path(made), n, volumes[n % 4])]
                for path in Path(made).rglob("*.*"):
                    path.unlink()
                if n == 3:
                    ready.wait(30)
                    begin = time.monotonic() - n * every_s
                threading.Event().wait(max(0.0, begin + n * every_s - time.monotonic()))
                for file, content in contents:
                    with (Path(out) / file).open("wb") as handle:
                        handle.write(content[: len(content) // 2])
                        handle.flush()
                        handle.write(content[len(content) // 2 :])
                        handle.flush()
                finished[n] = pylsl.local_clock()
                if n in (min(200, count // 2), count - 1):
                    memory.append(_resident_mb(bridge.pid))

        feeder = threading.Thread(target=feed)
        feeder.start()
        _, inlet = open_volumes(find_stream(name, 60, threading.Event()))
        while max(came, default=-1) < count - 1:
            samples, stamps = inlet.pull_chunk(timeout=10.0, max_samples=1, as_numpy=True)
            if not len(stamps):
                break
            came[int(samples[0][0])] = pylsl.local_clock()
            if 2 in came:  # the first ones were kept for a receiver of markers
                ready.set()
        feeder.join()
        bridge.send_signal(signal.SIGINT)
        inlet.close_stream()
        del inlet
        bridge.wait(30)
    late = np.array([came[n] - finished[n] for n in came if n > 5])
    return late, memory, count - len(came)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--long", type=int, default=1200)
    options = parser.parse_args()
    print("format\tby\tmedian ms\tp95 ms\tlost")
    for kind, make in WRITERS.items():
        for by, extra in (("events", []), ("looking every 0.2 s", ["--poll", "0.2"])):
            late, _, lost = run(make, (64, 64, 34), options.count, 0.15, extra)
            ms = 1e3 * np.percentile(late, [50, 95])
            print(f"{kind}\t{by}\t{ms[0]:.1f}\t{ms[1]:.1f}\t{lost}", flush=True)
    if options.long:
        late, memory, lost = run(_nifti, (104, 90, 72), options.long, TR_S / 10, [])
        ms = 1e3 * np.percentile(late, [50, 95])
        print(
            f"{options.long} of 104 x 90 x 72 at ten times 0.72 s: {lost} lost, median {ms[0]:.1f} ms, "
            f"p95 {ms[1]:.1f} ms, bridge {memory[0]:.0f} MB at 200, {memory[-1]:.0f} MB at the end"
        )


if __name__ == "__main__":
    main()
