"""Scores without a session: what is told when, and what a pause, a trial's end and a new run do."""

from math import isnan, nan

import numpy as np
import pytest

from rtrecon.protocol.blocks import BlockPlan, Blocks
from rtrecon.protocol.measures import Measured, Probability, Region, Similarity
from rtrecon.protocol.recorded import RecordedScores
from rtrecon.protocol.scale import Baseline, BaselineKind
from rtrecon.protocol.scorer import Evidence, Scorer
from rtrecon.protocol.settings import ProtocolSettings, When
from rtrecon.protocol.threshold import Crossing
from rtrecon.types import Block, Decoded, Firing, Pattern, Score, Times, Trial

TR_S = 2.0
CANDIDATES = ("cat", "dog")


def trial(number: int = 1, kind: str = "dog", onset_s: float = 0.0) -> Trial:
    return Trial(number, kind, onset_s, 4.0)


def evidence(volume: int, dog: float, of: Trial | None = None) -> Evidence:
    of = of or trial()
    times = Times(acquired=100.0 + volume)
    probabilities = np.array([1 - dog, dog], np.float32)
    c = np.array([[1 - dog, dog]], np.float32)
    decoded = Decoded(of, volume, 1.0, None, c, probabilities, probabilities, "dog", dog, times)
    return Evidence(decoded, Pattern(of, volume, 1.0, np.full(4, dog, np.float32), 1.0, times))


def scorer(
    blocks: Blocks | None = None, sham: RecordedScores | None = None, **keys: object
) -> Scorer:
    settings = ProtocolSettings(measure="probability", **keys)  # type: ignore[arg-type]
    return Scorer(settings, blocks or Blocks([]), Probability(CANDIDATES), TR_S, sham, "Ada")


def given(scorer_: Scorer, *volumes: tuple[int, float], paused: bool = False) -> list[Score]:
    found = [scorer_.volume(trial(), evidence(n, dog), 7.0, paused) for n, dog in volumes]
    return [score for score, _ in (one for one in found if one is not None)]


def test_a_score_says_all_of_its_volume() -> None:
    scored = scorer().volume(trial(), evidence(3, 0.25), 7.0)
    assert scored is not None
    score, firing = scored
    assert firing is None
    assert score == Score(
        1, 7.0, 103.0, "Ada", "probability of dog", 0.25, 0.25, 0.25, Block.REGULATE, 1, 3,
        run=1, elapsed=7.0,
    )  # fmt: skip


def test_a_volume_belongs_to_the_block_in_which_it_was_mostly_acquired() -> None:
    blocks = Blocks([BlockPlan(Block.REST, 7.1), BlockPlan(Block.REGULATE, 100.0)])
    kinds = [score.block for score in given(scorer(blocks), (2, 0.5), (3, 0.5), (4, 0.5))]
    assert kinds == [Block.REST, Block.REST, Block.REGULATE]  # the middles are at 5, 7 and 9 s


def test_only_regulation_is_told() -> None:
    kinds = (Block.REST, Block.REGULATE, Block.TRANSFER)
    blocks = Blocks([BlockPlan(kind, 2.0) for kind in kinds])
    told = [s.told for s in given(scorer(blocks), (0, 0.1), (1, 0.2), (2, 0.3), (3, 0.4))]
    assert told == pytest.approx([nan, 0.2, nan, nan], nan_ok=True)


def test_in_a_pause_nothing_is_told_and_nothing_fires() -> None:
    held = scorer(threshold=Crossing(0.5))
    (score,) = given(held, (0, 0.9), paused=True)
    assert (score.value, isnan(score.told)) == (pytest.approx(0.9), True)
    scored = held.volume(trial(), evidence(1, 0.9), 7.0)
    assert scored is not None
    assert isinstance(scored[1], Firing)
    assert (scored[1].number, scored[1].person, scored[1].score) == (1, "Ada", scored[0])


def test_after_a_trial_there_is_one_score_of_its_last_volume() -> None:
    """In the block in which the trial began, once its successor is the current one."""
    blocks = Blocks([BlockPlan(Block.REGULATE, 5.0), BlockPlan(Block.REST, 100.0)])
    after = scorer(blocks, when=When.TRIAL)
    first, second = trial(1, onset_s=1.0), trial(2, onset_s=9.0)
    assert after.volume(None, None, 1.0) is None
    assert after.volume(first, evidence(2, 0.3, first), 2.0) is None
    assert after.volume(first, None, 3.0) is None
    assert after.volume(first, evidence(4, 0.6, first), 4.0) is None
    scored = after.volume(second, None, 5.0)  # nothing is known of it yet
    assert scored is not None
    score = scored[0]
    assert (score.trial, score.volume, score.time, score.elapsed) == (1, 4, 5.0, 1.0)
    assert (score.block, score.told) == (Block.REGULATE, pytest.approx(0.6))
    assert after.volume(second, evidence(6, 0.7, second), 6.0) is None
    scored = after.finish(7.0)
    assert scored is not None
    assert (scored[0].trial, scored[0].block) == (2, Block.REST)
    assert after.finish(8.0) is None


def test_blocks_begin_anew_with_a_run_and_the_baseline_goes_on() -> None:
    blocks = Blocks([BlockPlan(Block.REST, 8.0), BlockPlan(Block.REGULATE, 8.0)])
    own = scorer(blocks, baseline=Baseline(BaselineKind.REST))
    own.restart()  # a start marker before the first volume is no second run
    given(own, (0, 0.1), (1, 0.2), (2, 0.3), (4, 0.5))
    own.restart()
    own.restart()
    first, later = given(own, (0, 0.4), (4, 0.5))
    assert (first.run, first.elapsed, first.block) == (2, 1.0, Block.REST)
    mean, sd = np.mean([0.1, 0.2, 0.3, 0.4]), np.std([0.1, 0.2, 0.3, 0.4], ddof=1)
    assert later.value == pytest.approx(min((0.5 - mean) / sd, 1.0))


def test_a_new_run_breaks_what_was_held() -> None:
    def fires(restarts: bool) -> list[bool]:
        own = scorer(threshold=Crossing(0.5, hold_s=4.0))
        scored = [own.volume(trial(), evidence(n, 0.9), 7.0) for n in range(2)]
        if restarts:
            own.restart()
        later = range(0 if restarts else 2, 3)
        scored += [own.volume(trial(), evidence(n, 0.9), 7.0) for n in later]
        return [one is not None and one[1] is not None for one in scored]

    assert fires(restarts=False) == [False, False, True]
    assert fires(restarts=True) == [False, False, False, False, True]


def told_before(*runs: dict[float, float]) -> RecordedScores:
    scores = [
        Score(0, 0.0, 0.0, "", "", 0.0, 0.0, told, run=run, elapsed=elapsed)
        for run, of_run in enumerate(runs, 1)
        for elapsed, told in of_run.items()
    ]
    return RecordedScores(scores)


def test_a_sham_block_tells_what_the_other_session_told_by_then() -> None:
    recorded = told_before({1.0: 0.7, 3.0: nan, 5.5: 0.8}, {1.0: 0.6})
    own = scorer(Blocks([BlockPlan(Block.SHAM, 100.0)]), recorded)
    told = [score.told for score in given(own, *((n, 0.1) for n in range(4)))]
    assert told == pytest.approx([0.7, nan, nan, 0.8], nan_ok=True)
    assert [score.value for score in given(own, (4, 0.1))] == pytest.approx([0.1])
    for expected in (0.6, 0.6):  # the second run, and a third that the other session had not
        own.restart()
        assert [score.told for score in given(own, (0, 0.1))] == [expected]


def test_sham_blocks_in_which_the_other_session_was_silent_are_found() -> None:
    plans = [BlockPlan(Block.SHAM, 4.0), BlockPlan(Block.REST, 4.0), BlockPlan(Block.SHAM, 4.0)]
    blocks = Blocks(plans)
    assert told_before({1.0: 0.5, 9.0: 0.5}).silent_blocks(blocks) == []
    assert told_before({1.0: 0.5, 9.0: nan}).silent_blocks(blocks) == [3]
    assert told_before({1.0: 0.5, 9.0: 0.5}, {1.0: 0.5, 5.0: 0.5}).silent_blocks(blocks) == [3]


def measured(measure: object, target: str, dog: float = 0.3) -> Measured:
    decoded, pattern = evidence(0, dog)
    return measure(decoded, pattern, target)  # type: ignore[operator]


def test_similarity_is_the_cosine_of_both_less_the_mean() -> None:
    mean = np.array([0.5, 0.1], np.float32)
    alike = Similarity(mean, {"right": np.array([1.5, 0.1], np.float32)})
    assert measured(alike, "right", dog=0.1).raw == pytest.approx(1.0)  # c is (0.9, 0.1)
    ours = np.array([0.7 - 0.5, 0.3 - 0.1])
    assert measured(alike, "right").raw == pytest.approx(ours[0] / np.hypot(*ours))
    found = measured(alike, "left")
    assert (isnan(found.raw), found.of, found.fault) == (
        True,
        "similarity to left",
        "'left' is no target",
    )


def test_what_is_no_candidate_has_no_probability() -> None:
    assert measured(Probability(CANDIDATES), "cat").raw == pytest.approx(0.7)
    found = measured(Probability(CANDIDATES), "horse")
    assert (isnan(found.raw), found.fault) == (True, "'horse' is no candidate")
    scored = scorer().volume(None, evidence(0, 0.5, trial(kind="horse")), 1.0)
    assert scored is not None
    score, _ = scored
    assert (isnan(score.raw), isnan(score.told), score.fault) == (True, True, found.fault)


def test_a_region_is_the_mean_over_its_voxels() -> None:
    inside = np.array([True, False, True, False])
    decoded, pattern = evidence(0, 0.3)
    pattern = Pattern(pattern.trial, 0, 1.0, np.array([1, 2, 4, 8], np.float32), 1.0)
    assert Region("V1", inside)(decoded, pattern, "") == Measured(2.5, "activity of V1")
