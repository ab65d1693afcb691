"""Faults of the scanner, its network and the programs that send markers."""

from tests.faults.case import Case
from tests.faults.checks import all_recorded, away, counts, faulty, markers_of_the_first
from tests.faults.outcome import Outcome
from tests.faults.recorded import stamps_jitter, stamps_step
from tests.faults.shown import (
    Shown,
    count,
    log,
    message,
    nothing,
    quality,
    silent,
    trial_before,
    trouble,
)

LONG = 120  # volumes: 12 s
_NEXT = "with the next volume"
_HEARD = "with its first volume once it is heard again, about 2 s after it is back"
_AT_ONCE = "at once: what is decoded is as without it, to the bit"
_JUDGED = (
    5  # the first that is judged by one before it: a run's first three are not, nor is the fourth
)
_LOST_FIRST = log("1 volume(s) lost before volume {after}")
_LOST = log("volume(s) lost")
_EXCLUDED = message("volume {at} counts 0 %: DVARS … times the usual")
_NEW_RUN = message("the volume numbers began again at 0: taken as a new run", goes_on=True)
_REPLACED = message("has taken the place of the one before", goes_on=True)

WIRE = (
    Case(
        "lose", "a volume is lost on the way",
        shown=(count(-1, lost=1), log("1 volume(s) lost before volume {after}")),
        recorded="all the others; the gap in their numbers is the loss",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"lose={at}", back=Outcome.volumes_back_s,
        checks=(all_recorded,),
    ),
    Case(
        "double", "a volume comes twice",
        shown=(count(duplicate=1), log("volume {at} came again and is skipped")),
        recorded="both, the second with the fault 'came again'",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"double={at}", back=Outcome.volumes_back_s,
        checks=(faulty("came again"), all_recorded),
    ),
    Case(
        "late", "a volume comes two volumes late, behind those that follow it",
        shown=(_LOST_FIRST, count(-1, rejected=1), log("volume {at} came late and is skipped")),
        recorded="it too, with the fault 'came late'; nothing is made of it any more",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"late={at}:2", back=Outcome.volumes_back_s,
        checks=(faulty("came late"), all_recorded),
    ),
    Case(
        "swap", "two volumes come in the wrong order",
        shown=(_LOST_FIRST, count(-1, rejected=1), log("volume {at} came late and is skipped")),
        recorded="both, the earlier with the fault 'came late'",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"swap={at}", back=Outcome.volumes_back_s,
        checks=(faulty("came late"), all_recorded),
    ),
    Case(
        "truncate", "half of a volume never arrived and is zero",
        shown=(count(-1, rejected=1), log("volume {at} is truncated (… slices are zero) and is skipped")),
        recorded="as it came, with the fault 'truncated'; it is not decoded",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"truncate={at}:0.5", back=Outcome.volumes_back_s,
        checks=(faulty("truncated"), all_recorded),
    ),
    Case(
        "nan", "a volume full of NaN",
        shown=(count(-1, rejected=1), log("volume {at} is not finite … and is skipped")),
        recorded="as it came, with the fault 'not finite'; it is not decoded",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"nan={at}", back=Outcome.volumes_back_s,
        checks=(faulty("not finite"), all_recorded),
    ),
    Case(
        "constant", "a volume with one value everywhere",
        shown=(count(-1, rejected=1), log("volume {at} is constant and is skipped")),
        recorded="as it came, with the fault 'constant'; it is not decoded",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"constant={at}", back=Outcome.volumes_back_s,
        checks=(faulty("constant"), all_recorded),
    ),
    Case(
        "spike", "a twentieth of a volume's voxels is twenty times as bright",
        shown=(
            log("volume {at} counts 100 %: … of … voxels spike"),
            quality(dvars=0, weight=1, reason="voxels spike"),
        ),
        recorded="as it came; in quality.tsv its DVARS, weight and why; those voxels say nothing in it",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"spike={at}", back=Outcome.volumes_back_s, first=_JUDGED,
        checks=(counts(), all_recorded),
    ),
    Case(
        "spike-half", "half of a volume's voxels are twenty times as bright",
        shown=(_EXCLUDED, quality(dvars=5, weight=0, reason="DVARS")),
        recorded="as it came; in quality.tsv its DVARS, weight and why",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"spike={at}:0.5", back=Outcome.volumes_back_s, first=_JUDGED,
        checks=(counts(), all_recorded),
    ),
    Case(
        "shift", "a volume is moved by three voxels, alone",
        shown=(_EXCLUDED, quality(dvars=5, weight=0, reason="DVARS")),
        recorded="as it came; in quality.tsv its DVARS, weight and why",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"shift={at}", back=Outcome.volumes_back_s, first=_JUDGED,
        checks=(counts(), all_recorded),
    ),
    Case(
        "jump", "the head moves, and stays there",
        shown=(_EXCLUDED, quality(dvars=5, weight=0, reason="DVARS")),
        recorded="as it came; where the decoder has a reference, realigned to it",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"jump={at}", back=Outcome.volumes_back_s, first=_JUDGED,
        checks=(counts(), all_recorded),
    ),
    Case(
        "jitter", "every volume from there on is late by up to half a TR",
        shown=(nothing(),), recorded="everything", recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"jitter={at}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded, stamps_jitter(0.5)),
    ),
    Case(
        "clock", "the scanner's clock steps forward by a minute",
        shown=(message("the volumes' stamps step by +60.0 s at run time … s: onsets go by the numbers"),),
        recorded="everything, with the stamps that came",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"clock={at}:60", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded, stamps_step(60.0)),
    ),
    Case(
        "mark-lose", "the marker of a trial is lost",
        shown=(Shown("the trial before, which goes on", trial_before),),
        recorded="everything that came",
        recovers="with the next trial", within_s=1.0,
        wire=lambda at: f"mark-lose={min(at, 53)}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "mark-double", "the marker of a trial comes twice",
        shown=(log("the marker of … came again and is skipped"),),
        recorded="both", recovers="at once", within_s=1.0,
        wire=lambda at: f"mark-double={min(at, 53)}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "mark-early", "the marker of a trial comes ten volumes early",
        shown=(nothing("the trial begins when it was to begin"),), recorded="everything",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"mark-early={min(at, 53)}:10", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "mark-bad", "a marker that cannot be read",
        shown=(
            message("marker stream … sends what cannot be read as a marker: the log has each"),
            log("a marker was skipped: marker … is not understood"),
        ),
        recorded="everything else",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"mark-bad={at}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "die", "the scanner stops dead and never comes back",
        shown=(silent(),),
        recorded="everything until then", recovers="ends by itself with --until-idle, else by hand",
        within_s=10.0,
        wire=lambda at: f"die={at}", back=Outcome.over_s, options=("--until-idle", "4"),
        checks=(all_recorded,),
    ),
    Case(
        "restart", "the scanner is killed and is back after 3 s, in the middle of its count",
        shown=(silent(), log("was started anew and is heard again", goes_on=True), _LOST),
        recorded="everything but what it did not send meanwhile",
        recovers=_HEARD, within_s=12.0,
        wire=lambda at: f"restart={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(away(30, lost=True),),
    ),
    Case(
        "restart-zero", "the same, and it counts from 0",
        shown=(silent(), _NEW_RUN),
        recorded="both runs, one after the other", recovers=_HEARD, within_s=12.0,
        wire=lambda at: f"restart-zero={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(away(30, lost=False),),
    ),
    Case(
        "replace", "the scanner is killed, and another source sends in its place",
        shown=(silent(), _REPLACED, _LOST),
        recorded="everything but what was not sent meanwhile",
        recovers=_HEARD, within_s=12.0,
        wire=lambda at: f"replace={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(away(30, lost=True),),
    ),
    Case(
        "replace-zero", "the same, and it counts from 0",
        shown=(silent(), _REPLACED, _NEW_RUN),
        recorded="both runs, one after the other", recovers=_HEARD, within_s=12.0,
        wire=lambda at: f"replace-zero={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(away(30, lost=False),),
    ),
    Case(
        "shape", "the scanner is restarted with another matrix for 3 s, then is itself again",
        shown=(silent(), trouble("receive", "sends … voxels a volume and not …: it is not heard", over_s=12)),
        recorded="none of what does not fit",
        recovers="with the first volume that fits", within_s=12.0,
        wire=lambda at: f"shape={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(away(30, lost=True),),
    ),
    Case(
        "second", "another scanner sends volumes and markers under the same name for 3 s",
        shown=(trouble("receive", "sends too: only the first is heard; stop or rename the other", over_s=9),),
        recorded="the one that was there first",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"second={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(counts(), all_recorded, markers_of_the_first),
    ),
    Case(
        "cut", "the cable is cut for 5 s",
        shown=(silent(), log("is back with volume")), recorded="everything: what waited comes when the cable is mended",
        recovers="when it is mended", within_s=10.0,
        wire=lambda at: f"cut={at}:5", back=Outcome.volumes_back_s, count=LONG,
        checks=(counts(), all_recorded),
    ),
    Case(
        "cut-60", "the cable is cut for 60 s",
        shown=(silent(), log("is back with volume")), recorded="everything: what waited comes when the cable is mended",
        recovers="when it is mended", within_s=70.0,
        wire=lambda at: f"cut={at}:60", back=Outcome.volumes_back_s, count=150, speed=4.0,
        limit_s=200.0, checks=(counts(), all_recorded),
    ),
)  # fmt: skip
