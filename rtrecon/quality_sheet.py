"""How good a session's data were, in one picture: motion, DVARS, a carpet and a tSNR map."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtrecon.quality import START_UP
from rtrecon.session_folder import open_session_folder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VOLUMES = 400  # that map and carpet are drawn from, evenly spread over longer sessions
CARPET_VOXELS = 800
CARPET_PERCENT = 5.0  # signal change at which the grey scale ends
_LEAST = 10  # volumes; fewer make no picture

Table = dict[str, NDArray[np.float64]]


def write_quality_sheet(folder: Path, voxels: NDArray[np.int64]) -> Path | None:
    """Draw `quality.png` from a recorded session; None where it has hardly any volumes.

    Parameters
    ----------
    folder : Path
        The session's.
    voxels : int64 (n_voxels,)
        The decoder's, counted with i fastest: the carpet's rows.
    """
    from matplotlib.figure import Figure  # takes a second, and most of the time nobody needs it

    table = _read(folder / "quality.tsv")
    session = open_session_folder(folder)
    # In the order of quality.tsv, which has no row for a rejected volume.
    used = np.array([n for n, row in enumerate(session.rows) if row["fault"] == "n/a"], int)
    if min(len(used), len(table["number"])) < _LEAST + START_UP:
        return None
    chosen = np.unique(np.linspace(START_UP, len(used) - 1, VOLUMES).astype(int))
    raw, geometry = session.volumes, session.geometry
    figure = Figure(figsize=(12, 12), layout="constrained")
    rows = figure.subplots(5, 1, height_ratios=(2, 1.4, 1.4, 3, 4))
    _motion(rows[0], table)
    _framewise(rows[1], table)
    _trust(rows[2], table)
    _carpet(rows[3], _series(raw, used[chosen], voxels), chosen)
    _tsnr(rows[4], _tsnr_map(raw, used[chosen]))
    shape = " x ".join(map(str, geometry.shape))
    figure.suptitle(f"{len(used)} volumes of {shape} voxels, TR {geometry.tr_s:g} s")
    file = folder / "quality.png"
    figure.savefig(file, dpi=90)
    return file


def _motion(axes: "Axes", table: Table) -> None:
    n = np.arange(len(table["number"]))
    for name in ("x_mm", "y_mm", "z_mm"):
        axes.plot(n, table[name], label=name.replace("_mm", ", mm"))
    for name in ("pitch_rad", "roll_rad", "yaw_rad"):
        label = name.replace("_rad", ", degrees")
        axes.plot(n, np.degrees(table[name]), "--", linewidth=1, label=label)
    axes.set(title="Head position against the calibration's", xlim=(0, len(n)))
    axes.legend(ncols=6, loc="upper left", fontsize="small", frameon=False)


def _framewise(axes: "Axes", table: Table) -> None:
    n = np.arange(len(table["number"]))
    axes.plot(n, table["framewise_mm"], "k", linewidth=1)
    axes.set(title="Moved since the volume before, mm", xlim=(0, len(n)), ylim=(0, None))


def _trust(axes: "Axes", table: Table) -> None:
    """DVARS; what counts less than in full is marked, so that it can be found in the carpet."""
    n = np.arange(len(table["number"]))
    axes.plot(n, table["dvars"], "k", linewidth=1)
    less = table["weight"] < 1
    axes.vlines(n[less], 0, 1, transform=axes.get_xaxis_transform(), color="tab:red", alpha=0.4)
    axes.set(
        title=f"Change against the usual (DVARS); {less.sum()} volumes in red count less or nothing",
        xlim=(0, len(n)),
        ylim=(0, None),
    )


def _carpet(axes: "Axes", series: NDArray[np.float64], chosen: NDArray[np.int64]) -> None:
    time = np.column_stack([np.ones(len(series)), np.linspace(-1, 1, len(series))])
    line = time @ np.linalg.lstsq(time, series, rcond=None)[0]
    percent = 100 * (series - line) / np.maximum(series.mean(axis=0), 1e-9)
    extent = (chosen[0], chosen[-1] + 1, 0, series.shape[1])
    axes.imshow(
        percent.T, cmap="gray", vmin=-CARPET_PERCENT, vmax=CARPET_PERCENT,
        aspect="auto", interpolation="nearest", extent=extent,
    )  # fmt: skip
    axes.set(
        title=f"Decoder's voxels as they came less their trend, black to white "
        f"{-CARPET_PERCENT:g} to {CARPET_PERCENT:+g} %",
        xlabel="volume", ylabel="voxel", xlim=(0, chosen[-1] + 1),
    )  # fmt: skip


def _tsnr(axes: "Axes", tsnr: NDArray[np.float64]) -> None:
    """Axial slices side by side, front up, in two rows."""
    head = [np.flatnonzero((tsnr > 0).sum(axis=others) > 5) for others in ((1, 2), (0, 2), (0, 1))]
    i, j, k = (slice(at[0], at[-1] + 1) if len(at) else slice(None) for at in head)
    tsnr = tsnr[i, j, k]
    slices = [np.flipud(tsnr[..., k].T) for k in np.linspace(0, tsnr.shape[2] - 1, 16).astype(int)]
    mosaic = np.vstack([np.hstack(slices[:8]), np.hstack(slices[8:])])
    top = max(float(np.percentile(tsnr[tsnr > 0], 99)), 1.0) if (tsnr > 0).any() else 1.0
    shown = axes.imshow(mosaic, cmap="viridis", vmin=0, vmax=top, interpolation="nearest")
    axes.set(title="Temporal signal-to-noise, slices from below", xticks=[], yticks=[])
    axes.figure.colorbar(shown, ax=axes, shrink=0.8)


def _series(
    raw: NDArray[np.generic], chosen: NDArray[np.int64], voxels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Some voxels (volumes, voxels) of the chosen volumes, one volume in memory at a time."""
    some = voxels[np.unique(np.linspace(0, len(voxels) - 1, CARPET_VOXELS).astype(int))]
    return np.stack([raw[n].ravel(order="F")[some].astype(float) for n in chosen])


def _tsnr_map(raw: NDArray[np.generic], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean over SD of each voxel (i, j, k); 0 outside the head."""
    total, squares = np.zeros((2, *raw.shape[1:]))
    origin = raw[chosen[0]].astype(float)
    for n in chosen:
        change = raw[n] - origin
        total += change
        squares += change**2
    mean = origin + total / len(chosen)
    sd = np.sqrt(np.maximum(squares / len(chosen) - (total / len(chosen)) ** 2, 0))
    inside = (mean > 0.1 * np.percentile(mean, 98)) & (sd > 0)
    return np.where(inside, mean / np.where(sd > 0, sd, 1), 0)


def _read(table: Path) -> Table:
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    columns = (name for name in (rows[0] if rows else {"number": ""}) if name != "reason")
    return {name: np.array([float(row[name]) for row in rows]) for name in columns}
