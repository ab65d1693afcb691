"""Volume -> Pattern, causally and in O(1) a volume; calibration and live run share this code.

Each volume is realigned to the calibration's reference, its voxels are judged, and what they say
about the current trial is added to what is known. Choices and figures: docs/motion.md and
docs/signal.md.
"""

import logging
from bisect import insort
from collections import deque
from dataclasses import replace
from math import isnan
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtrecon.evidence import Estimate
from rtrecon.motion import Motion
from rtrecon.quality import Inspect, Quality
from rtrecon.types import Arrival, Event, Marker, Pattern, Trial, Volume, read_only

log = logging.getLogger(__name__)

_MOST_COMING = 1000  # trials that are announced and have not begun
_SAME_S = 1e-3  # between the onsets of a marker that came twice


class Realigns(Protocol):
    """What brings volumes to the reference's position: `Realign`, or what remembers its work."""

    def restart(self) -> None:
        """A new run begins."""
        ...

    def __call__(self, volume: NDArray[np.generic]) -> tuple[NDArray[np.float32], Motion]:
        """One volume (i, j, k) -> its voxels (n_voxels,) realigned, and how the head lay."""
        ...


class Weighs(Protocol):
    """What the evidence is gathered by: `Evidence`, `FreeViewing`, or what writes down what it is told."""

    def restart(self) -> None:
        """A new run begins."""
        ...

    def begin(self, trial: Trial) -> None:
        """A trial becomes the current one with the next volume."""
        ...

    def add(
        self, voxels: NDArray[np.floating], middle_s: float, weight: float = 1.0
    ) -> Estimate | None:
        """What is known with this volume; voxels that are not finite say nothing."""
        ...


class Preprocess:
    """Markers and volumes in, patterns out. One run after another; owned by one thread.

    Parameters
    ----------
    voxels : int64 (n_voxels,)
        Which voxels of the volume, counted with i fastest.
    sd : float32 (n_voxels,)
        Their noise SD in the calibration.
    evidence : Weighs
        Of the same voxels.
    tr_s : float
    realign : Realigns or None
        To the calibration's reference, for the same voxels; None takes the volumes as they lie.
    """

    def __init__(
        self,
        voxels: NDArray[np.int64],
        sd: NDArray[np.float32],
        evidence: Weighs,
        tr_s: float,
        realign: Realigns | None = None,
    ) -> None:
        self._voxels = voxels
        self._tr_s = tr_s
        self._realign = realign
        self._inspect = Inspect(sd)
        self._evidence = evidence
        self._trials = 0
        self._coming: list[Trial] = []  # by onset
        self._begun: deque[Trial] = deque(maxlen=5)
        self.trial: Trial | None = None
        self.arrival: Arrival | None = None  # of the newest volume

    def mark(self, marker: Marker) -> None:
        """Take note of a trial's onset or of a new run."""
        if marker.event is Event.RUN_START:
            self._restart()
        elif marker.event is Event.TRIAL:
            self._announce(marker)

    def _announce(self, marker: Marker) -> None:
        """A trial to come, in its place by onset: a marker may come early, or twice."""
        if isnan(marker.onset_s):  # no volume has come that could tell it
            return
        # Begun again, a trial would lose what is known of it.
        if any(_same(marker, trial) for trial in (*self._coming, *self._begun)):
            log.warning("the marker of '%s' came again and is skipped", marker.trial_type)
            return
        self._trials += 1
        insort(self._coming, _trial(self._trials, marker), key=lambda trial: trial.onset_s)
        del self._coming[_MOST_COMING:]

    def add(self, volume: Volume) -> Pattern | None:
        """The evidence about the current trial with this volume, or None while there is none."""
        if self._realign is None:
            voxels, motion = volume.data.ravel(order="F")[self._voxels].astype(np.float32), None
        else:
            voxels, motion = self._realign(volume.data)
        quality = self._judged(voxels, motion)
        self.arrival = _arrival(volume, motion, quality)
        middle_s = volume.end_s(self._tr_s) - self._tr_s / 2
        self._next_trials(middle_s)
        usable = np.where(quality.usable, voxels, np.nan)
        estimate = self._evidence.add(usable, middle_s, quality.weight)
        if estimate is None:
            return None
        self.trial = estimate.trial
        return self._pattern(volume, estimate)

    def _judged(self, voxels: NDArray[np.float32], motion: Motion | None) -> Quality:
        """A volume in which nobody knows how the head lies counts for nothing."""
        moved_mm = 0.0 if motion is None or isnan(motion.framewise_mm) else motion.framewise_mm
        quality = self._inspect(voxels, moved_mm)
        if motion is None or motion.trusted:
            return quality
        return replace(quality, weight=0.0, reason=motion.reason)

    def _next_trials(self, middle_s: float) -> None:
        """A trial becomes the current one with the first volume mostly acquired after its onset."""
        while self._coming and self._coming[0].onset_s <= middle_s:
            self.trial = self._coming.pop(0)
            self._begun.append(self.trial)
            self._evidence.begin(self.trial)

    def _pattern(self, volume: Volume, estimate: Estimate) -> Pattern:
        # What all voxels do together is breathing and drift, not a picture.
        voxels = estimate.amplitude - estimate.amplitude.mean()
        age_s = volume.end_s(self._tr_s) - estimate.trial.onset_s
        return Pattern(
            estimate.trial, volume.number, age_s, read_only(voxels), estimate.variance, volume.times
        )

    def _restart(self) -> None:
        if self._realign is not None:
            self._realign.restart()
        self._inspect.restart()
        self._evidence.restart()
        self._coming.clear()
        self._begun.clear()
        self.trial = self.arrival = None


def _trial(number: int, marker: Marker) -> Trial:
    return Trial(
        number,
        marker.trial_type,
        marker.onset_s,
        marker.duration_s,
        marker.stim_file,
        marker.caption,
    )


def _same(marker: Marker, trial: Trial) -> bool:
    """Whether a marker announces a trial that is known."""
    told = marker.trial_type, marker.stim_file
    return told == (trial.trial_type, trial.stim_file) and (
        abs(marker.onset_s - trial.onset_s) < _SAME_S
    )


def _arrival(volume: Volume, motion: Motion | None, quality: Quality) -> Arrival:
    told = Arrival(
        volume.number,
        volume.times.received,
        dvars=quality.dvars,
        weight=quality.weight,
        reason=quality.reason,
    )
    if motion is None:
        return told
    six = (*motion.translation_mm.tolist(), *motion.rotation_rad.tolist())
    return replace(
        told,
        motion=six,
        displacement_mm=motion.displacement_mm,
        framewise_mm=motion.framewise_mm,
    )
