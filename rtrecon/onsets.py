"""Trials' onsets in run time, worked out of stamps where their markers do not say them."""

import logging
from collections.abc import Callable
from dataclasses import replace
from math import isnan

from rtrecon.types import Event, Marker

log = logging.getLogger(__name__)

_MOST_HELD = 1000  # markers that wait for a volume


class Onsets:
    """Places markers by the stamps of volumes: of the one before or, if need be, of the one behind.

    Owned by one thread.

    Parameters
    ----------
    speed : float
        Run time that passes in a second.
    far_s : float
        A stamp further than this from the newest volume's may have been made by another clock: one
        that was set in between. The next volume then tells the onset.
    say : callable
        Told what the operator has to know.
    """

    def __init__(
        self, speed: float, far_s: float, say: Callable[[str], None] = log.warning
    ) -> None:
        self._speed, self._far_s, self._say = speed, far_s, say
        self._held: list[Marker] = []
        self._newest: tuple[float, float] | None = None  # run time of a volume's end, and its stamp

    def restart(self) -> None:
        """A new run begins; markers that wait are those of its first volume."""
        self._newest = None

    def place(self, marker: Marker) -> Marker | None:
        """The marker with its onset; None: it waits for the next volume."""
        if marker.event is Event.TRIAL and self._waits(marker):
            self._held.append(marker)
            return None
        return self._by(self._newest, marker)

    def volume(self, end_s: float, stamp: float) -> list[Marker]:
        """A volume has come, that ended then; returns the markers which waited for it."""
        before, self._newest = self._newest, (end_s, stamp)
        if before is not None:
            self._tell_step(before, self._newest)
        waited, self._held = self._held, []
        return [
            # Near in run time by one of the two: the other's clock is not the marker's.
            min(
                (self._by(anchor, marker) for anchor in (self._newest, before) if anchor),
                key=lambda placed: abs(placed.onset_s - end_s),
            )
            for marker in waited
        ]

    def rest(self) -> list[Marker]:
        """The markers that no volume came for."""
        waited, self._held = self._held, []
        return [self._by(self._newest, marker) for marker in waited]

    def _waits(self, marker: Marker) -> bool:
        if not isnan(marker.onset_s) or len(self._held) >= _MOST_HELD:
            return False
        return self._newest is None or abs(marker.stamp - self._newest[1]) > self._far_s

    def _by(self, anchor: tuple[float, float] | None, marker: Marker) -> Marker:
        if anchor is None or not isnan(marker.onset_s):
            return marker
        end_s, stamp = anchor
        return replace(marker, onset_s=end_s + (marker.stamp - stamp) * self._speed)

    def _tell_step(self, before: tuple[float, float], now: tuple[float, float]) -> None:
        """A pause, or somebody set the clock of whoever stamps: run time goes by the numbers."""
        step_s = (now[1] - before[1]) - (now[0] - before[0]) / self._speed
        if abs(step_s) > self._far_s:
            self._say(
                f"the volumes' stamps step by {step_s:+.1f} s at run time {now[0]:.1f} s: "
                "onsets go by the numbers"
            )
