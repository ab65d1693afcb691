"""Faults of the session's own machine."""

from tests.faults.case import Case
from tests.faults.checks import all_recorded, counts, logged, shows, troubled
from tests.faults.outcome import Outcome

LONG = 120  # volumes: 12 s
_ALL = "everything; each volume is decoded as without it, to the bit"

MACHINE = (
    Case(
        "generator-slow", "each step of two pictures takes three seconds more",
        shown="how slow pictures are, as long as it lasts",
        recorded=_ALL, recovers="with the next picture that is drawn in time", within_s=15.0,
        machine=lambda at: f"generator-slow={at}:3", count=LONG,
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded, troubled("draw")),
    ),
    Case(
        "generator-stuck", "the generator never answers again, as with a driver that hangs",
        shown="'draw' in trouble: it does not answer and is started again",
        recorded=_ALL, recovers="its process is ended and started again", within_s=20.0,
        machine=lambda at: f"generator-stuck={at}", count=LONG,
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded, troubled("draw")),
    ),
    Case(
        "generator-memory", "the generator runs out of memory",
        shown="that pictures are drawn with cheaper settings from now on",
        recorded=_ALL, recovers="the same picture is drawn cheaper", within_s=5.0,
        machine=lambda at: f"generator-memory={at}",
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded, shows("out of memory")),
    ),
    Case(
        "generator-raise", "the generator fails with an error",
        shown="the error, and which volume was not drawn",
        recorded=_ALL, recovers="with the next picture", within_s=5.0,
        machine=lambda at: f"generator-raise={at}",
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded, shows("could not be drawn")),
    ),
    Case(
        "generator-crash", "the generator's process crashes, or the system ends it",
        shown="'draw' in trouble: its process ended and is started again",
        recorded=_ALL, recovers="its process is started again", within_s=15.0,
        machine=lambda at: f"generator-crash={at}", count=LONG,
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded, shows("generator's process")),
    ),
    Case(
        "disk-slow", "each write takes half a second, for 3 s",
        shown="that the disk is slow, once volumes have waited for 5 s", recorded=_ALL,
        recovers="what waits in memory is written when the disk takes it", within_s=5.0,
        machine=lambda at: f"disk-slow={at}:3",
        harmless=True, checks=(counts(), all_recorded),
    ),
    Case(
        "disk-full", "the disk takes nothing for 3 s",
        shown="'record' in trouble, with the reason", recorded=_ALL,
        recovers="what waits in memory is written when the disk takes something again", within_s=5.0,
        machine=lambda at: f"disk-full={at}:3",
        harmless=True, checks=(counts(), all_recorded, troubled("record"), logged("recording to")),
    ),
    Case(
        "disk-readonly", "the disk is read-only for 3 s",
        shown="'record' in trouble, with the reason", recorded=_ALL,
        recovers="what waits in memory is written when the disk takes something again", within_s=5.0,
        machine=lambda at: f"disk-readonly={at}:3",
        harmless=True, checks=(counts(), all_recorded, troubled("record"), logged("recording to")),
    ),
    Case(
        "display-close", "somebody closes the window while a run is on",
        shown="the question whether the run is to be ended; it goes on until that is answered",
        recorded=_ALL, recovers="nothing was away", within_s=1.0,
        machine=lambda at: f"display-close={at}", window=True,
        back=Outcome.pictures_back_s, harmless=True, checks=(counts(), all_recorded),
    ),
    Case(
        "display-stuck", "the window stands still for 4 s",
        shown="'display' in trouble, in remote views and the log",
        recorded=_ALL, recovers="when the window moves again", within_s=6.0,
        machine=lambda at: f"display-stuck={at}:4", window=True, count=LONG,
        back=Outcome.pictures_back_s, harmless=True,
        checks=(counts(), all_recorded, troubled("display")),
    ),
    Case(
        "display-crash", "the window crashes, and its process with it",
        shown="nothing any more: the window is gone; the session can be started again",
        recorded="every volume and marker, to the run's end, by the process beside the session",
        recovers="with the first volume that is not on disk", within_s=3.0,
        machine=lambda at: f"display-crash={at}", window=True, exit_code=-11,
        back=Outcome.volumes_back_s, checks=(all_recorded,),
    ),
    Case(
        "kill", "the session's process is killed",
        shown="nothing any more: the window is gone; the session can be started again",
        recorded="every volume and marker, to the run's end, by the process beside the session",
        recovers="with the first volume that is not on disk", within_s=3.0,
        machine=lambda at: f"kill={at}", exit_code=-9,
        back=Outcome.volumes_back_s, checks=(all_recorded,),
    ),
    Case(
        "suspend", "the session's process is suspended for 30 s",
        shown="how long it stood still", recorded=_ALL,
        recovers="what was sent meanwhile is read at once", within_s=32.0,
        machine=lambda at: f"suspend={at}:30", count=120, speed=4.0, limit_s=200.0,
        back=Outcome.volumes_back_s, harmless=True,
        checks=(counts(), all_recorded, shows("stood still")),
    ),
)  # fmt: skip
