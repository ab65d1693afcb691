"""Ridge at the size of the Natural Scenes Dataset, with made-up numbers: time and peak memory.

25,000 trials x 15,000 voxels -> 66,000 targets, 5 alphas, 5 folds, within 24 GB. Bytes, with n
trials, p voxels, A alphas, F folds (at full size, GB):

    X as it is given, X centred                8 n p                          3.0
    its moments in float64                     8 p^2                          1.8
    what predicts, of all folds                4 A n p                        7.5
      with more than 8 alphas                  4 (n p + F p^2)                6.0
    the last fold solved: its moments,
      shifted, its factor; tested samples      8 (3 p^2 + 3 p n / F)          7.2
    or eigenvectors and room to find them      8 * 3 p^2 + 4 (p^2 + n p)      7.8
    a batch of targets                         an eighth of what predicts     0.9

A fold is solved before there are all eigenvectors and batches: 21 GB at the most. Targets are a memory
map, read batch by batch; weights and held-out predictions are reduced to a number a target as they
come (`fit_batches`). `--scale .2` makes trials, voxels and targets a fifth, the work 1/125. Times are
the processor's with one thread, wall-clock times with more.
"""

import argparse
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from calibration.fitting.ridge import fit_batches, leave_out
from calibration.fitting.ridge_solver import FEW
from tests.benchmarks.document import table

TRIALS, VOXELS, TARGETS, FOLDS = 25_000, 15_000, 66_000, 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Print times and memory, and what they come to at full size."""
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    n, p, t = (int(size * options.scale) for size in (TRIALS, VOXELS, TARGETS))
    alphas = np.logspace(2, 6, options.alphas)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p), dtype=np.float32)
    weights = rng.standard_normal((p, 20), dtype=np.float32)
    splits = leave_out(np.arange(n) * 40 // n, FOLDS)
    memory = _Memory()
    base_gb = memory.peak_gb
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(options.threads):
        Y = _targets(Path(folder) / "y.npy", X @ weights, t, rng)
        clock = time.process_time if options.threads == 1 else time.perf_counter
        began = clock()
        first_s = 0.0
        memory.start()
        residual = np.empty(t)
        for of, some in fit_batches(X, Y, splits, alphas=alphas):
            first_s = first_s or clock() - began
            residual[of] = some.residual_variance
        whole_s = clock() - began
    memory.done.set()
    memory.join()
    print(
        f"{n} trials x {p} voxels -> {t} targets, {len(alphas)} alphas, {FOLDS} folds; "
        f"{options.threads} threads; variance missed {residual.mean():.3f}\n"
    )
    a = len(alphas)
    times = _operations(n, p, t, a) / _operations(TRIALS, VOXELS, TARGETS, a)
    rows = [
        ["X, before the fit", "", f"{base_gb:.2f}", ""],
        ["until the first batch", f"{first_s:.0f}", "", f"{first_s / times / 3600:.1f}"],
        ["all", f"{whole_s:.0f}", f"{memory.peak_gb:.2f}", f"{whole_s / times / 3600:.1f}"],
    ]
    print(table(["", "s", "peak memory GB", "hours at full size, by operations"], rows))
    print(f"\nmemory by the table above: {_bytes(n, p, a) / 1e9:.2f} GB; at full size "
          f"{_bytes(TRIALS, VOXELS, a) / 1e9:.1f} GB")  # fmt: skip
    return 0


def _targets(path: Path, seen: np.ndarray, count: int, rng: np.random.Generator) -> np.memmap:
    """Targets of unit variance on disk, half of them noise."""
    Y = np.lib.format.open_memmap(path, "w+", np.float32, (len(seen), count))
    mixing = rng.standard_normal((seen.shape[1], count), dtype=np.float32)
    mixing *= np.sqrt(0.5) / (np.linalg.norm(mixing, axis=0) * seen.std())
    for begin in range(0, len(seen), 500):
        rows = seen[begin : begin + 500]
        noise = rng.standard_normal((len(rows), count), dtype=np.float32)
        Y[begin : begin + 500] = rows @ mixing + np.float32(np.sqrt(0.5)) * noise
    Y.flush()
    return np.load(path, mmap_mode="r")


def _operations(n: int, p: int, t: int, a: int) -> float:
    """Multiplications and additions: products over targets, and what solving the folds takes."""
    targets = 2.0 * t * n * p * (a + 2) + 2 * t * p * (n + p)
    if a <= FEW:
        return targets + a * (FOLDS * p**3 / 3 + 2 * n * p**2) + 10 * p**3
    return targets + 2.0 * t * FOLDS * p**2 + 10 * (FOLDS + 1) * p**3


def _bytes(n: int, p: int, a: int) -> float:
    fold = n / FOLDS
    predicting = 4 * a * n * p if a <= FEW else 4 * (n * p + FOLDS * p**2)
    kept = 8 * n * p + 8 * p**2 + predicting
    solving = 8 * 3 * (p**2 + p * fold)
    finding = 8 * 3 * p**2 + 4 * (p**2 + n * p)
    return kept + max(solving, finding + predicting / 8)


class _Memory(threading.Thread):
    """Peak of this program's own memory, without pages of files, which the system takes back."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.peak_gb = self.now_gb()

    def run(self) -> None:
        while not self.done.wait(0.05):
            self.peak_gb = max(self.peak_gb, self.now_gb())

    @staticmethod
    def now_gb() -> float:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024 / 1e9


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.2, metavar="SHARE", help="default: 0.2")
    parser.add_argument("--alphas", type=int, default=5, metavar="N", help="default: 5")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=cores, metavar="N")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
