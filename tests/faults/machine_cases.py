"""Faults of the session's own machine."""

from tests.faults.case import Case
from tests.faults.checks import all_recorded, counts
from tests.faults.outcome import Outcome
from tests.faults.shown import Shown, log, message, trouble

LONG = 120  # volumes: 12 s
_ALL = "everything; each volume is decoded as without it, to the bit"
_ON = message("the session's process ended without a word: recorded on without it")
_GONE = (
    Shown("no window any more; in status.jsonl that it is recorded on without it", _ON.check),
    log("the session's process ended without a word: process … records on"),
)

_ASKED = log("the window was closed while the session is on: asked whether to end it")

MACHINE = (
    Case(
        "generator-slow", "each step of two pictures takes three seconds more",
        shown=(trouble("draw", "pictures stand still, the generator does not answer: volumes are recorded"),),
        recorded=_ALL, recovers="with the next picture that is drawn in time", within_s=15.0,
        machine=lambda at: f"generator-slow={at}:3", count=LONG,
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded),
    ),
    Case(
        "generator-stuck", "the generator never answers again, as with a driver that hangs",
        shown=(
            trouble("draw", "pictures stand still, the generator does not answer: volumes are recorded"),
            trouble("draw", "has not answered for … s and was ended; it is started again"),
        ),
        recorded=_ALL, recovers="its process is ended and started again", within_s=20.0,
        machine=lambda at: f"generator-stuck={at}", count=LONG,
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded),
    ),
    Case(
        "generator-memory", "the generator runs out of memory",
        shown=(message("out of memory: from now on … not …"),),
        recorded=_ALL, recovers="the same picture is drawn cheaper", within_s=5.0,
        machine=lambda at: f"generator-memory={at}",
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded),
    ),
    Case(
        "generator-raise", "the generator fails with an error",
        shown=(message("volume … could not be drawn: … rehearsed: the generator fails"),),
        recorded=_ALL, recovers="with the next picture", within_s=5.0,
        machine=lambda at: f"generator-raise={at}",
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded),
    ),
    Case(
        "generator-crash", "the generator's process crashes, or the system ends it",
        shown=(trouble("draw", "the generator's process … it is started again"),),
        recorded=_ALL, recovers="its process is started again", within_s=15.0,
        machine=lambda at: f"generator-crash={at}", count=LONG,
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded),
    ),
    Case(
        "disk-slow", "each write takes half a second, for 8 s",
        shown=(trouble("record", "the disk is slow: … MB wait to be recorded", over_s=12),), recorded=_ALL,
        recovers="what waits in memory is written when the disk takes it", within_s=12.0,
        machine=lambda at: f"disk-slow={at}:8", count=LONG,
        harmless=True, checks=(counts(), all_recorded),
    ),
    Case(
        "disk-full", "the disk takes nothing for 3 s",
        shown=(
            trouble("record", "recording fails (No space left on device): … MB wait to be recorded", over_s=6),
            log("recording to"),
        ), recorded=_ALL,
        recovers="what waits in memory is written when the disk takes something again", within_s=6.0,
        machine=lambda at: f"disk-full={at}:3",
        harmless=True, checks=(counts(), all_recorded),
    ),
    Case(
        "disk-readonly", "the disk is read-only for 3 s",
        shown=(
            trouble("record", "recording fails (Read-only file system): … MB wait to be recorded", over_s=6),
            log("recording to"),
        ), recorded=_ALL,
        recovers="what waits in memory is written when the disk takes something again", within_s=6.0,
        machine=lambda at: f"disk-readonly={at}:3",
        harmless=True, checks=(counts(), all_recorded),
    ),
    Case(
        "display-close", "somebody closes the window while a run is on",
        shown=(
            Shown("asked: whether the run is to be ended; it goes on until that is answered", _ASKED.check),
        ),
        recorded=_ALL, recovers="nothing was away", within_s=1.0,
        machine=lambda at: f"display-close={at}", window=True,
        back=Outcome.pictures_back_s, harmless=True, checks=(counts(), all_recorded),
    ),
    Case(
        "display-stuck", "the window stands still for 4 s",
        shown=(
            trouble("display", "the display takes nothing: it hangs or is gone"),
            log("the display takes nothing", lasts=True),
        ),
        recorded=_ALL, recovers="when the window moves again", within_s=6.0,
        machine=lambda at: f"display-stuck={at}:4", window=True, count=LONG,
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded),
    ),
    Case(
        "display-crash", "the window crashes, and its process with it",
        shown=_GONE,
        recorded="every volume and marker, to the run's end, by the process beside the session",
        recovers="with the first volume that is not on disk", within_s=3.0,
        machine=lambda at: f"display-crash={at}", window=True, exit_code=-11,
        back=Outcome.volumes_back_s, checks=(all_recorded,),
    ),
    Case(
        "kill", "the session's process is killed",
        shown=_GONE,
        recorded="every volume and marker, to the run's end, by the process beside the session",
        recovers="with the first volume that is not on disk", within_s=3.0,
        machine=lambda at: f"kill={at}", exit_code=-9,
        back=Outcome.volumes_back_s, checks=(all_recorded,),
    ),
    Case(
        "suspend", "the session's process is suspended for 30 s",
        shown=(message("the program stood still for 3… s: what was sent meanwhile is read now"),),
        recorded=_ALL,
        recovers="what was sent meanwhile is read at once", within_s=32.0,
        machine=lambda at: f"suspend={at}:30", count=120, speed=4.0, limit_s=200.0,
        back=Outcome.volumes_back_s, harmless=True,
        checks=(counts(), all_recorded),
    ),
)  # fmt: skip
