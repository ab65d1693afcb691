"""What a record is held to."""

import json
import threading
from collections.abc import Callable

import numpy as np

from rtrecon.errors import Error
from rtrecon.verify import verify
from tests.faults.outcome import Outcome

Check = Callable[[Outcome], str]
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
    """Tables and arrays have the same rows, and today's decoding of the record is the record's."""
    for table, arrays in ALIGNED.items():
        head, *rows = (outcome.output / table).read_text(encoding="utf-8").splitlines()
        if {row.count("\t") for row in rows} > {head.count("\t")}:
            return f"{table} has a row of another length than its head"
        for name in arrays:
            array = outcome.folder.array(name)
            if array is not None and len(array) != len(rows):
                return f"{name}.npy has {len(array)} rows, {table} {len(rows)}"
    with _one_at_a_time:
        try:
            verdict = verify(outcome.output, outcome.scan.decoder, frames=False)
        except Error as error:
            return f"it cannot be verified: {error}"
    return f"computed anew it differs: {verdict.first}" if verdict.first else ""


def to_the_bit(outcome: Outcome) -> str:
    """Every volume that was used is on disk as it was sent."""
    for row, volume in zip(outcome.folder.rows, outcome.folder.volumes, strict=True):
        if row["fault"] in ("n/a", "came again"):
            number = int(row["number"])
            if not np.array_equal(volume, outcome.scan.volumes[number]):
                return f"volume {number} on disk is not as it was sent"
    return ""


def as_undisturbed(reference: Outcome, harmless: bool) -> Check:
    """What was decoded until the fault (of harmless ones: all) is as in a run without it."""

    def check(outcome: Outcome) -> str:
        rows, usual = outcome.folder.table("trials.tsv"), reference.folder.table("trials.tsv")
        volumes = [int(row["volume"]) for row in rows]
        until = len(usual) if harmless else sum(int(row["volume"]) < outcome.at for row in usual)
        if volumes[:until] != [int(row["volume"]) for row in usual[:until]]:
            return f"of {until} decoded volumes that the fault does not touch {len(rows)} are there"
        for name in DECODED:
            ours, theirs = outcome.array(name)[:until], reference.array(name)[:until]
            if not np.array_equal(ours, theirs):
                return f"{name}.npy differs from an undisturbed run's before the fault"
        return ""

    return check


def counts(received: int = 0, lost: int = 0, duplicate: int = 0, rejected: int = 0) -> Check:
    """The numbers of volumes; `received` below zero: so many less than were sent."""

    def check(outcome: Outcome) -> str:
        all_received = len(outcome.scan.volumes) + received
        wanted = {
            "received": all_received,
            "lost": lost,
            "duplicate": duplicate,
            "rejected": rejected,
        }
        wrong = [
            f"{outcome.counts[name]} {name}, not {number}"
            for name, number in wanted.items()
            if outcome.counts[name] != number
        ]
        return "; ".join(wrong)

    return check


def faulty(text: str, count: int = 1) -> Check:
    """So many rows of volumes.tsv have this fault, beginning with the volume it was done to."""

    def check(outcome: Outcome) -> str:
        numbers = [int(row["number"]) for row in outcome.folder.rows if text in row["fault"]]
        wanted = list(range(outcome.at, outcome.at + count))
        return "" if numbers == wanted else f"'{text}' is told of {numbers}, not {wanted}"

    return check


def all_recorded(outcome: Outcome) -> str:
    """No volume that was sent is missing on disk."""
    there = {int(row["number"]) for row in outcome.folder.rows}
    missing = [number for number in range(len(outcome.scan.volumes)) if number not in there]
    return f"volumes {missing} are not on disk" if missing else ""


def shows(words: str) -> Check:
    """The operator was told: the words are in a line of status.jsonl."""

    def check(outcome: Outcome) -> str:
        told = any(words in json.dumps(line) for line in outcome.status)
        return "" if told else f"'{words}' was never shown"

    return check


def logged(words: str) -> Check:
    """The log says so."""

    def check(outcome: Outcome) -> str:
        log = (outcome.output / "log.txt").read_text(encoding="utf-8")
        return "" if words in log else f"the log never says '{words}'"

    return check


def troubled(stage: str) -> Check:
    """The operator saw that a stage was in trouble, unless the run ended first; it is over at the end."""

    def check(outcome: Outcome) -> str:
        stages = [
            {trouble["stage"] for trouble in line.get("troubles", ())} for line in outcome.status
        ]
        if not outcome.ends_soon and not any(stage in seen for seen in stages):
            return f"no trouble of '{stage}' was shown"
        return f"'{stage}' is in trouble still" if stages and stage in stages[-1] else ""

    return check


def phases(*wanted: str) -> Check:
    """The session was in these phases, in this order, among others."""

    def check(outcome: Outcome) -> str:
        seen = iter([line["phase"] for line in outcome.status])
        missing = [phase for phase in wanted if phase not in seen]
        return f"phase '{missing[0]}' was not shown" if missing else ""

    return check
