"""A session's protocol checked against its decoder, before anything starts, and made ready."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.artifact import Artifact
from rtrecon.config import Session, read_table
from rtrecon.errors import BadConfig
from rtrecon.generators import Generator
from rtrecon.outputs.kinds import read_devices
from rtrecon.outputs.light import check_colour
from rtrecon.protocol.blocks import Blocks
from rtrecon.protocol.measures import (
    REGION,
    captions_of,
    check_measure,
    measure_of,
    region_of,
    targets_of,
)
from rtrecon.protocol.recorded import RecordedScores, recorded_scores
from rtrecon.protocol.scorer import Scorer
from rtrecon.protocol.scoring import Scoring, Told
from rtrecon.protocol.settings import ProtocolSettings, When, read_protocol
from rtrecon.record import Recorder
from rtrecon.types import Geometry, Person

_LONGEST = 1000  # characters of a caption


@dataclass(frozen=True)
class Opening:
    """A protocol that fits its decoder.

    Attributes
    ----------
    settings : ProtocolSettings
    blocks : Blocks
    person : Person
    captions : tuple of str
        Targets that are no candidates, in order: the generator has to encode them.
    sham : RecordedScores or None
    """

    settings: ProtocolSettings
    blocks: Blocks
    person: Person
    captions: tuple[str, ...]
    sham: RecordedScores | None

    @property
    def told(self) -> str:
        """In a few words, for the operator."""
        aims = ", ".join(targets_of(self.settings, self.blocks)) or "the trial's type"
        what = self.settings.region if self.settings.measure == REGION else aims
        if not self.blocks.count:
            return f"{self.settings.measure} of {what}, without blocks"
        minutes, seconds = divmod(round(self.blocks.duration_s), 60)
        return (
            f"{self.settings.measure} of {what}, {self.blocks.count} blocks in "
            f"{minutes}:{seconds:02d} min"
        )

    def encoded(self, generator: Generator) -> dict[str, NDArray[np.float32]]:
        """Conditionings (*conditioning) of the captions. In the thread that owns the generator."""
        if not self.captions:
            return {}
        return dict(zip(self.captions, generator.encode_captions(self.captions), strict=True))

    def scorer(self, artifact: Artifact, encoded: Mapping[str, NDArray[np.float32]]) -> Scorer:
        """What scores decoded volumes, with the captions encoded."""
        measure = measure_of(self.settings, artifact, encoded)
        return Scorer(
            self.settings, self.blocks, measure, artifact.tr_s, self.sham, self.person.name
        )

    def scoring(
        self, artifact: Artifact, encoded: Mapping[str, NDArray[np.float32]], geometry: Geometry,
        recorder: Recorder, outputs: Told,
    ) -> Scoring:  # fmt: skip
        """The protocol at work in a session; what captions were encoded to is recorded."""
        for caption in self.captions:
            recorder.target(encoded[caption])
        scorer = self.scorer(artifact, encoded)
        return Scoring(scorer, recorder, outputs, self.person, geometry.tr_s, geometry.speed)


def open_protocol(session: Session, artifact: Artifact) -> Opening | None:
    """Read a session's protocol and see that it fits; None where it has none.

    Raises
    ------
    BadConfig, BadInput
        A mistake in the tables, or something that this session cannot give.
    """
    found = read_protocol(session.tables)
    if found is None:
        return None
    settings, blocks = found
    person = _person(session.tables)
    for key in ("output", "trigger"):
        read_devices(key, session.tables, session.stream, (person,), session.output)
    check_measure(settings, blocks, artifact, session.free_viewing)
    if settings.when is When.TRIAL and session.free_viewing:
        raise BadConfig('[protocol] when = "trial": free viewing has no trials: "continuous"')
    if settings.measure == REGION:
        if session.yoked is not None:
            raise BadConfig(
                '[protocol] measure = "region" is not for --yoked: the other session\'s pictures are '
                "shown, and its patterns are none of this person's voxels"
            )
        region_of(settings.region, artifact)
    captions = tuple(captions_of(settings, blocks, artifact.candidates))
    if longest := next((caption for caption in captions if len(caption) > _LONGEST), ""):
        raise BadConfig(
            f"[protocol] target = {longest[:40]!r}...: at most {_LONGEST} characters, not {len(longest)}"
        )
    sham = None if settings.sham is None else recorded_scores(settings.sham, blocks)
    return Opening(settings, blocks, person, captions, sham)


def _person(tables: Mapping[str, Any]) -> Person:
    """The only one, named or not."""
    people = tables.get("person", [{}])
    if not isinstance(people, list) or len(people) != 1:
        raise BadConfig("[[person]]: one is in the scanner, so write at most one such table")
    person = read_table(Person, people[0], "[[person]]")
    check_colour("[[person]] colour", person.colour)
    return person
