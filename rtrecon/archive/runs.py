"""A recorded session taken apart into its runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import isnan, nan

from rtrecon.archive.tables import number
from rtrecon.errors import BadDataset
from rtrecon.session_folder import Row, SessionFolder
from rtrecon.types import Event, Marker

_MAX_GAP = 10_000  # volumes; the receiver takes a number further ahead for none


@dataclass(frozen=True)
class RecordedRun:
    """One run. Volume n is acquired from n x TR to (n + 1) x TR, lost ones counted.

    Attributes
    ----------
    label : int
        Counts from 1 in the session.
    accepted : dict of int to int
        Volume number to its row in volumes.tsv.
    rejected : dict of int to str
        Volume number to why the receiver rejected it.
    n_volumes : int
        Lost and rejected ones too.
    trials, triggers : tuple of Marker
        In order of their onset, which is run time.
    """

    label: int
    accepted: dict[int, int]
    rejected: dict[int, str]
    n_volumes: int
    trials: tuple[Marker, ...]
    triggers: tuple[Marker, ...]

    def status(self, volume: int) -> str:
        """What became of a volume: ok, rejected or lost."""
        if volume in self.accepted:
            return "ok"
        return "rejected" if volume in self.rejected else "lost"

    def of_status(self, status: str) -> list[int]:
        """The numbers of the volumes that this became of."""
        return [volume for volume in range(self.n_volumes) if self.status(volume) == status]


@dataclass
class _Span:
    """What came between two starts."""

    rows: list[int] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)


def runs_of(session: SessionFolder) -> list[RecordedRun]:
    """The runs of a session in order: one for every start marker that volumes followed.

    Raises
    ------
    BadDataset
        No volume at all, or numbers that no receiver lets through.
    """
    accepted = ([i for i in span.rows if _accepted(session.rows[i])] for span in _spans(session))
    spans = [(span, rows) for span, rows in zip(_spans(session), accepted, strict=True) if rows]
    if not spans:
        raise BadDataset(
            f"{session.folder} has no volume that was accepted: there is nothing in it"
        )
    return [_run(session, label, *span) for label, span in enumerate(spans, 1)]


def _spans(session: SessionFolder) -> list[_Span]:
    spans, last = [_Span()], -1
    for item in _in_order(session):
        if isinstance(item, Marker):
            if item.event is Event.RUN_START:
                spans, last = [*spans, _Span()], -1
            spans[-1].markers.append(item)
            continue
        row = session.rows[item]
        if _accepted(row):
            if int(row["number"]) <= last:  # the scanner was started anew, and no marker said so
                spans.append(_Span())
            last = int(row["number"])
        spans[-1].rows.append(item)
    return spans


def _in_order(session: SessionFolder) -> Iterator[int | Marker]:
    """Rows of volumes.tsv and markers as they came."""
    markers = list(session.markers)
    for index in range(len(session.rows)):
        while markers and markers[0][0] <= index:
            yield markers.pop(0)[1]
        yield index
    yield from (marker for _, marker in markers)


def _accepted(row: Row) -> bool:
    return row["fault"] == "n/a"


def _run(session: SessionFolder, label: int, span: _Span, rows: list[int]) -> RecordedRun:
    accepted = {int(session.rows[i]["number"]): i for i in rows}
    numbers = [-1, *accepted]
    if numbers[1] < 0 or max(b - a for a, b in pairwise(numbers)) > _MAX_GAP:
        raise BadDataset(f"{session.folder / 'volumes.tsv'} is damaged: its numbers jump")
    faults = {int(row["number"]): row["fault"] for row in map(session.rows.__getitem__, span.rows)}
    last = max(accepted)
    rejected = {
        n: fault for n, fault in faults.items()
        if n not in accepted and 0 <= n <= last + len(span.rows) - len(rows)
    }  # fmt: skip
    promised = [m.volumes or 0 for m in span.markers if m.event is Event.RUN_END]
    ends = [last + 1, max(rejected, default=0) + 1]
    ends += [volumes for volumes in promised if volumes <= last + _MAX_GAP]
    placed = sorted(
        (m for m in (_placed(m, session, rows) for m in span.markers) if not isnan(m.onset_s)),
        key=lambda marker: marker.onset_s,
    )
    return RecordedRun(
        label, accepted, rejected, max(ends),
        tuple(m for m in placed if m.event is Event.TRIAL),
        tuple(m for m in placed if m.event is Event.TRIGGER),
    )  # fmt: skip


def _placed(marker: Marker, session: SessionFolder, rows: list[int]) -> Marker:
    """The marker with its onset, from its stamp where it has none, by the volume nearest to it."""
    if not isnan(marker.onset_s) or isnan(marker.stamp):
        return marker
    geometry = session.geometry

    def onset_s(index: int) -> float:
        row = session.rows[index]
        end_s = (int(row["number"]) + 1) * geometry.tr_s
        return end_s + (marker.stamp - number(row["acquired"])) * geometry.speed

    def apart_s(index: int) -> float:
        return abs(marker.stamp - number(session.rows[index]["acquired"]))

    timed = [i for i in rows if not isnan(number(session.rows[i]["acquired"]))]
    return replace(marker, onset_s=onset_s(min(timed, key=apart_s)) if timed else nan)
