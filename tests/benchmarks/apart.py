"""What it costs that a live session's generator draws in a process of its own.

    python -m tests.benchmarks.apart

Pictures here and there alternate in one run with the same precision and threads, so that what else the
machine does falls on both. `make bench` does not run it: docs/decisions/0009 has its figures.
"""

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rtrecon.config import Settings
from rtrecon.generators import Generator, load_generator, nothing
from rtrecon.generators.apart import Apart, load_apart
from rtrecon.generators.compute import Compute
from tests.benchmarks.document import table
from tests.light import load as load_light

HEAD = ["generator", "here ms", "there ms", "there / here (quartiles)", "difference ms"]
LIGHT = "tests.light:load"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=60)
    count = parser.parse_args().pictures
    begun = [_begun() for _ in range(4)]
    print(f"load average {os.getloadavg()[0]:.1f}")
    print(f"begun first {begun[0]:.2f} s, later {np.median(begun[1:]):.2f} s (median of 3)\n")
    rows = []
    for name in ("8", "512"):
        there = load_apart(name, LIGHT)
        here: Generator = load_light(name, None)  # type: ignore[assignment]
        rows += [_row(f"none, {name} px", here, there, Settings(steps=1), count)]
    there = load_apart("miniature")
    here = load_generator("miniature", Compute.recorded(there.compute.told()))
    for steps in (1, 2, 4):
        settings = replace(here.defaults, steps=steps)
        rows += [_row(f"miniature, {steps} steps", here, there, settings, count)]
    print(table(HEAD, rows))


def _begun() -> float:
    """Seconds until the miniature can draw."""
    return _seconds(lambda: load_apart("miniature").close())


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _row(
    name: str, here: Generator, there: Apart, settings: Settings, count: int
) -> list[str]:  # fmt: skip
    aim = nothing(here)
    times = np.array([
        [1e3 * _seconds(lambda one=one: list(one.images(aim, 0, settings))) for one in (here, there)]
        for _ in range(count + 2)
    ][2:])  # fmt: skip
    low, ratio, high = np.percentile(times[:, 1] / times[:, 0], (25, 50, 75))
    middle = np.median(times, axis=0)
    told = f"{ratio:.2f} ({low:.2f} to {high:.2f})"
    return [
        name,
        *(f"{ms:.2f}" for ms in middle),
        told,
        f"{np.median(times[:, 1] - times[:, 0]):.2f}",
    ]


if __name__ == "__main__":
    main()
