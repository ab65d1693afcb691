"""What is seen when no marker says when: the recent past cut into short slots, each a trial.

All slots have the trial number `UNMARKED`: they are one endless trial whose picture moves on.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtrecon.evidence import Estimate, Evidence, Model
from rtrecon.response import Response
from rtrecon.types import UNMARKED, Trial

SLOT_S = 2.0
BACK = 2  # slots before the newest: the response to what was seen 4 to 6 s ago is at its height
_OLDER = 3  # slots before that one whose responses are told apart from its own


class FreeViewing:
    """A sliding estimate: with each volume, of what was seen about 5 s ago.

    The response is deconvolved by the same filter as that of marked trials, and in the same
    units, so that decoders fitted on trials apply. Owned by one thread; O(1) a volume.

    Parameters
    ----------
    sd : float32 (n_voxels,)
        Each voxel's noise SD in the calibration.
    response : Response
    model : Model, optional
    """

    def __init__(
        self, sd: NDArray[np.float32], response: Response, model: Model | None = None
    ) -> None:
        slots = replace(model or Model(), trials=1 + BACK + _OLDER)
        self._evidence = Evidence(sd, response, slots)
        self.restart()

    def restart(self) -> None:
        """Forget the run."""
        self._evidence.restart()
        self._next: int | None = None  # the slot that begins next, counted from run time 0

    def begin(self, trial: Trial) -> None:
        """Markers are not believed here."""

    def add(
        self, voxels: NDArray[np.floating], middle_s: float, weight: float = 1.0
    ) -> Estimate | None:
        """The estimate of the slot begun `BACK` before the newest; `trial` says its times.

        Parameters as for `Evidence.add`. None while the run is too young to say anything.
        """
        newest = int(middle_s // SLOT_S)
        # After a long gap only the slots that are kept anyway are worth beginning.
        oldest = newest - self._evidence.model.trials + 1
        start = newest if self._next is None else max(self._next, oldest)
        for number in range(start, newest + 1):
            self._evidence.begin(Trial(UNMARKED, "", number * SLOT_S, SLOT_S))
        self._next = newest + 1
        self._evidence.add(voxels, middle_s, weight)
        return self._evidence.estimate(BACK)
