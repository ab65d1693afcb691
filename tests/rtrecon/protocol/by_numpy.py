"""A session's scores computed from its folder and its decoder's by plain numpy, without rtrecon."""

import csv
import json
from itertools import pairwise
from math import exp, nan
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Row = dict[str, str]


def read(table: Path) -> list[Row]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def number(cell: str) -> float:
    return nan if cell == "n/a" else float(cell)


class Recomputed:
    """What `scores.tsv` and `firings.tsv` should hold: a list for each column, in order.

    Parameters
    ----------
    folder, decoder : Path
        Of the session, and of the person's decoders.
    sham : Path, optional
        The session whose scores sham blocks tell.
    """

    def __init__(self, folder: Path, decoder: Path, sham: Path | None = None) -> None:
        self.about = json.loads((folder / "session.json").read_text())
        self.protocol: dict[str, Any] = self.about["tables"]["protocol"]
        self.blocks = self.about["tables"].get("block", []) * self.protocol.get("repeat", 1)
        self.tr_s = self.about["geometry"]["tr_s"]
        self.arrays = {file.stem: np.load(file) for file in folder.glob("*.npy")}
        self.decoder = load_file(decoder / "decoder.safetensors")
        self.shape = tuple(json.loads((decoder / "decoder.json").read_text())["shape"])
        self.sham = read(sham / "scores.tsv") if sham else []
        self.rows = read(folder / "trials.tsv")
        self.runs = self._runs()
        self.at = self._scored()
        self.elapsed = [self._elapsed(n) for n in self.at]
        self.block = [self._block(time) for time in self.elapsed]
        self.raw = [self._raw(n, block) for n, block in zip(self.at, self.block, strict=True)]
        self.value = self._values()
        self.told = self._told()

    def _runs(self) -> list[int]:
        """Volume numbers that go back begin a run."""
        volumes = [int(row["volume"]) for row in self.rows]
        back = [0, *(int(now <= before) for before, now in pairwise(volumes))]
        return (1 + np.cumsum(back)).tolist()

    def _scored(self) -> list[int]:
        """Rows of trials.tsv that a score is of."""
        if self.protocol.get("when") != "trial":
            return list(range(len(self.rows)))
        return sorted({row["trial"]: n for n, row in enumerate(self.rows)}.values())

    def _elapsed(self, n: int) -> float:
        if self.protocol.get("when") == "trial":
            return float(self.rows[n]["onset_s"])
        return (int(self.rows[n]["volume"]) + 0.5) * self.tr_s

    def _block(self, elapsed: float) -> dict[str, Any]:
        end = 0.0
        for block in self.blocks:
            since, end = end, end + block["duration_s"]
            if since <= elapsed < end:
                return block | {"since": since}
        return {"kind": "rest" if self.blocks else "regulate", "since": nan}

    def _raw(self, n: int, block: dict[str, Any]) -> float:
        if self.protocol["measure"] == "region":
            return float(self.arrays["patterns"][n][self._inside()].astype(np.float64).mean())
        target = block.get("target") or self.protocol.get("target") or self.rows[n]["trial_type"]
        names = self.about["candidates"]
        if self.protocol["measure"] == "probability":
            return float(self.arrays["probabilities"][n][names.index(target)])
        mean = self.decoder["c.y_mean"].astype(np.float64)
        if target in names:
            aim = self.decoder["candidate_c"][names.index(target)]
        else:
            aim = self.arrays["targets"][self.about["captions"].index(target)].ravel()
        ours, theirs = self.arrays["c"][n].ravel() - mean, aim - mean
        return float(ours @ theirs / np.sqrt((ours @ ours) * (theirs @ theirs)))

    def _inside(self) -> NDArray[np.bool_]:
        region = self.protocol["region"]
        if region in ("early", "ventral"):
            return self.decoder[{"early": "z", "ventral": "c"}[region] + ".voxels"]
        mask = np.asarray(nib.load(region).dataobj) > 0
        i, j, k = np.unravel_index(self.decoder["voxels"], self.shape, order="F")
        return mask[i, j, k]

    def times(self) -> NDArray[np.float64]:
        """Scored time that goes on from run to run."""
        run = np.array([self.runs[n] for n in self.at])
        elapsed = np.array(self.elapsed)
        before = [sum(elapsed[run == r][-1] for r in range(1, mine) if (run == r).any()) for mine in run]  # fmt: skip
        return elapsed + before

    def _values(self) -> list[float]:
        baseline, scale = self.protocol.get("baseline", {}), self.protocol.get("scale", {})
        times, raw = self.times(), np.array(self.raw)
        tau, smooth = scale.get("smooth_s", 0.0), np.array(raw)
        for n in range(1, len(raw)):
            kept = exp(-(times[n] - times[n - 1]) / tau) if tau else 0.0
            smooth[n] = kept * smooth[n - 1] + (1 - kept) * raw[n]
        values = []
        for n in range(len(raw)):
            mean, sd = self._baseline(baseline, times, raw, n)
            z = (smooth[n] - mean) / sd
            low, high = scale.get("low", 0.0), scale.get("high", 1.0)
            values.append(float(np.clip((z - low) / (high - low), 0, 1)))
        return values

    def _baseline(
        self, table: dict[str, Any], times: NDArray[np.float64], raw: NDArray[np.float64], n: int
    ) -> tuple[float, float]:
        kind = table.get("kind", "none")
        if kind == "none":
            return 0.0, 1.0
        if kind == "fixed":
            return table["mean"], table["sd"]
        if kind == "start":
            if times[n] - times[0] < table["seconds"]:
                return nan, nan
            belongs = times - times[0] < table["seconds"]
        else:
            belongs = np.array([
                block["kind"] == "rest" and elapsed - block["since"] >= table.get("skip_s", 0.0)
                for block, elapsed in zip(self.block, self.elapsed, strict=True)
            ])  # fmt: skip
        known = raw[: n + 1][belongs[: n + 1]]
        return (known.mean(), known.std(ddof=1)) if len(known) >= 3 else (nan, nan)

    def _told(self) -> list[float]:
        told = []
        for n, block, elapsed, value in zip(
            self.at, self.block, self.elapsed, self.value, strict=True
        ):
            if block["kind"] == "sham":
                told.append(self._sham(self.runs[n], elapsed))
            else:
                told.append(value if block["kind"] == "regulate" else nan)
        return told

    def _sham(self, run: int, elapsed: float) -> float:
        run = min(run, max(int(row["run"]) for row in self.sham))
        of_run = [row for row in self.sham if int(row["run"]) == run]
        by_then = [row["told"] for row in of_run if float(row["elapsed"]) <= elapsed]
        return number(by_then[-1]) if by_then else nan
