"""The report's figures, each as a PNG of a few inches: legible in print and to the colour-blind."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito (2008), told apart by people who do not see red or green.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#767676"
_DPI = 160

Score = Mapping[str, Any]  # value, chance, null [lo, hi], p, interval [lo, hi], n


def intervals(scores: Mapping[str, Score]) -> bytes:
    """Each score with its interval over trials, beside its null's and its chance level."""
    figure = Figure(figsize=(7.2, 0.7 + 0.42 * len(scores)), layout="constrained")
    axes = figure.subplots()
    for row, score in enumerate(scores.values()):
        low, high = score["null"]
        axes.barh(row, high - low, left=low, height=0.62, color="#d9d9d9", label=_once(row, "null"))
        axes.plot([score["chance"]] * 2, [row - 0.31, row + 0.31], color=GREY, lw=1.2,
                  label=_once(row, "chance"))  # fmt: skip
        low, high = score["interval"]
        axes.plot([low, high], [row, row], color=BLUE, lw=2.2, label=_once(row, "95 % interval"))
        axes.plot(score["value"], row, "o", color=BLUE, ms=6)
    axes.set_yticks(range(len(scores)), list(scores))
    axes.invert_yaxis()
    axes.set_xlim(min(0.0, *(s["interval"][0] for s in scores.values())), 1.02)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    return _png(figure, axes)


def by_age(curves: Mapping[str, Mapping[str, Score]], chance: Mapping[str, float]) -> bytes:
    """Scores against the age of the evidence in seconds, with their intervals."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, curve), colour in zip(curves.items(), (BLUE, ORANGE, GREEN), strict=False):
        ages = [float(age) for age in curve]
        axes.plot(ages, [s["value"] for s in curve.values()], "o-", color=colour, ms=4, label=name)
        bounds = np.array([s["interval"] for s in curve.values()]).T
        axes.fill_between(ages, *bounds, color=colour, alpha=0.18, lw=0)
        axes.axhline(chance[name], color=colour, lw=1, ls=":")
    axes.set(xlabel="evidence up to ... s after onset (dotted: chance)", ylim=(0, 1.03))
    axes.legend(loc="lower right", frameon=False)
    return _png(figure, axes)


def reliability(bins: Sequence[Mapping[str, float]]) -> bytes:
    """How often the decoder was right when it said so: on the diagonal it keeps its word."""
    figure = Figure(figsize=(4.2, 3.9), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
    said, right, n = (np.array([b[key] for b in bins]) for key in ("said", "right", "n"))
    error = 1.96 * np.sqrt(np.maximum(right * (1 - right), 0.25 / np.maximum(n, 1)) / n)
    axes.errorbar(said, right, yerr=np.minimum(error, 1), fmt="none", color=BLUE, lw=1.4)
    axes.scatter(said, right, s=12 + 140 * n / n.max(), color=BLUE, zorder=3)
    axes.set(xlabel="said", ylabel="was right", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    return _png(figure, axes)


def ceilings(edges: Sequence[float], regions: Mapping[str, Mapping[str, Any]]) -> bytes:
    """How many of each region's voxels have which noise ceiling, and the median voxel's."""
    figure = Figure(figsize=(4.2, 3.1), layout="constrained")
    axes = figure.subplots()
    at = 100 * np.array(edges)
    for (name, one), colour in zip(regions.items(), (BLUE, ORANGE), strict=False):
        share = 100 * np.array(one["histogram"]) / one["voxels"]
        axes.stairs(share, at, color=colour, lw=2, label=name)
        axes.stairs(share, at, color=colour, alpha=0.15, fill=True)
        axes.axvline(100 * one["median"], color=colour, lw=1.2, ls="--")
    axes.set(
        xlabel="noise ceiling, % of variance (dashed: median)", ylabel="% of voxels", xlim=(0, 100)
    )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _png(figure, axes)


def learning(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    """Scores against the number of calibration runs."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    axes = figure.subplots()
    runs = [row["runs"] for row in rows]
    for name, colour in zip(names, (BLUE, ORANGE, GREEN), strict=False):
        values = [row[name]["value"] for row in rows]
        bounds = np.array([row[name]["interval"] for row in rows]).T
        axes.plot(runs, values, "o-", color=colour, ms=4, label=name)
        axes.fill_between(runs, *bounds, color=colour, alpha=0.18, lw=0)
    axes.axhline(0.5, color=GREY, lw=1, ls=":")
    axes.set(xlabel="calibration runs", ylabel="two-way", ylim=(0.4, 1.02), xticks=runs)
    axes.legend(loc="lower right", frameon=False)
    return _png(figure, axes)


def _once(row: int, label: str) -> str:
    return label if row == 0 else "_"


def _png(figure: Figure, axes: "Axes") -> bytes:
    axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    return file.getvalue()
