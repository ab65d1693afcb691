"""What a replay sends through: a scanner's outlets, which are killed and begun again as faults say."""

import logging
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtrecon.errors import Error
from rtrecon.types import Geometry, Marker, Volume
from rtrecon.wire import ScannerOutlet
from simulator.faults.plan import Fault
from simulator.pace import Clock
from simulator.schedule import Raw, Sending, Turn

log = logging.getLogger(__name__)

GRACE_S = 10.0  # what is on its way is lost when an outlet goes, and LSL cannot say whether any is
_SETTLE_S = 0.2  # a scanner that is killed had sent what came before
_SETTLED_S = 1.0  # an inlet that has just found it again may connect once more
_BACK_S = 30.0  # so long a restarted scanner waits for somebody who listens
_TURN_S = 0.1
_POLL_S = 0.05
OTHERS = "of the second scanner"
"""What each marker of a second scanner speaks of."""


class Cable(Protocol):
    """What lies between a scanner and those who listen."""

    def cut(self) -> None:
        """Nothing passes from now on."""
        ...

    def mend(self) -> None:
        """All that waits passes, and what follows."""
        ...


class ScannerDied(Error):
    """The scanner stopped dead in mid-run, as it was told to."""


class Outlets:
    """The streams of one replay. Owned by one thread.

    Parameters
    ----------
    stream : str
        Name of the volume stream.
    geometry : Geometry
    clock : Clock
    paced : bool
        As `ScannerOutlet` has it.
    cable : Cable or None
        What a fault may cut.
    """

    def __init__(
        self, stream: str, geometry: Geometry, clock: Clock, paced: bool, cable: Cable | None = None
    ) -> None:
        self._stream, self._geometry, self._clock = stream, geometry, clock
        self._cable, self._sources = cable, 0
        self.now: ScannerOutlet | None = ScannerOutlet(stream, geometry, paced=paced)
        self._second: ScannerOutlet | None = None

    def await_receiver(self, wait_s: float) -> bool:
        """Whether somebody takes both streams within the time given."""
        deadline = self._clock.now() + wait_s
        # In short turns, since Ctrl-C is not heard inside LSL.
        while self.now is not None and not self.now.wait_for_receiver(_TURN_S):
            if self._clock.now() >= deadline:
                return False
        return self.now is not None

    def send(self, sending: Sending, moment: float) -> None:
        """Send one thing that is due at this moment (LSL clock, s), or let it happen.

        Raises
        ------
        ScannerDied
            It is the end of the scanner.
        """
        stamp = moment - sending.late_s / self._geometry.speed + sending.step_s
        what = sending.what
        if isinstance(what, Turn):
            self._turn(what.fault, what.begins)
        elif sending.unheard:
            self._send_other(what, stamp)
        elif self.now is None:
            pass
        elif isinstance(what, Volume):
            self.now.send_volume(what.number, what.data, stamp)
            if self._second is not None:
                self._second.send_volume(what.number, _other(what.data), stamp)
        elif isinstance(what, Marker):
            self.now.send_marker(what, stamp)
            if self._second is not None:
                self._second.send_marker(replace(what, trial_type=OTHERS), stamp)
        else:
            self.now.send_text(what.content, stamp)

    def close(self) -> None:
        """Keep the streams up while somebody may still be reading, then let go of them."""
        deadline = self._clock.now() + GRACE_S
        while self.now is not None and self.now.has_receiver and self._clock.now() < deadline:
            self._clock.sleep(_POLL_S)
        self.now = self._second = None

    def _turn(self, fault: Fault, begins: bool) -> None:
        log.info("fault %s %s", fault, "begins" if begins else "is over")
        if fault.kind == "die":
            raise ScannerDied(f"--faults die={fault.at}: stopped dead before volume {fault.at}")
        if fault.kind == "cut" and self._cable is not None:
            self._cable.cut() if begins else self._cable.mend()
        elif fault.kind == "second":
            name, source = self._stream, f"rtrecon-{self._stream}-second"
            self._second = ScannerOutlet(name, self._geometry, source) if begins else None
        elif begins:
            self._kill(fault)
        else:
            self._sources += fault.kind.startswith("replace")
            self._begin_again()

    def _kill(self, fault: Fault) -> None:
        self._clock.sleep(_SETTLE_S)
        self.now = None  # first: two outlets of one source would be found at once
        if fault.kind == "shape":
            self.now = ScannerOutlet(self._stream, _other_matrix(self._geometry), self._source())

    def _begin_again(self) -> None:
        self.now = None
        self.now = ScannerOutlet(self._stream, self._geometry, self._source())
        self.await_receiver(_BACK_S)
        self._clock.sleep(_SETTLED_S)
        if not self.await_receiver(_BACK_S):
            log.warning("nobody listens to '%s' any more: sent all the same", self._stream)

    def _source(self) -> str:
        return f"rtrecon-{self._stream}" + (f"-{self._sources}" if self._sources else "")

    def _send_other(self, what: Volume | Marker | Raw, stamp: float) -> None:
        """A scanner that is away sends nothing, or volumes of another matrix."""
        if self.now is not None and isinstance(what, Volume):
            shape = self.now.geometry.shape
            self.now.send_volume(what.number, np.resize(what.data, shape), stamp)


def _other(data: NDArray[np.generic]) -> NDArray[np.generic]:
    """Another volume, as another scanner would have it."""
    return np.flip(data, axis=0)


def _other_matrix(geometry: Geometry) -> Geometry:
    """One slice more and two rows fewer."""
    i, j, k = geometry.shape
    return replace(geometry, shape=(i, max(1, j - 2), k + 1), slice_times_s=())
