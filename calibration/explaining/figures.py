"""The figures of an encoding analysis, drawn from its numbers alone.

Colours are those of Okabe & Ito and of viridis, which colour-blind readers tell apart.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"z": "#0072B2", "c": "#D55E00", "z_c": "#009E73"}
SPOKEN = {
    "z": "z, the picture's latent",
    "c": "c, the conditioning by words",
    "z_c": "$z_c$, the latent denoised under c",
}
_MEAN = "mean r (95 % over stimuli)"
_COLUMNS = 4
_LEAST_TOP = 0.05  # of r, where colours end at least

Results = Mapping[str, Any]


def block_colours(blocks: Sequence[str]) -> dict[str, str]:
    """Colours of the U-Net's blocks by their place in it."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    shades = colormaps["plasma"](np.linspace(0.02, 0.95, len(blocks)))
    return {block: to_hex(shade) for block, shade in zip(blocks, shades, strict=True)}


def draw_spaces(results: Results) -> "Figure":
    """Which of z, c and z_c explains which region: mean r, unique variance, share of voxels."""
    regions = list(results["regions"])
    figure, (mean, unique, best) = _canvas(1, 3, width=max(10.0, 4 + 1.7 * len(regions)), height=4)
    for n, space in enumerate(COLOURS):
        scores = [_scores(results, "space", region, label=space)[0] for region in regions]
        _bars(mean, n, len(COLOURS), scores, space, SPOKEN[space])
    mean.set(title="Held-out correlation", ylabel=_MEAN)
    for n, (space, other) in enumerate((("z", "c"), ("c", "z"))):
        shares = [results["unique"][space][region] for region in regions]
        _bars(unique, n, 2, shares, space, f"{space} beyond {other}", of="r2")
    unique.set(
        title="Variance that only one explains", ylabel="$R^2$ of both less $R^2$ of the other"
    )
    unique.legend(frameon=False)
    _stacked(best, results, regions)
    for axes in (mean, unique, best):
        axes.set_xticks(range(len(regions)), regions, rotation=30 if len(regions) > 4 else 0)
        axes.axhline(0, color="black", linewidth=0.8)
    figure.legend(
        *mean.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def draw_noise(results: Results) -> "Figure":
    """How z_c explains each region when z was noised little or much."""
    return _curves(results, "noise", "noised how far (strength)")


def draw_steps(results: Results) -> "Figure":
    """How the latent on its way explains each region, from the noised one to the last step."""
    return _curves(results, "step", "denoising steps done")


def draw_blocks(results: Results) -> "Figure":
    """Which block of the U-Net explains which region, early, midway and late in denoising (bold: the best)."""
    regions = list(results["regions"])
    stages = list(dict.fromkeys(f["stage"] for f in _family(results, "block")))
    blocks = list(dict.fromkeys(f["label"] for f in _family(results, "block")))
    r = {
        stage: np.array(
            [[s["r"] for s in _scores(results, "block", region, stage=stage)] for region in regions]
        )
        for stage in stages
    }
    top = max(_LEAST_TOP, *(float(values.max()) for values in r.values()))
    size = {"width": 2.5 + 0.6 * len(blocks) * len(stages), "height": 1.8 + 0.5 * len(regions)}
    figure, panels = _canvas(1, len(stages), sharey=True, **size)
    for axes, stage in zip(panels, stages, strict=True):
        shown = axes.imshow(r[stage], cmap="viridis", vmin=0, vmax=top, aspect="auto")
        axes.set_xticks(range(len(blocks)), blocks, rotation=35, ha="right")
        axes.set_yticks(range(len(regions)), regions)
        axes.set_title(stage)
        axes.spines[:].set_visible(False)
        for (row, column), value in np.ndenumerate(r[stage]):
            best = value == r[stage][row].max()
            axes.text(
                column, row, f"{value:.2f}".replace("0.", "."), ha="center", va="center",
                color="black" if value > 0.6 * top else "white",
                weight="bold" if best else "normal",
            )  # fmt: skip
    figure.colorbar(shown, ax=panels, label="mean r", pad=0.01)
    return figure


def _curves(results: Results, family: str, label: str) -> "Figure":
    """For each region above how well z_c predicts it, below what it explains beyond z."""
    regions = list(results["regions"])
    columns = min(_COLUMNS, len(regions))
    rows = -(-len(regions) // columns)
    figure, panels = _canvas(
        2 * rows, columns, width=1 + 3.8 * columns, height=0.5 + 5.6 * rows, sharey="row"
    )
    halves = np.reshape(panels, (2, rows * columns))
    features = _family(results, family)
    x = [float(feature["label"]) for feature in features]
    for (above, below), region in zip(halves.T, regions, strict=False):
        for space in ("z", "c"):
            (score,) = _scores(results, "space", region, label=space)
            above.axhspan(*score["interval_stimuli"], color=COLOURS[space], alpha=0.12, linewidth=0)
            style = "--" if space == "z" else ":"
            above.axhline(score["r"], color=COLOURS[space], linestyle=style, label=SPOKEN[space])
        _curve(above, x, [feature["regions"][region] for feature in features], "r")
        _curve(below, x, [feature["beyond_z"][region] for feature in features], "r2")
        above.set(title=f"{region}, {results['regions'][region]} voxels", xticks=x)
        below.set(xlabel=label, xticks=x)
    for half, said in zip(halves, (_MEAN, "$R^2$ of both less $R^2$ of z"), strict=True):
        for axes in half[::columns]:
            axes.set_ylabel(said)
        for axes in half[len(regions) :]:
            axes.set_visible(False)
    handles = halves[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _curve(axes: "Axes", x: Sequence[float], scores: Sequence[Any], of: str) -> None:
    """z_c with its band."""
    low, high = np.transpose([score["interval_stimuli"] for score in scores])
    axes.fill_between(x, low, high, color=COLOURS["z_c"], alpha=0.25, linewidth=0)
    values = [score[of] for score in scores]
    axes.plot(x, values, "o-", color=COLOURS["z_c"], label=SPOKEN["z_c"], linewidth=2)
    axes.axhline(0, color="black", linewidth=0.8)


def _bars(
    axes: "Axes", n: int, among: int, scores: Sequence[Any], space: str, label: str, of: str = "r"
) -> None:
    width = 0.8 / among
    at = np.arange(len(scores)) + (n - (among - 1) / 2) * width
    axes.bar(at, [score[of] for score in scores], 0.92 * width, color=COLOURS[space], label=label)
    low, high = np.transpose([score["interval_stimuli"] for score in scores])
    axes.vlines(at, low, high, "black", linewidth=1.5)


def _stacked(axes: "Axes", results: Results, regions: Sequence[str]) -> None:
    """The share of each region's voxels that each space explains best; the rest none explains."""
    below = np.zeros(len(regions))
    for space, colour in COLOURS.items():
        share = np.array([100 * results["best"][region][space] for region in regions])
        axes.bar(range(len(regions)), share, 0.6, bottom=below, color=colour)
        for n in np.flatnonzero(share >= 6).tolist():
            middle = below[n] + share[n] / 2
            axes.text(n, middle, f"{share[n]:.0f}", ha="center", va="center", color="white")
        below += share
    axes.set(title="Best of the three", ylabel=f"% of voxels (q < {results['q']:g})", ylim=(0, 100))


def _scores(
    results: Results, family: str, region: str, label: str = "", stage: str = ""
) -> list[Any]:
    return [
        feature["regions"][region]
        for feature in _family(results, family)
        if label in ("", feature["label"]) and stage in ("", feature["stage"])
    ]


def _family(results: Results, family: str) -> list[Any]:
    return [feature for feature in results["features"] if feature["family"] == family]


def _canvas(
    rows: int, columns: int, width: float, height: float, sharey: Literal["row"] | bool = False
) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure  # takes a second, and most of the time nobody needs it

    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels[0] if rows == 1 else panels
