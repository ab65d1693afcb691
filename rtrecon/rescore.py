"""A recorded session's scores computed anew, of what was decoded anew, and compared."""

import json
import logging
from pathlib import Path

from rtrecon.artifact import Artifact
from rtrecon.bounded import bounded_text
from rtrecon.config import Session
from rtrecon.errors import Error
from rtrecon.protocol.opening import open_protocol
from rtrecon.protocol.scorer import Evidence, Scorer
from rtrecon.scores import SCORE_COLUMNS, UNKNOWN, score_row
from rtrecon.session_folder import SessionFolder
from rtrecon.types import Decoded, Event, Firing, Marker, Pattern, Score, Trial
from rtrecon.verdict import Check, Verdict

log = logging.getLogger(__name__)

_COMPARED = [name for name in SCORE_COLUMNS if name not in ("time", "acquired")]  # but for clocks
_OURS = ("protocol", "block", "person")


class Rescore:
    """Follows a session's volumes and markers, as its scoring did, and compares each score.

    Where nothing was told, nothing is told today either: that a session was paused is no row's
    to say.

    Parameters
    ----------
    session : SessionFolder
    scorer : Scorer or None
        None: there is nothing to compare.
    verdict : Verdict
    """

    def __init__(self, session: SessionFolder, scorer: Scorer | None, verdict: Verdict) -> None:
        self._scorer, self._verdict = scorer, verdict
        self._rows = session.table("scores.tsv")
        self._fired = [row["score"] for row in session.table("firings.tsv")]
        self._today: list[str] = []  # numbers of the scores that fire today
        self._count = 0
        self._whole = session.whole
        self._scores, self._firings = Check("scores.tsv"), Check("firings.tsv")

    def marker(self, marker: Marker) -> None:
        """As `Scoring.marker`."""
        if self._scorer is None or marker.event not in (Event.RUN_START, Event.RUN_END):
            return
        self._compare(self._scorer.finish(0.0, self._silent()))
        if marker.event is Event.RUN_START:
            self._scorer.restart()

    def volume(self, trial: Trial | None, pattern: Pattern | None, decoded: Decoded | None) -> None:
        """As `Scoring.volume`."""
        if self._scorer is None:
            return
        known = decoded is not None and pattern is not None
        evidence = Evidence(decoded, pattern) if known else None  # type: ignore[arg-type]
        self._compare(self._scorer.volume(trial, evidence, 0.0, self._silent()))

    def finish(self) -> None:
        """Nothing more comes: compare what is left."""
        if self._scorer is None:
            return
        self._compare(self._scorer.finish(0.0, self._silent()))
        self._verdict.checks += [
            self._scores,
            self._firings,
        ]  # last: what they are made of is first
        if self._whole and self._count != len(self._rows):
            self._scores.differs(f"has {len(self._rows)} rows, today's scoring makes {self._count}")
        self._firings.compared = len(self._fired)
        if self._fired != self._today[: len(self._fired) if not self._whole else None]:
            recorded, today = (", ".join(n) or "none" for n in (self._fired, self._today))
            self._firings.differs(f"of the scores {recorded} fired, today {today}")

    def _silent(self) -> bool:
        """Whether nothing was told with the next score."""
        return self._count < len(self._rows) and self._rows[self._count]["told"] == UNKNOWN

    def _compare(self, scored: tuple[Score, Firing | None] | None) -> None:
        if scored is None:
            return
        score, firing = scored
        if firing is not None:
            self._today.append(str(score.number))
        if self._count < len(self._rows):
            today = dict(zip(SCORE_COLUMNS, score_row(score), strict=True))
            cells = {name: " ".join(today[name].split()) for name in _COMPARED}
            self._scores.cells(f"row {self._count}", self._rows[self._count], cells)
        self._count += 1


def rescored(
    session: SessionFolder, artifact: Artifact, decoder: Path, verdict: Verdict
) -> Rescore:
    """What compares a session's scores, with a note where they cannot be."""
    scorer = None
    if session.table("scores.tsv"):
        try:
            scorer = _scorer(session, artifact, decoder)
        except (Error, LookupError, TypeError, ValueError) as error:
            verdict.notes.append(f"scores are not compared: {error}")
    return Rescore(session, scorer, verdict)


def _scorer(session: SessionFolder, artifact: Artifact, decoder: Path) -> Scorer:
    """Of the protocol as it is recorded."""
    truth = session.folder / "feedback.json"
    if truth.is_file() and json.loads(bounded_text(truth))["sham"]:
        raise ValueError("they are of another session's decoded volumes (--yoked)")
    about = session.about
    tables = {key: about["tables"][key] for key in _OURS if key in about["tables"]}
    asked = Session(decoder, tables=tables, free_viewing=bool(about["free_viewing"]))
    opening = open_protocol(asked, artifact)
    if opening is None:
        raise ValueError("the record has no [protocol]")
    targets = session.array("targets")
    rows = [] if targets is None else list(targets)
    return opening.scorer(artifact, dict(zip(about["captions"], rows, strict=True)))
