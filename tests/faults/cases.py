"""Every fault and what is promised of it: the page of promises and the matrix are made of these."""

from tests.faults.case import Case
from tests.faults.checks import all_recorded, counts, faulty, logged
from tests.faults.outcome import Outcome

NONE = Case("none", "nothing happens", "", "", "", 0.0, harmless=True)
"""What the others are compared with."""

UNTOUCHED = counts(lost=0, duplicate=0, rejected=0)

CASES: list[Case] = [
    Case(
        "lose", "a volume is lost on the way",
        shown="counted among the lost; the log has its number",
        recorded="all the others; the gap in their numbers is the loss",
        recovers="with the next volume", within_s=1.0,
        wire=lambda at: f"lose={at}",
        back=Outcome.volumes_back_s,
        checks=(counts(received=-1, lost=1, duplicate=0, rejected=0), logged("1 volume(s) lost")),
    ),
    Case(
        "nan", "a volume full of NaN",
        shown="counted among the rejected",
        recorded="with the fault 'not finite'; the decoder never sees it",
        recovers="with the next volume", within_s=1.0,
        wire=lambda at: f"nan={at}",
        back=Outcome.volumes_back_s,
        checks=(
            counts(received=-1, lost=0, duplicate=0, rejected=1),
            faulty("not finite"), all_recorded,
        ),
    ),
    Case(
        "double", "a volume comes twice",
        shown="counted among the duplicates",
        recorded="both; the second with the fault 'came again', and nothing is made of it",
        recovers="at once: what is decoded is as without it, to the bit", within_s=1.0,
        wire=lambda at: f"double={at}",
        back=Outcome.volumes_back_s, harmless=True,
        checks=(
            counts(lost=0, duplicate=1, rejected=0), faulty("came again"),
            all_recorded,
        ),
    ),
    Case(
        "generator-slow", "each step of five pictures takes half a second more",
        shown="pictures come later; a line says which settings are cheaper",
        recorded="everything; what is not drawn is counted as superseded",
        recovers="when the generator is itself again", within_s=15.0,
        machine=lambda at: f"generator-slow={at}:0.5",
        back=Outcome.pictures_back_s, harmless=True, checks=(UNTOUCHED, all_recorded),
    ),
    Case(
        "generator-stuck", "the generator never answers again",
        shown="", recorded="", recovers="", within_s=15.0,
        machine=lambda at: f"generator-stuck={at}",
        back=Outcome.pictures_back_s, harmless=True, checks=(UNTOUCHED, all_recorded),
    ),
    Case(
        "generator-memory", "the generator runs out of memory once",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"generator-memory={at}",
        back=Outcome.pictures_back_s, harmless=True, checks=(UNTOUCHED, all_recorded),
    ),
    Case(
        "generator-raise", "the generator fails once",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"generator-raise={at}",
        back=Outcome.pictures_back_s, harmless=True, checks=(UNTOUCHED, all_recorded),
    ),
    Case(
        "generator-crash", "the generator's process crashes",
        shown="", recorded="", recovers="", within_s=15.0,
        machine=lambda at: f"generator-crash={at}",
        back=Outcome.pictures_back_s, harmless=True, checks=(UNTOUCHED, all_recorded),
    ),
    Case(
        "disk-slow", "each write takes half a second, for 3 s",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"disk-slow={at}:3",
        back=Outcome.volumes_back_s, harmless=True, checks=(UNTOUCHED, all_recorded),
    ),
    Case(
        "disk-full", "the disk takes nothing for 1 s",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"disk-full={at}:1",
        back=Outcome.volumes_back_s, checks=(UNTOUCHED,),
    ),
    Case(
        "disk-readonly", "the disk is read-only for 1 s",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"disk-readonly={at}:1",
        back=Outcome.volumes_back_s, checks=(UNTOUCHED,),
    ),
    Case(
        "display-close", "the operator closes the window",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"display-close={at}", window=True,
    ),
    Case(
        "display-stuck", "the window stands still for 3 s",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"display-stuck={at}:3", window=True,
        back=Outcome.pictures_back_s, harmless=True, checks=(UNTOUCHED, all_recorded),
    ),
    Case(
        "display-crash", "the window crashes, and its process with it",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"display-crash={at}", window=True,
        back=Outcome.volumes_back_s, exit_code=-11, checks=(all_recorded,),
    ),
    Case(
        "kill", "the session's process is killed",
        shown="", recorded="", recovers="", within_s=5.0,
        machine=lambda at: f"kill={at}", exit_code=-9,
        back=Outcome.volumes_back_s, checks=(all_recorded,),
    ),
    Case(
        "suspend", "the session's process is suspended for 30 s",
        shown="", recorded="", recovers="", within_s=32.0,
        machine=lambda at: f"suspend={at}:30", count=120, speed=4.0, limit_s=150.0,
        back=Outcome.volumes_back_s, harmless=True, checks=(UNTOUCHED, all_recorded),
    ),
]  # fmt: skip
