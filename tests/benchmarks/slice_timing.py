"""Whether it pays to tell the filter when each slice was taken.

`python -m tests.benchmarks.slice_timing DIR ...` prints a table of docs/signal.md; DIR being datasets
written by `rtrecon-simulate session`, whose slices are interleaved.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.data.dataset import load_runs
from calibration.data.regions import load_region
from rtrecon.bids import Run
from rtrecon.evidence import Estimate, Evidence
from rtrecon.response import Response
from rtrecon.types import Trial
from simulator.brain import slice_times_s
from tests.benchmarks import methods, simulated

GROUPS = (2, 5, 10)


class Grouped:
    """A filter for each group of slices, told the time at which they were taken.

    Parameters
    ----------
    sd : float32 (n_voxels,)
    response : Response
    offset_s : float64 (n_voxels,)
        When each voxel is taken, from the middle of the volume.
    groups : int
        Into which a volume's time is divided.
    """

    def __init__(
        self,
        sd: NDArray[np.float32],
        response: Response,
        offset_s: NDArray[np.float64],
        groups: int,
    ) -> None:
        order = np.argsort(offset_s, kind="stable")
        self._parts = np.array_split(order, groups)
        self._offsets_s = [float(offset_s[part].mean()) for part in self._parts]
        self._filters = [Evidence(sd[part], response) for part in self._parts]

    def restart(self) -> None:
        """As `Evidence`."""
        for evidence in self._filters:
            evidence.restart()

    def begin(self, trial: Trial) -> None:
        """As `Evidence`."""
        for evidence in self._filters:
            evidence.begin(trial)

    def add(
        self, voxels: NDArray[np.floating], middle_s: float, weight: float = 1.0
    ) -> Estimate | None:
        """As `Evidence`; voxels of a group that knows nothing yet are zero."""
        amplitude, known = np.zeros(len(voxels), np.float32), None
        for part, offset_s, evidence in zip(
            self._parts, self._offsets_s, self._filters, strict=True
        ):
            estimate = evidence.add(voxels[part], middle_s + offset_s, weight)
            if estimate is not None:
                known, amplitude[part] = estimate, estimate.amplitude
        return None if known is None else Estimate(known.trial, amplitude, known.variance)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("simulated", type=Path, nargs="+")
    for folder in parser.parse_args(argv).simulated:
        runs = load_runs(folder, None)
        masks = [folder / simulated.MASKS.format(name) for name in ("early", "ventral")]
        offset_s = offsets_s(runs[0], load_region(runs, None, *masks).voxels)
        found = {f"{n} groups of slices": grouped(offset_s, n) for n in GROUPS}
        simulated.tables(folder, {"**all at the middle**": methods.recursion(), **found})
    return 0


def offsets_s(run: Run, voxels: NDArray[np.int64]) -> NDArray[np.float64]:
    """When each voxel is taken, from the middle of the volume."""
    slices, tr_s = run.geometry.shape[2], run.geometry.tr_s
    k = np.unravel_index(voxels, run.geometry.shape, order="F")[2]
    return slice_times_s(slices, tr_s)[k] - tr_s / 2


def grouped(offset_s: NDArray[np.float64], groups: int) -> methods.Method:
    """What is live, but a filter for each group of slices."""
    return methods.gathered(lambda sd, response: Grouped(sd, response, offset_s, groups))


if __name__ == "__main__":
    sys.exit(main())
