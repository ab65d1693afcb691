"""What a day comes to: hour by hour, and which bounds are broken."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.soak.suite import ANY, Seen, Taken

GROWTH = (
    0.02  # of resident memory, its own and its children's, from the first hour's end to the last's
)
LATER = 0.10  # that the last hour's 99 % may lie above the first's


@dataclass(frozen=True)
class Hour:
    """One hour. `at_end`: on the set-up page after its last run; times in ms."""

    at_end: Taken
    decoded: list[float]
    shown: list[float]
    gaps: list[float]
    opening: float
    work: list[float]


def hours(seen: Seen) -> list[Hour]:
    """All that are complete."""
    n, start = len(seen.day.acts), seen.began
    found = []
    for hour, at_end in enumerate(taken for taken in seen.taken if taken.where == "set-up"):
        runs = slice(hour * n, (hour + 1) * n)
        of_runs = seen.latencies[runs]
        found.append(
            Hour(
                at_end,
                [ms for run in of_runs for ms in run.decoded],
                [ms for run in of_runs for ms in run.shown],
                [ms for gaps in seen.gaps[runs] for ms in gaps],
                max(seen.opening[runs]),
                [ms for at, ms in seen.work if start < at <= at_end.sample.at],
            )
        )
        start = at_end.sample.at
    return found


def later(hours: Sequence[Hour]) -> tuple[float, float]:
    """The last hour's 99 % as a multiple of the first's: arrival to decoded, and the known work."""
    first, last = hours[0], hours[-1]
    decoded = np.percentile(last.decoded, 99) / np.percentile(first.decoded, 99)
    return float(decoded), float(np.median(last.work) / np.median(first.work))


def growth(hours: Sequence[Hour]) -> dict[str, float]:
    """Of resident memory after the first hour, the program's own and its children's; shares of each."""
    first, last = (hour.at_end.sample for hour in (hours[0], hours[-1]))
    return {
        "the program's": last.rss / first.rss - 1,
        "its children's": last.children_rss / first.children_rss - 1,
    }


def held(taken: Taken) -> dict[str, object]:
    """What has to be the same at the same point of every hour."""
    sample = taken.sample
    counts: dict[str, object] = {"threads": sample.threads}
    counts |= {f"handles: {kind}": n for kind, n in sample.handles.items()}
    return counts | {f"children: {name}": n for name, n in sample.children.items()}


def broken(seen: Seen, whole: bool = True) -> list[str]:
    """The bounds that do not hold, in words; `whole`: memory and latency as well as counts."""
    found = _changed(seen)
    if not whole:
        return found
    by_hour = hours(seen)
    found += [
        f"resident memory, {whose}: grew by {grown:.1%}, {GROWTH:.0%} are allowed"
        for whose, grown in growth(by_hour).items()
        if grown > GROWTH
    ]
    decoded, work = later(by_hour)
    if decoded > 1 + LATER:
        found.append(
            f"arrival to decoded, 99 %: {decoded:.2f} of the first hour's, {1 + LATER:.2f} are "
            f"allowed; a known piece of work took {work:.2f} of its time then"
        )
    return found


def _changed(seen: Seen) -> list[str]:
    """What was counted at the same point of two hours, and differs."""
    n, found = len(seen.day.acts), list[str]()
    points: dict[tuple[str, int], Taken] = {}
    for taken in seen.taken:
        if taken.where == ANY or (taken.where == "ended" and taken.run < n):
            continue  # what is loaded once is loaded by the end of the first hour
        first = points.setdefault((taken.where, taken.run % n), taken)
        before, now = held(first), held(taken)
        found += [
            f"{what} ({taken.where}, run {taken.run}): {now.get(what, 0)}, "
            f"and {before.get(what, 0)} after run {first.run}"
            for what in sorted(before.keys() | now.keys())
            if before.get(what, 0) != now.get(what, 0)
        ]
    return found


def rows(seen: Seen) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the table."""
    head = [
        "hour", "resident MB", "children MB", "objects", "threads", "handles", "children",
        "arrival to decoded ms, median", "99 %", "arrival to first picture ms, median", "99 %",
        "between looks ms, 99 %", "longest opening a run", "known work ms",
    ]  # fmt: skip
    lines = []
    for number, hour in enumerate(hours(seen), 1):
        at = hour.at_end.sample
        figures = (
            *np.percentile(hour.decoded, (50, 99)), *np.percentile(hour.shown, (50, 99)),
            np.percentile(hour.gaps, 99), hour.opening, np.median(hour.work),
        )  # fmt: skip
        lines.append([
            str(number), f"{at.rss:.0f}", f"{at.children_rss:.0f}", f"{hour.at_end.objects:,}",
            str(at.threads), str(at.fds), str(sum(at.children.values())),
            *(f"{figure:.1f}" for figure in figures),
        ])  # fmt: skip
    return head, lines


def grown_kinds(seen: Seen, most: int = 8) -> list[tuple[str, int]]:
    """Of which Python objects there are more than at the end of the first hour, most first."""
    at_end = [taken.kinds for taken in seen.taken if taken.where == "set-up"]
    more = Counter(at_end[-1])
    more.subtract({kind: n for kind, n in at_end[0].items() if kind in more})
    return [(kind, n) for kind, n in more.most_common(most) if n > 0]
