"""What the operator is told of a fault: the words of docs/promises.md, and where a case looks for it.

Whatever the window shows comes to it by one of these ways; each is recorded as well, and there a case
finds it. How it looks in the window is held by tests of the window, which the page names.

In words that are looked for, {at} is the number of the volume of the fault, {after} the next one, and
"…" may be anything.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from tests.faults.checks import Check, counts
from tests.faults.outcome import Outcome
from tests.faults.scan import EVERY, TR_S

SILENT_S = 3.0  # 3 TRs are at most 1.5 s in the matrix; the rest is for a busy machine
_BUSY = ("pictures take", "stood still", "come faster", "still being worked on", "over after")
"""What a machine that is too slow for the test may say."""


@dataclass(frozen=True)
class Shown:
    """One thing that is shown. `words`: for people; `check`: what is wrong, empty where it was shown."""

    words: str
    check: Check


def count(received: int = 0, **more: int) -> Shown:
    """The window's numbers of volumes: so many more lost, duplicate or rejected."""
    words = ", ".join(f"{name} {number}" for name, number in more.items())
    return Shown(f"counts: {words}", counts(received, **more))


def message(words: str, goes_on: bool = False) -> Shown:
    """The line at the head of the window. `goes_on`: only where something is sent after the fault."""

    def check(outcome: Outcome) -> str:
        told = [line["message"] for line in outcome.status]
        return _missing(words, told, outcome, "no message says", goes_on)

    return Shown(f"message: '{_for_people(words)}'", check)


def log(words: str, goes_on: bool = False, lasts: bool = False) -> Shown:
    """A line of the log, in the window and on disk. `lasts`: unless the run ends first, as a trouble."""

    def check(outcome: Outcome) -> str:
        if lasts and outcome.ends_soon:
            return ""
        return _missing(words, outcome.log, outcome, "the log never says", goes_on)

    return Shown(f"log: '{_for_people(words)}'", check)


def trouble(stage: str, words: str, over_s: float = inf) -> Shown:
    """A stage in trouble, unless the run ends first. `over_s`: so long after the fault it is no more."""

    def check(outcome: Outcome) -> str:
        told, over_at_s = [], -inf
        for line in outcome.status:
            now = [one["what"] for one in line["troubles"] if one["stage"] == stage]
            if told and told[-1] and not now:
                over_at_s = line["time"] - outcome.fault_s
            told.append(now)
        if over_at_s > over_s:
            return f"'{stage}' was in trouble until {over_at_s:.1f} s after the fault"
        every = [what for now in told for what in now]
        never = f"'{stage}' is never in trouble with"
        return "" if outcome.ends_soon else _missing(words, every, outcome, never)

    return Shown(f"trouble of '{stage}': '{_for_people(words)}'", check)


def quality(dvars: float, weight: float, reason: str) -> Shown:
    """The plots of the volume: its DVARS (at least so many times the usual), weight, and why."""

    def check(outcome: Outcome) -> str:
        rows = [r for r in outcome.folder.table("quality.tsv") if int(r["number"]) == outcome.at]
        if len(rows) != 1:
            return f"quality.tsv has {len(rows)} rows of volume {outcome.at}"
        (row,) = rows
        if not (float(row["dvars"]) >= dvars and float(row["weight"]) == weight):
            return f"volume {outcome.at} has DVARS {row['dvars']} and counts {row['weight']}"
        return _missing(reason, [row["reason"]], outcome, "quality.tsv does not say")

    least = f"DVARS above {dvars:g} and " if dvars else ""
    return Shown(f"plots: {least}a weight of {weight:g}", check)


def silent() -> Shown:
    """The phase, and the trouble of the stage that receives, soon after the last volume."""

    def check(outcome: Outcome) -> str:
        silent = [line for line in outcome.status if line["phase"] == "stream silent"]
        if not silent or outcome.status[-1]["phase"] != "ended":
            return "phase 'stream silent', and then 'ended', was not shown"
        told = [t["what"] for t in silent[0]["troubles"] if t["stage"] == "receive"]
        if not any(what.startswith("no volume comes from") for what in told):
            return f"the stream is silent, and told of it is {told}"
        last = max(
            float(row["received"]) for row in outcome.folder.rows
            if float(row["received"]) < silent[0]["time"]
        )  # fmt: skip
        after_s = silent[0]["time"] - last
        return "" if after_s < SILENT_S else f"'stream silent' came {after_s:.1f} s after a volume"

    words = f"'stream silent' within {SILENT_S:g} s, as phase and as trouble of 'receive'"
    return Shown(words, check)


def nothing(words: str = "") -> Shown:
    """No message, no trouble and no warning, of what the scanner sends or otherwise."""

    def check(outcome: Outcome) -> str:
        told = [line for line in outcome.log if re.search(r" (WARNING|ERROR) ", line)]
        told += [t["what"] for line in outcome.status for t in line["troubles"]]
        told = [line for line in told if not any(busy in line for busy in _BUSY)]
        return f"it is said: {told[0]}" if told else counts()(outcome)

    return Shown(f"nothing{words and f': {words}'}", check)


def trial_before(outcome: Outcome) -> str:
    """The volumes of a trial that nobody heard of are told as those of the trial before."""
    first = outcome.sent.effect.differs_from
    assert first is not None
    rows = [
        row for row in outcome.folder.table("trials.tsv")
        if first <= int(row["volume"]) < first + EVERY
    ]  # fmt: skip
    onsets = {float(row["onset_s"]) for row in rows}
    wrong = [onset for onset in onsets if onset >= (first - EVERY / 2) * TR_S]
    if wrong or not onsets:
        return f"volumes from {first} on are told as of the trials at {sorted(onsets)} s"
    return ""


def _for_people(words: str) -> str:
    return words.format(at="N", after="N+1")


def _missing(
    words: str, told: Iterable[str], outcome: Outcome, never: str, goes_on: bool = False
) -> str:
    """What is wrong where none of the lines has the words."""
    if goes_on and not outcome.goes_on:
        return ""
    wanted = words.format(at=outcome.at, after=outcome.at + 1)
    pattern = ".*".join(map(re.escape, wanted.split("…")))
    return "" if any(re.search(pattern, line) for line in told) else f"{never} '{wanted}'"
