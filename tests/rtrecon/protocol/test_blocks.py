"""A schedule against a walk through the list of its blocks."""

from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrecon.errors import BadConfig
from rtrecon.protocol.blocks import BlockPlan, Blocks, Moment
from rtrecon.types import Block

plans = st.lists(
    st.builds(
        BlockPlan, st.sampled_from(Block), st.integers(1, 40).map(float),
        st.text(max_size=5), st.text(max_size=5),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def walked(given_: list[BlockPlan], time: float) -> Moment:
    """By going through the list: durations are whole seconds, so that sums are exact."""
    end = 0.0
    for number, plan in enumerate(given_, 1):
        since, end = end, end + plan.duration_s
        if since <= time < end:
            return Moment(plan.kind, plan.instruction, plan.target, number, since, end)
    raise AssertionError


@given(plans, st.integers(1, 4), st.floats(0, 1, exclude_max=True))
def test_it_stands_where_a_walk_through_the_list_does(
    given_: list[BlockPlan], repeat: int, share: float
) -> None:
    blocks = Blocks(given_, repeat)
    assert blocks.duration_s == repeat * sum(plan.duration_s for plan in given_)
    time = min(share * blocks.duration_s, blocks.duration_s - 1e-6)
    assert blocks.at(time) == walked(given_ * repeat, time)


REST = BlockPlan(Block.REST, 20.0, "Rest")
REGULATE = BlockPlan(Block.REGULATE, 40.0, "Think of a dog", "dog")


def test_a_block_ends_with_the_moment_in_which_the_next_one_begins() -> None:
    blocks = Blocks([REST, REGULATE], repeat=2)
    assert blocks.at(0.0) == Moment(Block.REST, "Rest", "", 1, 0.0, 20.0)
    assert blocks.at(19.999).number == 1
    assert blocks.at(20.0) == Moment(Block.REGULATE, "Think of a dog", "dog", 2, 20.0, 60.0)
    assert blocks.at(60.0).number == 3
    assert blocks.at(119.999).number == 4


def test_outside_of_the_schedule_nothing_is_told_and_no_baseline_taken() -> None:
    blocks = Blocks([REST, REGULATE])
    before, after = blocks.at(-5.0), blocks.at(60.0)
    assert (before.kind, before.number, before.until) == (Block.REST, 0, 0.0)
    assert (after.kind, after.number, after.since) == (Block.REST, 0, 60.0)
    assert isnan(after.until)
    assert blocks.at(nan).number == 0
    assert isnan(blocks.resting_s(-5.0))
    assert isnan(blocks.resting_s(61.0))


def test_how_long_a_rest_has_gone_on() -> None:
    blocks = Blocks([REST, REGULATE], repeat=2)
    assert blocks.resting_s(7.5) == 7.5
    assert isnan(blocks.resting_s(30.0))
    assert blocks.resting_s(64.0) == 4.0


def test_without_blocks_all_is_regulation() -> None:
    blocks = Blocks([])
    moment = blocks.at(1e6)
    assert (moment.kind, moment.number) == (Block.REGULATE, 1)
    assert isnan(moment.until)
    assert blocks.duration_s == inf
    assert blocks.kinds == {Block.REGULATE}


@pytest.mark.parametrize("repeat", [0, -1, 100_001])
def test_a_number_of_repeats_that_cannot_be_is_refused(repeat: int) -> None:
    with pytest.raises(BadConfig, match=f"repeat = {repeat}"):
        Blocks([REST], repeat)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, nan, inf])
def test_a_duration_that_cannot_be_is_refused(duration_s: float) -> None:
    with pytest.raises(BadConfig, match="duration_s"):
        BlockPlan(Block.REST, duration_s)
