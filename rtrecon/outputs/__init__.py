"""Where scores and firings go outside the program: only where the configuration says (docs/outputs.md)."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from rtrecon.errors import BadConfig
from rtrecon.outputs.device import Addressee, Device
from rtrecon.outputs.kinds import read_devices
from rtrecon.outputs.sender import Sender, reason
from rtrecon.types import Firing, Person, Score, Sent

OPEN_S = 10.0  # a device that is not open by then is refused
CLOSE_S = 5.0  # one that has not ended by then is left behind


class Outputs:
    """All devices of a session, each with a thread of its own.

    Methods may be called from any thread and return at once, whatever a device does.

    Parameters
    ----------
    people : sequence of Person
        All of the session. Where there is only one, what names nobody is theirs.
    scores, firings : sequence of (Addressee, Device)
        What gets scores, and what gets firings.
    sent : callable
        Told of everything that went out or did not, from the threads of the devices.
    """

    def __init__(
        self,
        people: Sequence[Person],
        scores: Sequence[tuple[Addressee, Device]],
        firings: Sequence[tuple[Addressee, Device]],
        sent: Callable[[Sent], None],
    ) -> None:
        self._only = people[0].name if len(people) == 1 else ""
        self._scores = [(_names(to), Sender(device, sent)) for to, device in scores]
        self._firings = [(_names(to), Sender(device, sent)) for to, device in firings]
        self._senders = [sender for _, sender in (*self._scores, *self._firings)]

    def wait_open(self) -> None:
        """Wait until all devices are open.

        Raises
        ------
        BadConfig
            One is not there, or does not answer; all are closed then.
        """
        wait([sender.opened for sender in self._senders], OPEN_S)
        for sender in self._senders:
            name = sender.device.name
            error: BaseException | None
            if not sender.opened.done():
                error = BadConfig(f"output {name} does not open within {OPEN_S:g} s")
            elif (error := sender.opened.exception()) and not isinstance(error, BadConfig):
                error = BadConfig(f"output {name} cannot be opened: {reason(error)}")
            if error is not None:
                self.close()
                raise error

    def score(self, score: Score) -> None:
        """Send a score to all outputs of its person; where one is slow, the newest wins."""
        score = replace(score, person=score.person or self._only)
        for names, sender in self._scores:
            if score.person in names:
                sender.put(score)

    def fire(self, firing: Firing) -> None:
        """Send a firing, once, to all triggers of its person."""
        firing = replace(firing, person=firing.person or self._only)
        for names, sender in self._firings:
            if firing.person in names:
                sender.put(firing)

    @property
    def fault(self) -> str:
        """What the operator has to know, in one line; empty where all is well."""
        return "; ".join(fault for sender in self._senders if (fault := sender.fault))

    @property
    def failing(self) -> bool:
        """Whether a device gets nothing at this moment."""
        return any(sender.failing for sender in self._senders)

    def close(self) -> None:
        """Send what waits and that nothing is told any more, and let go of all devices.

        Takes no longer than `CLOSE_S`, whatever they do.
        """
        for sender in self._senders:
            sender.finish()
        deadline = monotonic() + CLOSE_S
        for sender in self._senders:
            sender.join(max(0.0, deadline - monotonic()))


def open_outputs(
    tables: Mapping[str, Any],
    stream: str,
    people: Sequence[Person],
    sent: Callable[[Sent], None] = lambda sent: None,
    folder: Path | None = None,
) -> Outputs:
    """Open what the tables `output` and `trigger` of a configuration ask for, and nothing else.

    Parameters
    ----------
    tables : mapping
        As in `Session.tables`.
    stream : str
        The session's stream, after which its own are named.
    people : sequence of Person
        All of the session.
    sent : callable
        Told of everything that went out or did not; called from other threads, must not raise.
    folder : Path or None
        The session's, for outputs that are files. It need not be there yet.

    Raises
    ------
    BadConfig
        A mistake in the tables, or a device that cannot be opened; nothing is open then.
    """
    scores = read_devices("output", tables, stream, people, folder)
    firings = read_devices("trigger", tables, stream, people, folder)
    outputs = Outputs(people, scores, firings, sent)
    outputs.wait_open()
    return outputs


def _names(to: Addressee) -> frozenset[str]:
    return frozenset(person.name for person in to.people)
