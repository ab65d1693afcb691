"""What a record is held to."""

import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtrecon.errors import Error
from rtrecon.types import Event
from rtrecon.verify import verify
from simulator.outlets import OTHERS
from tests.faults.outcome import Outcome
from tests.faults.scan import TR_S

Check = Callable[[Outcome], str]
"""What is broken, in words; empty where the promise is kept."""
DECODED = ("patterns", "z", "c", "probabilities")
ALIGNED = {
    "volumes.tsv": ("volumes",), "trials.tsv": DECODED, "comparisons.tsv": (), "frames.tsv": (),
    "quality.tsv": (),
}  # fmt: skip
_one_at_a_time = threading.Lock()  # it sets what holds for the whole process


def ended(code: int) -> Check:
    """It ended by itself, in time, and left no process behind."""

    def check(outcome: Outcome) -> str:
        if outcome.exit_code is None:
            return "it did not end in time"
        if outcome.exit_code != code:
            return f"exit code {outcome.exit_code}, not {code}"
        return f"processes {outcome.left} are left" if outcome.left else ""

    return check


def whole(outcome: Outcome) -> str:
    """Tables and arrays have the same rows, and today's decoding of the record is the record's.

    After a kill, arrays may have one row more than their table (docs/session-folder.md).
    """
    killed = int((outcome.exit_code or 0) < 0)
    for table, arrays in ALIGNED.items():
        head, *rows = (outcome.output / table).read_text(encoding="utf-8").splitlines()
        if {row.count("\t") for row in rows} > {head.count("\t")}:
            return f"{table} has a row of another length than its head"
        for name in arrays:
            array = outcome.folder.array(name)
            more = 0 if array is None else len(array) - len(rows)
            if not 0 <= more <= killed:
                return f"{name}.npy has {len(rows) + more} rows, {table} {len(rows)}"
    with _one_at_a_time:
        try:
            verdict = verify(outcome.output, outcome.scan.decoder, frames=False)
        except Error as error:
            return f"it cannot be verified: {error}"
    return f"computed anew it differs: {verdict.first}" if verdict.first else ""


def to_the_bit(outcome: Outcome) -> str:
    """Every volume on disk is as one of its number was sent."""
    for row, volume in zip(outcome.folder.rows, outcome.folder.volumes, strict=True):
        number = int(row["number"])
        sent = [run[number] for run in outcome.sent.runs if number in run]
        if not any(np.array_equal(volume, one, equal_nan=True) for one in sent):
            return f"volume {number} on disk is not as it was sent"
    return ""


def all_recorded(outcome: Outcome) -> str:
    """No volume that was sent, and that somebody could hear, is missing on disk."""
    there: dict[int, list[NDArray[np.generic]]] = {}
    for row, volume in zip(outcome.folder.rows, outcome.folder.volumes, strict=True):
        there.setdefault(int(row["number"]), []).append(volume)
    missing = [
        number
        for run in outcome.sent.runs
        for number, sent in run.items()
        if not any(np.array_equal(sent, one, equal_nan=True) for one in there.get(number, ()))
    ]
    return f"volumes {missing} are not on disk" if missing else ""


def marker_late(outcome: Outcome) -> bool:
    """Whether a trial's marker was read after a volume that it should have come before.

    LSL keeps no order between two streams: where the machine is too busy to run this test in time, a
    marker may be more than a volume late, and what is decoded is another thing.
    """
    rows = outcome.folder.rows
    for row, marker in outcome.folder.markers:
        first = (
            math.ceil(marker.onset_s / TR_S - 0.5) if math.isfinite(marker.onset_s) else math.inf
        )
        if marker.event is Event.TRIAL and row and int(rows[row - 1]["number"]) >= first:
            return True
    return False


def as_undisturbed(reference: Outcome, until: float, cut: bool = False) -> Check:
    """What is decoded of the volumes before this number is as in a run without a fault, to the bit.

    `cut`: the session was ended, and what was on its way to the disk may be missing.
    """

    def check(outcome: Outcome) -> str:
        usual = [int(row["volume"]) for row in reference.folder.table("trials.tsv")]
        ours = [int(row["volume"]) for row in outcome.folder.table("trials.tsv")]
        count = sum(volume < until for volume in usual)
        if cut:
            count = min(count, len(ours))
        if ours[:count] != usual[:count]:
            return f"decoded are {ours[:count]}, and undisturbed {usual[:count]}"
        for name in DECODED if count else ():
            if not np.array_equal(outcome.array(name)[:count], reference.array(name)[:count]):
                return f"{name}.npy differs from an undisturbed run's before volume {until}"
        return ""

    return check


def counts(received: int = 0, lost: int = 0, duplicate: int = 0, rejected: int = 0) -> Check:
    """The numbers of volumes, as last shown and in the summary; `received` below zero: so many less
    than were sent.
    """

    def check(outcome: Outcome) -> str:
        all_received = len(outcome.scan.volumes) + received
        wanted = {
            "received": all_received,
            "lost": lost,
            "duplicate": duplicate,
            "rejected": rejected,
        }
        wrong = [
            f"{told[name]} {name}, not {number}"
            for told in (outcome.counts, outcome.status[-1]["counts"])
            for name, number in wanted.items()
            if told[name] != number
        ]
        return "; ".join(dict.fromkeys(wrong))

    return check


def away(volumes: int, lost: bool) -> Check:
    """So many volumes, or what is left of the run, were never sent; in the same run they are lost.

    No more than these: a scanner that waits for somebody who listens begins again when it is the
    session that does.
    """

    def check(outcome: Outcome) -> str:
        total, told = len(outcome.scan.volumes), outcome.counts
        missing = min(volumes, total - outcome.at)
        fewer = total - told["received"]
        if fewer != missing:
            return f"{told['received']} of {total} received, where {missing} were never sent"
        if told["lost"] > fewer or (lost and told["lost"] != fewer):
            return f"{told['lost']} lost, where {fewer} are missing"
        return ""

    return check


def markers_of_the_first(outcome: Outcome) -> str:
    """None of a second scanner's is recorded."""
    theirs = sum(marker.trial_type == OTHERS for _, marker in outcome.folder.markers)
    return f"{theirs} markers of the second scanner are recorded" if theirs else ""


def faulty(text: str, count: int = 1) -> Check:
    """So many rows of volumes.tsv have this fault, beginning with the volume it was done to."""

    def check(outcome: Outcome) -> str:
        numbers = [int(row["number"]) for row in outcome.folder.rows if text in row["fault"]]
        wanted = list(range(outcome.at, outcome.at + count))
        return "" if numbers == wanted else f"'{text}' is told of {numbers}, not {wanted}"

    return check
