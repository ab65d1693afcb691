"""What the live path tells its evidence in the calibration's runs, kept to be told again.

Noise and response are found by going through the runs many times; volumes are realigned and judged
once.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtrecon.evidence import Evidence
from rtrecon.preprocess import Weighs
from rtrecon.types import Trial

_Told = Trial | tuple[NDArray[np.float32], float, float]


class Tape:
    """Stands in for the evidence while runs are preprocessed for the first time."""

    def __init__(self) -> None:
        self._runs: list[list[_Told]] = []

    @property
    def volumes(self) -> int:
        """Of all runs together."""
        return sum(not isinstance(told, Trial) for run in self._runs for told in run)

    def restart(self) -> None:
        """A new run begins."""
        self._runs.append([])

    def begin(self, trial: Trial) -> None:
        """As `Evidence`."""
        self._runs[-1].append(trial)

    def add(self, voxels: NDArray[np.floating], middle_s: float, weight: float = 1.0) -> None:
        """As `Evidence`, but nothing is estimated."""
        self._runs[-1].append((voxels.astype(np.float32), middle_s, weight))

    def tell(
        self,
        evidence: Weighs,
        columns: NDArray[np.int64] | slice = slice(None),
        trials: bool = True,
    ) -> Iterator[None]:
        """Tell some voxels run by run, with or without the trials; pauses at the end of each."""
        for run in self._runs:
            evidence.restart()
            for told in run:
                if not isinstance(told, Trial):
                    voxels, middle_s, weight = told
                    evidence.add(voxels[columns], middle_s, weight)
                elif trials:
                    evidence.begin(told)
            yield

    def noise_sd(self, evidence: Evidence) -> NDArray[np.float32]:
        """Each voxel's noise SD (n_voxels,), by what the evidence did not expect: the runs' median."""
        sds = [evidence.noise_sd for _ in self.tell(evidence)]
        return np.median(sds, axis=0).astype(np.float32)
