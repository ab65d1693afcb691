"""The day as a picture."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tests.soak.suite import ANY, Seen
from tests.soak.verdict import Hour, hours


def draw(seen: Seen, file: Path) -> None:
    """Memory, counts and latency over the hours."""
    figure = Figure(figsize=(9, 9), layout="constrained")
    memory, counts, latency = figure.subplots(3, 1, sharex=True)
    by_hour = hours(seen)
    ends = np.array([seen.began, *(hour.at_end.sample.at for hour in by_hour)])

    def hour_of(at: float) -> float:
        return float(np.interp(at, ends, np.arange(len(ends))))

    anywhere = [taken for taken in seen.taken if taken.where == ANY]
    at = [hour_of(taken.sample.at) for taken in anywhere]
    memory.plot(at, [t.sample.rss for t in anywhere], lw=0.8, color="#999999", label="at any time")
    memory.plot(at, [t.sample.children_rss for t in anywhere], lw=0.8, color="#56b4e9",
                label="its children, at any time")  # fmt: skip
    whole = np.arange(1, len(by_hour) + 1)
    memory.plot(whole, [h.at_end.sample.rss for h in by_hour], "o-", color="#d55e00",
                label="on the set-up page")  # fmt: skip
    counts.plot(
        at, [t.sample.fds for t in anywhere], lw=0.8, color="#999999", label="handles, at any time"
    )
    counts.plot(
        at,
        [t.sample.threads for t in anywhere],
        lw=0.8,
        color="#56b4e9",
        label="threads, at any time",
    )
    counts.plot(whole, [h.at_end.sample.fds for h in by_hour], "o-", color="#d55e00",
                label="handles, on the set-up page")  # fmt: skip
    counts.plot(whole, [h.at_end.sample.threads for h in by_hour], "o-", color="#0072b2",
                label="threads, on the set-up page")  # fmt: skip
    _latency(latency, by_hour, whole - 0.5)
    memory.set(ylabel="resident memory, MB", ylim=(0, None))
    counts.set(ylabel="number", ylim=(0, None))
    latency.set(ylabel="ms", ylim=(0, None), xlabel="simulated hour", xticks=range(len(ends)))
    for axes in (memory, counts, latency):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)


def _latency(axes: object, by_hour: list[Hour], at: np.ndarray) -> None:
    kinds = {
        "arrival to decoded": "decoded",
        "arrival to first picture": "shown",
        "between looks": "gaps",
    }
    for (label, name), colour in zip(kinds.items(), ("#d55e00", "#0072b2", "#009e73"), strict=True):
        for q, style in ((99, "o-"), (50, "o:")):
            values = [np.percentile(getattr(hour, name), q) for hour in by_hour]
            axes.plot(at, values, style, color=colour, label=f"{label}, {q} %")
