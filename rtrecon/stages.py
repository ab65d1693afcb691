"""What is watched of each stage of a session, and in what words the operator is told (docs/watchdogs.md)."""

from collections.abc import Callable
from typing import Any, Protocol

from rtrecon import wire
from rtrecon.draw import LATE_IN_A_ROW, Draw
from rtrecon.keeper import Keeper
from rtrecon.mailbox import Mailbox
from rtrecon.receive import Receiver
from rtrecon.remote import Publisher
from rtrecon.types import Decoded, Frame
from rtrecon.watchdogs import Look, Watchdogs, Wrong, fault, first_of, standstill

WORK_TRS = 2  # for the work on one volume
BACKLOG = 3  # volumes that wait to be looked at are too many
BACKLOG_TRS = 3  # for so long
STEP_TRS = 3  # from one step of a picture to the next, where a newer volume waits
SLOW_S = 1.0  # a picture that takes no longer is never called slow
TAKE_TRS = 2  # for a display to take a picture
VIEWS_S = 5.0  # for one turn of the thread that tells views


class Tells(Protocol):
    """A stage that knows itself what is wrong: `SessionWriter`, `Outputs`."""

    @property
    def fault(self) -> str:
        """What the operator has to know, past losses too."""
        ...

    @property
    def failing(self) -> bool:
        """Whether it is so now."""
        ...


def watch_told(dogs: Watchdogs, stage: str, tells: Tells) -> None:
    """Watch a stage that knows what is wrong and tells the log; losses are told when it is over."""
    now = fault(lambda: tells.fault if tells.failing else "")
    dogs.add(stage, now, after=lambda: tells.fault, logs=False)


def watch_keeper(dogs: Watchdogs, keeper: Keeper) -> None:
    """Watch that somebody would go on recording after a crash; it tells the log itself."""
    dogs.add("keeper", fault(lambda: keeper.fault), logs=False)


def watch_receiver(dogs: Watchdogs, receiver: Receiver, alive: Callable[[], bool]) -> None:
    """Watch the thread that receives and decodes; `alive`: whether it is at work."""

    def unheard(now: float) -> Wrong | None:
        other = receiver.trouble
        if not receiver.silent:
            return Wrong(other, now) if other else None
        why = f", and {other}" if other else ": it is waited for, and the last picture stays"
        return Wrong(f"no volume comes from '{receiver.name}'{why}", receiver.last_received)

    room_s = wire.room_s(receiver.geometry)
    stuck = standstill(
        lambda: alive() and receiver.counts.received > 0,
        lambda: receiver.looks,
        dogs.budget_s(WORK_TRS),
        lambda: (
            f"volume {receiver.at} is still being worked on: those that follow wait, "
            f"the newest {room_s} s of them"
        ),
    )
    behind = standstill(
        lambda: alive() and receiver.waiting >= BACKLOG,
        lambda: None,
        dogs.budget_s(BACKLOG_TRS),
        lambda: (
            f"volumes come faster than they are decoded: {receiver.waiting} wait, and what is shown "
            "is older than it looks"
        ),
    )
    dogs.add("receive", unheard, logs=False)
    dogs.add("decode", first_of(stuck, behind))


def watch_drawing(dogs: Watchdogs, draw: Draw, newest: Mailbox[Decoded], generator: Any) -> None:
    """Watch the thread that draws, and what a generator may say of itself (`trouble`)."""
    stuck = standstill(
        lambda: newest.peek() is not None,
        lambda: draw.beats,
        dogs.budget_s(STEP_TRS),
        lambda: (
            "pictures stand still, the generator does not answer: "
            "volumes are recorded and decoded all the same"
        ),
    )
    told = fault(lambda: getattr(generator, "trouble", ""))
    slow_s = dogs.budget_s(1, SLOW_S)

    def slow(now: float) -> Wrong | None:
        if draw.late < LATE_IN_A_ROW or draw.seconds <= slow_s:
            return None
        what = f"pictures take longer than a TR: the last one {draw.seconds:.2g} s; volumes in between "
        return Wrong(what + "are decoded and not drawn", now)

    dogs.add("draw", first_of(told, stuck, slow))


def watch_display(dogs: Watchdogs, frames: Mailbox[Frame]) -> None:
    """Watch whoever takes the pictures: a window, or nobody."""
    dogs.add("display", _untaken(dogs, lambda: frames.peek() is not None, lambda: frames.taken))


def watch_scores_shown(
    dogs: Watchdogs, waits: Callable[[], bool], taken: Callable[[], int]
) -> None:
    """Watch whoever shows scores, once there has been somebody."""
    dogs.add("display", _untaken(dogs, lambda: taken() > 0 and waits(), taken))


def watch_views(dogs: Watchdogs, publisher: Publisher | None) -> None:
    """Watch what tells remote screens, where there is one."""
    if publisher is None:
        return
    stuck = standstill(
        lambda: True,
        lambda: publisher.looks,
        dogs.budget_s(1, VIEWS_S),
        lambda: "remote screens are told nothing new: the session goes on without them",
    )
    dogs.add("views", first_of(fault(lambda: publisher.fault), stuck))


def _untaken(dogs: Watchdogs, waits: Callable[[], bool], taken: Callable[[], int]) -> Look:
    return standstill(
        waits,
        taken,
        dogs.budget_s(TAKE_TRS),
        lambda: "the display takes nothing: it hangs or is gone; all is recorded and worked out",
    )
