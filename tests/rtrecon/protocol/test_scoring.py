"""What a session's scoring does about outputs that fail, and what it lets be shown meanwhile."""

from dataclasses import dataclass, field
from math import isnan

import numpy as np
import pytest

from rtrecon.protocol.blocks import BlockPlan, Blocks
from rtrecon.protocol.measures import Probability
from rtrecon.protocol.scorer import Scorer
from rtrecon.protocol.scoring import Scoring
from rtrecon.protocol.settings import ProtocolSettings, When
from rtrecon.protocol.threshold import Crossing
from rtrecon.types import (
    Block,
    Decoded,
    Event,
    Firing,
    Marker,
    Pattern,
    Person,
    Presentation,
    Score,
    Times,
    Trial,
    Volume,
)  # fmt: skip

ADA = Person("Ada", "#e69f00")
TRIAL = Trial(1, "dog", 0.0, 4.0)


@dataclass
class Heard:
    """A recorder and an output in one, which may fail."""

    scores: list[Score] = field(default_factory=list)
    firings: list[Firing] = field(default_factory=list)
    fault: str = ""
    closed: bool = False

    def score(self, score: Score) -> None:
        self.scores.append(score)

    def firing(self, firing: Firing) -> None:
        self.firings.append(firing)

    fire = firing

    def close(self) -> None:
        self.closed = True


class Broken(Heard):
    def score(self, score: Score) -> None:
        raise OSError("the lamp is gone")


def scoring(recorder: Heard, outputs: Heard, blocks: Blocks | None = None, **keys: object) -> Scoring:  # fmt: skip
    settings = ProtocolSettings("probability", threshold=Crossing(0.5), **keys)  # type: ignore[arg-type]
    scorer = Scorer(settings, blocks or Blocks([]), Probability(("cat", "dog")), 2.0)
    return Scoring(scorer, recorder, outputs, ADA, tr_s=2.0, speed=10.0)


def give(to: Scoring, number: int, dog: float = 0.9, paused: bool = False) -> None:
    """A volume of 2 s that ends, at ten times the speed, 0.2 s after the one before."""
    times = Times(acquired=100 + 0.2 * (number + 1))
    p = np.array([1 - dog, dog], np.float32)
    decoded = Decoded(TRIAL, number, 2.0, None, p[None], p, p, "dog", dog, times)
    pattern = Pattern(TRIAL, number, 2.0, p, 1.0, times)
    volume = Volume(number, np.zeros((1, 1, 1), np.int16), times)
    to.volume(volume, TRIAL, decoded, pattern, paused)


def test_an_output_that_fails_is_told_and_the_record_has_it_all() -> None:
    recorder, outputs, said = Heard(), Broken(), list[str]()
    own = scoring(recorder, outputs)
    own.say = said.append
    give(own, 0)
    give(own, 1, dog=0.2)
    assert [score.volume for score in recorder.scores] == [0, 1]
    for heard in (recorder, outputs):
        assert [firing.score.volume for firing in heard.firings] == [0]
    assert said == ["no feedback: OSError: the lamp is gone"] * 2


def test_what_is_over_is_over_for_outputs_too() -> None:
    outputs = Heard()
    own = scoring(Heard(), outputs)
    give(own, 0)
    own.close()
    assert outputs.closed


BLOCKS = Blocks([
    BlockPlan(Block.REGULATE, 4.0, "Now"), BlockPlan(Block.REST, 4.0, "Rest"),
])  # fmt: skip


def test_blocks_change_by_the_clock_between_volumes() -> None:
    own = scoring(Heard(), Heard(), BLOCKS)
    empty = Presentation()
    before = own.present(empty, 100.0)
    assert (before.block, before.instruction, before.scores) == (Block.REST, "", {})
    assert isnan(before.until)
    give(own, 0)  # the run began at 100.0
    now = own.present(empty, 100.39)
    assert (now.block, now.instruction) == (Block.REGULATE, "Now")
    assert now.until == pytest.approx(100.4)
    assert now.scores["Ada"].told == pytest.approx(0.9)
    assert (now.people, dict(now.fires)) == ((ADA,), {"Ada": 1})
    later = own.present(empty, 100.41)
    assert (later.block, later.instruction) == (Block.REST, "Rest")
    assert later.until == pytest.approx(100.8)
    assert isnan(later.scores["Ada"].told)
    over = own.present(empty, 200.0)
    assert (over.block, over.instruction, isnan(over.until)) == (Block.REST, "", True)
    own.marker(Marker(Event.RUN_START))
    assert own.present(empty, 100.39).instruction == ""  # until the new run's first volume


def test_a_trials_score_stays_when_the_next_block_has_begun() -> None:
    own = scoring(Heard(), Heard(), BLOCKS, when=When.TRIAL)
    give(own, 0)
    own.finish()
    shown = own.present(Presentation(), 100.5)
    assert (shown.block, shown.scores["Ada"].told) == (Block.REST, pytest.approx(0.9))


def test_what_is_blank_tells_nothing() -> None:
    own = scoring(Heard(), Heard())
    give(own, 0)
    assert isnan(own.present(Presentation(blank=True), 100.1).scores["Ada"].told)


@pytest.mark.parametrize("when", When)
def test_once_the_participant_has_stopped_nothing_is_told_and_nothing_stays(when: When) -> None:
    """Not even the trial that the stop cuts off."""
    recorder, outputs = Heard(), Heard()
    own = scoring(recorder, outputs, when=when)
    give(own, 0)
    before = len(outputs.scores)
    own.withdraw()
    assert own.present(Presentation(), 100.1).scores == {}
    give(own, 1)
    own.finish()
    assert len(outputs.scores) == len(recorder.scores) == before


def test_a_trial_that_the_runs_end_cuts_off_is_scored() -> None:
    for event in (Event.RUN_END, Event.RUN_START):
        recorder = Heard()
        own = scoring(recorder, Heard(), when=When.TRIAL)
        give(own, 0)
        own.marker(Marker(Event.TRIAL, "cat"))
        assert recorder.scores == []
        own.marker(Marker(event), paused=True)
        assert [score.volume for score in recorder.scores] == [0]
        assert isnan(recorder.scores[0].told)
