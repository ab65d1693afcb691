"""What tells brain and prior apart: the same volume without diffusion, and without a brain.

Both are made in spare time: nothing newer may wait, and what they have cost before must fit into
what is left until the next volume.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.config import Settings
from rtrecon.decode import Decode
from rtrecon.errors import GeneratorLost
from rtrecon.generators import Generator
from rtrecon.reconstruct import Reconstruct
from rtrecon.types import Comparison, Frame, read_only

log = logging.getLogger(__name__)

_FORGETS = (
    0.97  # of a cost, each time that it is too much: one slow moment must not be the last word
)
_MOST_LOSSES = 2  # once may be chance; what is lost again by comparing is not worth a picture
NO_TIME = "no time is left for it between two volumes: fewer steps or samples leave some"


class Compare:
    """Draws what stands beside a finished picture. Owned by the thread that owns the generator.

    Parameters
    ----------
    generator : Generator
    artifact : Artifact
        Its control, fitted with the pictures exchanged, is what a brain that tells nothing gives.
    interval_s : float
        Between two volumes, on the clock of this session.
    waiting : callable
        Whether there is something newer to draw: asked before each picture and between the steps
        of the control, which is given up then.
    made : callable
        Told what was made ("z_only" or "control"), everything made of this volume so far, and the
        settings.

    Attributes
    ----------
    absent : str
        Why there is no control; empty where there is one, or none was due yet.
    """

    def __init__(
        self,
        generator: Generator,
        artifact: Artifact,
        interval_s: float,
        waiting: Callable[[], bool],
        made: Callable[[str, Comparison, Settings], None],
    ) -> None:
        self._generator, self._reconstruct = generator, Reconstruct(generator)
        self._decode = Decode(artifact.control())
        self._interval_s, self._waiting, self._made = interval_s, waiting, made
        self._costs: dict[tuple[str, Settings], float] = {}
        self._failed, self._losses = False, 0
        self.absent = ""

    def __call__(self, frame: Frame, seconds: float) -> None:
        """Compare a finished picture that took so many seconds.

        Raises
        ------
        GeneratorLost
            There is nothing to draw with at this moment; nothing else is raised.
        """
        settings = frame.settings
        if self._failed or settings is None:
            return
        try:
            self._compare(frame, settings, seconds / settings.samples)
        except GeneratorLost:
            self._losses += 1
            self._failed = self._losses >= _MOST_LOSSES
            self.absent = "could not be drawn: the generator was lost over it"
            raise
        except Exception as error:  # a session never suffers from what stands beside it
            self._failed, self.absent = True, f"could not be drawn: {error}"
            log.warning("no comparisons from now on: %s: %s", type(error).__name__, error)

    def _compare(self, frame: Frame, settings: Settings, seconds: float) -> None:
        shown = Comparison(frame.decoded)
        if self._fits("z_only", frame, settings, seconds / (frame.steps + 1)):
            z_only = self._timed("z_only", settings, lambda: self._z_only(frame))
            if z_only is not None:
                shown = replace(shown, z_only=z_only)
                self._made("z_only", shown, settings)
        if frame.decoded.pattern is None or not self._fits("control", frame, settings, seconds):
            return
        control = self._timed("control", settings, lambda: self._control(frame, settings))
        if control is not None:
            self.absent = ""
            self._made("control", replace(shown, control=control), settings)

    def _fits(self, what: str, frame: Frame, settings: Settings, guess_s: float) -> bool:
        """Whether there is time; `guess_s`: what it costs, before anybody has measured it."""
        if self._waiting():
            return False
        due = frame.decoded.times.received + self._interval_s
        key = (what, settings)
        if self._costs.get(key, guess_s) <= due - pylsl.local_clock():
            return True
        self.absent = NO_TIME
        if key in self._costs:
            self._costs[key] *= _FORGETS
        return False

    def _timed(
        self, what: str, settings: Settings, make: Callable[[], NDArray[np.uint8] | None]
    ) -> NDArray[np.uint8] | None:
        started = time.perf_counter()
        picture = make()
        self._costs[what, settings] = time.perf_counter() - started
        return picture

    def _z_only(self, frame: Frame) -> NDArray[np.uint8] | None:
        z = frame.decoded.z
        picture = None if z is None else self._generator.decode_latents(z)
        return None if picture is None else read_only(picture)

    def _control(self, frame: Frame, settings: Settings) -> NDArray[np.uint8] | None:
        """Drawn as the picture was, with the same noise; None: given up for something newer."""
        assert frame.decoded.pattern is not None
        nothing = self._decode(frame.decoded.pattern)
        # Previews change no picture, and between them a newer volume can take over.
        stepwise = replace(settings, samples=1, preview=True)
        for drawn in self._reconstruct(nothing, stepwise):
            if drawn.final:
                return drawn.image
            if self._waiting():
                break
        return None
