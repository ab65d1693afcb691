"""Faults of the scanner, its network and the programs that send markers."""

from tests.faults.case import Case
from tests.faults.checks import (
    all_recorded,
    away,
    counts,
    faulty,
    if_it_goes_on,
    logged,
    markers_of_the_first,
    phases,
    troubled,
)
from tests.faults.outcome import Outcome
from tests.faults.recorded import stamps_jitter, stamps_step

LONG = 120  # volumes: 12 s
_NEXT = "with the next volume"
_HEARD = "with its first volume once it is heard again, about 2 s after it is back"
_AT_ONCE = "at once: what is decoded is as without it, to the bit"

WIRE = (
    Case(
        "lose", "a volume is lost on the way",
        shown="one more lost", recorded="all the others; the gap in their numbers is the loss",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"lose={at}", back=Outcome.volumes_back_s,
        checks=(counts(-1, lost=1), logged("1 volume(s) lost"), all_recorded),
    ),
    Case(
        "double", "a volume comes twice",
        shown="one more duplicate", recorded="both, the second with the fault 'came again'",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"double={at}", back=Outcome.volumes_back_s,
        checks=(counts(duplicate=1), faulty("came again"), all_recorded),
    ),
    Case(
        "late", "a volume comes two volumes late, behind those that follow it",
        shown="one more lost, then one more that came late",
        recorded="it too, with the fault 'came late'; nothing is made of it any more",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"late={at}:2", back=Outcome.volumes_back_s,
        checks=(counts(-1, rejected=1), faulty("came late"), all_recorded),
    ),
    Case(
        "swap", "two volumes come in the wrong order",
        shown="as a volume that comes late", recorded="both, the earlier with the fault 'came late'",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"swap={at}", back=Outcome.volumes_back_s,
        checks=(counts(-1, rejected=1), faulty("came late"), all_recorded),
    ),
    Case(
        "truncate", "half of a volume never arrived and is zero",
        shown="one more rejected", recorded="as it came, with the fault 'truncated'; it is not decoded",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"truncate={at}:0.5", back=Outcome.volumes_back_s,
        checks=(counts(-1, rejected=1), faulty("truncated"), all_recorded),
    ),
    Case(
        "nan", "a volume full of NaN",
        shown="one more rejected", recorded="as it came, with the fault 'not finite'; it is not decoded",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"nan={at}", back=Outcome.volumes_back_s,
        checks=(counts(-1, rejected=1), faulty("not finite"), all_recorded),
    ),
    Case(
        "constant", "a volume with one value everywhere",
        shown="one more rejected", recorded="as it came, with the fault 'constant'; it is not decoded",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"constant={at}", back=Outcome.volumes_back_s,
        checks=(counts(-1, rejected=1), faulty("constant"), all_recorded),
    ),
    Case(
        "spike", "a twentieth of a volume's voxels is twenty times as bright",
        shown="DVARS in the window; the log says how much the volume counts",
        recorded="as it came; in quality.tsv its DVARS, weight and why",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"spike={at}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "shift", "a volume is moved by three voxels, alone",
        shown="DVARS in the window; the log says how much the volume counts",
        recorded="as it came; in quality.tsv its DVARS, weight and why",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"shift={at}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "jump", "the head moves, and stays there",
        shown="motion and DVARS in the window",
        recorded="as it came; where the decoder has a reference, realigned to it",
        recovers=_NEXT, within_s=1.0,
        wire=lambda at: f"jump={at}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "jitter", "every volume from there on is late by up to half a TR",
        shown="nothing", recorded="everything", recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"jitter={at}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded, stamps_jitter(0.5)),
    ),
    Case(
        "clock", "the scanner's clock steps forward by a minute",
        shown="nothing", recorded="everything, with the stamps that came",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"clock={at}:60", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded, stamps_step(60.0)),
    ),
    Case(
        "mark-lose", "the marker of a trial is lost",
        shown="the trial before goes on", recorded="everything that came",
        recovers="with the next trial", within_s=1.0,
        wire=lambda at: f"mark-lose={min(at, 53)}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "mark-double", "the marker of a trial comes twice",
        shown="nothing", recorded="both", recovers="at once", within_s=1.0,
        wire=lambda at: f"mark-double={min(at, 53)}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "mark-early", "the marker of a trial comes ten volumes early",
        shown="nothing: the trial begins when it was to begin", recorded="everything",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"mark-early={min(at, 53)}:10", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "mark-bad", "a marker that cannot be read",
        shown="the log has a line of it", recorded="everything else",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"mark-bad={at}", back=Outcome.volumes_back_s,
        checks=(counts(), all_recorded),
    ),
    Case(
        "die", "the scanner stops dead and never comes back",
        shown="'stream silent' after 3 TRs",
        recorded="everything until then", recovers="ends by itself with --until-idle, else by hand",
        within_s=10.0,
        wire=lambda at: f"die={at}", back=Outcome.over_s, options=("--until-idle", "4"),
        checks=(phases("stream silent", "ended"), troubled("receive"), all_recorded),
    ),
    Case(
        "restart", "the scanner is killed and is back after 3 s, in the middle of its count",
        shown="'stream silent', then what was lost",
        recorded="everything but what it did not send meanwhile",
        recovers=_HEARD, within_s=12.0,
        wire=lambda at: f"restart={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(phases("stream silent", "ended"), away(30, lost=True)),
    ),
    Case(
        "restart-zero", "the same, and it counts from 0",
        shown="'stream silent', then a new run",
        recorded="both runs, one after the other", recovers=_HEARD, within_s=12.0,
        wire=lambda at: f"restart-zero={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(
            phases("stream silent", "ended"), away(30, lost=False),
            if_it_goes_on(logged("began again at 0")),
        ),
    ),
    Case(
        "replace", "the scanner is killed, and another source sends in its place",
        shown="'stream silent', then what was lost",
        recorded="everything but what was not sent meanwhile",
        recovers=_HEARD, within_s=12.0,
        wire=lambda at: f"replace={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(phases("stream silent", "ended"), away(30, lost=True)),
    ),
    Case(
        "replace-zero", "the same, and it counts from 0",
        shown="'stream silent', then a new run",
        recorded="both runs, one after the other", recovers=_HEARD, within_s=12.0,
        wire=lambda at: f"replace-zero={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(
            phases("stream silent", "ended"), away(30, lost=False),
            if_it_goes_on(logged("began again at 0")),
        ),
    ),
    Case(
        "shape", "the scanner is restarted with another matrix for 3 s, then is itself again",
        shown="that the stream does not fit", recorded="none of what does not fit",
        recovers="with the first volume that fits", within_s=12.0,
        wire=lambda at: f"shape={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(phases("stream silent", "ended"), away(30, lost=True)),
    ),
    Case(
        "second", "another scanner sends volumes and markers under the same name for 3 s",
        shown="the log says that there are two", recorded="the one that was there first",
        recovers=_AT_ONCE, within_s=1.0,
        wire=lambda at: f"second={at}:3", back=Outcome.volumes_back_s, count=LONG,
        checks=(counts(), all_recorded, markers_of_the_first),
    ),
    Case(
        "cut", "the cable is cut for 5 s",
        shown="'stream silent'", recorded="everything: what waited comes when the cable is mended",
        recovers="when it is mended", within_s=10.0,
        wire=lambda at: f"cut={at}:5", back=Outcome.volumes_back_s, count=LONG,
        checks=(phases("stream silent", "ended"), counts(), all_recorded),
    ),
    Case(
        "cut-60", "the cable is cut for 60 s",
        shown="'stream silent'", recorded="everything: what waited comes when the cable is mended",
        recovers="when it is mended", within_s=70.0,
        wire=lambda at: f"cut={at}:60", back=Outcome.volumes_back_s, count=150, speed=4.0,
        limit_s=200.0, checks=(phases("stream silent", "ended"), counts(), all_recorded),
    ),
)  # fmt: skip
