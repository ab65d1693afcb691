"""One person of an EEG session, with all that belongs to them."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from rtrecon.eeg.artefacts import KINDS
from rtrecon.eeg.index import Measure, Reading
from rtrecon.eeg.inlet import Chunk, EegInlet
from rtrecon.eeg.scorer import EegScorer
from rtrecon.eeg.summary import PersonSummary
from rtrecon.types import Person, Score

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Quality:
    """How one person's signal is; the operator sees it.

    Attributes
    ----------
    labels : tuple of str
        Of the channels that are used.
    spread_uv : tuple of float
        Standard deviation of each in the last moments, microvolts.
    faults : tuple of str
        What is wrong with each just now; empty: nothing.
    silent : bool
        Whether nothing comes.
    gaps : int
    artefact_share : float
        Of all scores so far.
    """

    labels: tuple[str, ...] = ()
    spread_uv: tuple[float, ...] = ()
    faults: tuple[str, ...] = ()
    silent: bool = False
    gaps: int = 0
    artefact_share: float = 0.0


@dataclass
class Seat:
    """One person with all that belongs to them. Owned by the ingest thread.

    Attributes
    ----------
    place : int
        Among the people, from 0.
    newest : Score or None
    samples : int
        How many have come.
    """

    place: int
    person: Person
    inlet: EegInlet
    measure: Measure
    scorer: EegScorer
    summary: PersonSummary
    newest: Score | None = None
    samples: int = 0
    unheard: float = 0.0  # when it was last scored that there is no signal
    faults: int = 0  # in a row
    artefacts: int = 0
    scores: int = 0
    quality: Quality = Quality()

    def read(self, chunk: Chunk) -> Iterator[tuple[Reading, float]]:
        """What its samples bring, each with the stamp of its newest sample."""
        first = self.samples
        self.samples += len(chunk.stamps)
        if chunk.gap:
            log.warning("%s: samples are missing before %.3f", self.person.name, chunk.stamps[0])
            self.measure.gap()
        for reading in self.measure.add(chunk.samples):
            yield reading, float(chunk.stamps[reading.sample - first - 1])
        kinds = self.measure.faults
        self.quality = Quality(
            self.measure.labels,
            tuple(float(spread) for spread in self.measure.spread_uv),
            tuple(KINDS[kind - 1] if kind else "" for kind in kinds),
            gaps=self.inlet.gaps,
            artefact_share=self.artefacts / max(1, self.scores),
        )

    def as_json(self) -> dict[str, object]:
        """For summary.json."""
        return {
            "samples": self.samples,
            "gaps": self.inlet.gaps,
            "artefact_samples": self.measure.artefact_samples,
            **self.summary.as_json(),
        }
