"""Eight hours in a scanner suite, faster than life: memory, handles, threads and latency stay.

    python -m tests.soak

Exit code 1 when they do not, or when a run's folder lacks a volume.
"""

import argparse
import os
import sys
from pathlib import Path

from tqdm import tqdm

from tests.benchmarks.document import table
from tests.soak import figure, verdict
from tests.soak.day import TR_S, Day
from tests.soak.folder import Incomplete
from tests.soak.suite import Seen, suite


def main() -> int:
    """Run the day, print its table and draw its figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=int, default=8)
    parser.add_argument("--speed", type=float, default=40.0, help="times faster than life")
    parser.add_argument("--volumes", type=int, default=450, help="of a run; four runs are an hour")
    parser.add_argument("--output", type=Path, default=Path("out/soak"), metavar="DIR")
    options = parser.parse_args()
    day = Day(options.hours, options.volumes, options.speed)
    total = sum(run.volumes for run in day.runs)
    load = os.getloadavg()[0]
    with suite(day) as running, tqdm(total=total, unit="volume", smoothing=0) as bar:
        try:
            code = running.run(bar.update)
        except Incomplete as error:
            print(f"soak: {error}\n{running.said}", file=sys.stderr)
            return 1
        if code:
            print(f"soak: the program failed\n{running.said}", file=sys.stderr)
            return 1
    options.output.mkdir(parents=True, exist_ok=True)
    report = _report(running.seen, load)
    (options.output / "day.md").write_text(report)
    figure.draw(running.seen, options.output / "day.png")
    print(report)
    bad = verdict.broken(running.seen)
    print("\n".join(f"broken: {line}" for line in bad) or "all bounds are kept")
    return 1 if bad else 0


def _report(seen: Seen, load: float) -> str:
    day, (decoded, work) = seen.day, verdict.later(by_hour := verdict.hours(seen))
    volumes, pictures = (
        sum(len(getattr(hour, of)) for hour in by_hour) for of in ("decoded", "shown")
    )
    grown = ", ".join(f"{whose} {n:+.1%}" for whose, n in verdict.growth(by_hour).items())
    kinds = ", ".join(f"{kind} +{n}" for kind, n in verdict.grown_kinds(seen)) or "none"
    return "\n".join([
        f"{day.hours} hours, {len(day.runs)} runs of {day.volumes} volumes of {TR_S:g} s, "
        f"{day.speed:g} times faster than life; {volumes:,} volumes decoded, {pictures:,} of them "
        f"seen as pictures; {seen.messages:,} messages by OSC; {seen.views} remote views; "
        f"load {load:.1f} at the start, {os.getloadavg()[0]:.1f} at the end, "
        f"{os.cpu_count()} cores.", "",
        table(*verdict.rows(seen)), "",
        f"Resident memory after the first hour: {grown}. Arrival to decoded, "
        f"99 %, last hour / first: {decoded:.2f}; the known work, last hour / first: {work:.2f}. "
        f"Python objects that have become more since the first hour: {kinds}.", "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
