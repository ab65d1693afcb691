"""The run that is open, for screens that stay from the first run to the last."""

import logging

import numpy as np
from numpy.typing import NDArray

from rtrecon.pipeline import Pipeline
from rtrecon.types import Painted, Phase, Presentation, Trial

log = logging.getLogger(__name__)

BETWEEN_RUNS = Presentation(Phase.READY, blank=True)


class CurrentRun:
    """`Presented`, whichever run is open; between runs there is nothing but fixation.

    Attributes
    ----------
    run : Pipeline or None
    ended : bool
        Whether the visit is over.
    """

    def __init__(self) -> None:
        self.run: Pipeline | None = None
        self.ended = False

    @property
    def presentation(self) -> Presentation:
        """What may be shown now."""
        return BETWEEN_RUNS if self.run is None else self.run.presentation

    def withdraw(self) -> None:
        """The participant stops the run that is open; between runs that is told to the log alone."""
        if self.run is None:
            log.warning("the participant's stop was pressed, and no run is on: talk to them first")
        else:
            self.run.withdraw()

    def presented(self, painted: Painted) -> None:
        """Recorded in the run's folder; between runs there is none."""
        if self.run is not None:
            self.run.presented(painted)

    def stimulus(self, trial: Trial) -> NDArray[np.uint8] | None:
        """The picture (height, width, 3) that was presented in a trial, where it is at hand."""
        return None if self.run is None else self.run.stimulus(trial)
