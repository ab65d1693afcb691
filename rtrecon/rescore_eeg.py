"""A recorded EEG session's index, scores and firings computed anew of its samples, and compared."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from math import nan

from tqdm import tqdm

from rtrecon.eeg.folder import STAMP, EegFolder, Recording
from rtrecon.eeg.index import Measure, Reading
from rtrecon.eeg.plan import EegOptions, plan_of
from rtrecon.eeg.scorer import EegScorer
from rtrecon.printable import printable
from rtrecon.scores import SCORE_COLUMNS, UNKNOWN, score_row, scores_of
from rtrecon.session_folder import Row
from rtrecon.types import Firing, Score
from rtrecon.verdict import Check, Verdict

_PIECE_S = 1.0  # how samples are cut into pieces changes nothing
_COMPARED = [name for name in SCORE_COLUMNS if name not in ("number", "time", "elapsed")]


def rescore_eeg(session: EegFolder, verdict: Verdict) -> None:
    """Walk each person's samples through today's code, as the session did, and compare each score.

    When a score was worked out, and where the schedule stood, is the record's to say: it has no
    clock. So is that there was no signal.

    Raises
    ------
    BadConfig, BadInput, Mismatch
        What the record says of its protocol cannot be followed.
    """
    plan = plan_of(EegOptions(tables=session.about["tables"]), str(session.folder))
    scores, firings = Check("scores.tsv"), Check("firings.tsv")
    verdict.checks += [scores, firings]
    rows, paused = session.table("scores.tsv"), _pauses(session)
    complete = session.whole and not session.withdrawn
    fired: list[int] = []
    for (person, _), recording in zip(plan.people, session.recordings, strict=True):
        again = _Again(recording, Measure(plan.eeg, recording.signal), plan.scorer(person), paused)
        own = [row for row in rows if row["person"] == (printable(person.name) or UNKNOWN)]
        fired += again.compare(own, scores)
        if again.lacking and complete:
            scores.differs(f"has {again.lacking} rows of samples of {person.name} not recorded")
        elif again.lacking:
            verdict.notes.append(
                f"the samples of {again.lacking} scores of {person.name} are cut off"
            )
        if unscored := again.left:
            _tell_left(person.name, len(own), unscored, complete, scores, verdict)
    _compare_firings(session, sorted(fired), complete, firings)


class _Again:
    """One person's readings, made anew. Without a row for each of them a score differs."""

    def __init__(
        self, recording: Recording, measure: Measure, scorer: EegScorer,
        paused: Callable[[float], bool],
    ) -> None:  # fmt: skip
        self._recording, self._scorer, self._paused = recording, scorer, paused
        self._readings = _readings(recording, measure)
        self.lacking = 0  # rows whose samples are not recorded

    def compare(self, rows: list[Row], check: Check) -> list[int]:
        """Compare each row; returns the numbers of the scores that fire today."""
        fired = []
        for row, recorded in zip(rows, scores_of(rows), strict=True):
            scored = self._scored(recorded)
            if scored is None:
                self.lacking += 1
                continue
            where = f"score {recorded.number} ({recorded.person})"
            score, firing = scored
            today = dict(zip(SCORE_COLUMNS, score_row(score), strict=True))
            check.cells(where, row, {name: printable(today[name]) for name in _COMPARED})
            fired += [score.number] * (firing is not None)
        return fired

    @property
    def left(self) -> int:
        """How many more scores could be made of what is recorded."""
        return sum(1 for _ in self._readings)

    def _scored(self, row: Score) -> tuple[Score, Firing | None] | None:
        if row.sample < 0:
            reading, acquired = Reading(-1, nan, row.fault), row.acquired
        else:
            # What came before the schedule began was not scored.
            found = next((r for r in self._readings if r.sample >= row.sample), None)
            if found is None:
                return None
            reading = found
            acquired = float(self._recording.stamps[reading.sample - 1, STAMP])
        return self._scorer.score(
            reading, row.number, row.elapsed, acquired, row.time, self._paused(row.time)
        )


def _readings(recording: Recording, measure: Measure) -> Iterator[Reading]:
    """As they come of the samples, from the first on."""
    gaps, most = set(recording.gaps()), max(1, int(_PIECE_S * recording.signal.rate_hz))
    total = len(recording.samples)
    with tqdm(total=total, desc=recording.person.name, leave=False, disable=None) as bar:
        for piece in recording.pieces(most):
            if piece.start in gaps:
                measure.gap()
            yield from measure.add(recording.samples[piece])
            bar.update(piece.stop - piece.start)


def _pauses(session: EegFolder) -> Callable[[float], bool]:
    """Whether the session was paused at an LSL time."""
    lines = session.lines("status.jsonl")
    times = [float(line["time"]) for line in lines]
    paused = [False, *(bool(line["paused"]) for line in lines)]
    return lambda time: paused[bisect_right(times, time)]


def _tell_left(
    person: str, recorded: int, more: int, complete: bool, scores: Check, verdict: Verdict
) -> None:
    """Of a session that was cut off, samples may have been recorded that nobody scored."""
    if complete:
        scores.differs(f"has {recorded} rows of {person}, today's scoring makes {more} more")
    else:
        verdict.notes.append(
            f"the session was cut off: {recorded} scores of {person} are whole on disk, "
            f"{more} more can be made of the samples"
        )


def _compare_firings(session: EegFolder, today: list[int], complete: bool, firings: Check) -> None:
    """In the order of the scores. One that a killed session had not written yet is no difference."""
    recorded = sorted(int(row["score"]) for row in session.table("firings.tsv"))
    firings.compared = len(recorded)
    if recorded != (today if complete else today[: len(recorded)]):
        then, now = (", ".join(map(str, n)) or "none" for n in (recorded, today))
        firings.differs(f"of the scores {then} fired, today {now}")
