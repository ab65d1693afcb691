"""Where the schedule of blocks stands at a moment of the LSL clock; it stands still in a pause."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Timeline:
    """Swapped whole, so that every thread may read it.

    Attributes
    ----------
    zero : float
        When the schedule began (LSL clock, s).
    speed : float
        How many times faster than life the people are sent.
    paused_s : float
        How long it has stood still in all, pauses that are over.
    since : float or None
        When the pause began that goes on.
    """

    zero: float
    speed: float = 1.0
    paused_s: float = 0.0
    since: float | None = None

    def elapsed(self, stamp: float) -> float:
        """Seconds of the schedule at an LSL time."""
        running = stamp if self.since is None else min(stamp, self.since)
        return (running - self.zero - self.paused_s) * self.speed

    def lsl(self, elapsed: float) -> float:
        """LSL time at which the schedule comes there, if no other pause begins."""
        return self.zero + self.paused_s + elapsed / self.speed

    def pause(self, now: float) -> "Timeline":
        """It stands still from now on."""
        return replace(self, since=now) if self.since is None else self

    def resume(self, now: float) -> "Timeline":
        """It goes on from now."""
        if self.since is None:
            return self
        return replace(self, since=None, paused_s=self.paused_s + now - self.since)
