"""Drawing in a live pipeline: faults, want of memory or time cost quality and no session."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pylsl
import pytest

from rtrecon.errors import GeneratorLost
from rtrecon.generators.diffusion import Diffusion
from rtrecon.standing import FAULTS_IN_A_ROW
from rtrecon.types import Geometry, Phase, Times, Trial, Volume
from tests.live import SETTINGS, Live, Toy, rows
from tests.toy import send, toy_run


def test_out_of_memory_costs_quality_and_no_picture(
    live: Live, toy: Toy, toy_geometry: Geometry, caplog: pytest.LogCaptureFixture
) -> None:
    """Twice there is no room: fewer samples, then fewer steps, each said, each volume drawn."""
    live.pipeline.settings = replace(SETTINGS, samples=3)
    toy.fails = {1, 2}
    live.begin()
    send(live.outlet, toy_run(toy_geometry, 20), pylsl.local_clock())
    summary = live.finish()
    assert summary["volumes"]["received"] == 20  # type: ignore[index]
    lines = [record.getMessage() for record in caplog.records]
    told = [line for line in lines if line.startswith("out of memory")]
    assert told == [
        "out of memory: from now on 2 steps, not 2 steps, 3 samples",
        "out of memory: from now on 1 step, not 2 steps",
    ]
    assert live.pipeline.status.message == told[-1]
    assert live.pipeline.settings == replace(SETTINGS, steps=1, samples=1)
    assert not live.pipeline.failed
    assert not any("could not be drawn" in line for line in lines)
    frames = rows(live.folder / "frames.tsv")
    assert frames
    assert {row["steps"] for row in frames} == {"1"}


def test_pictures_that_become_slow_are_made_cheaper_unless_the_user_fixed_them(
    live: Live, toy: Toy, toy_geometry: Geometry
) -> None:
    """The clock is the test's: three pictures in a row of 1.5 TR, then short ones."""
    tr_s = toy_geometry.tr_s / toy_geometry.speed
    for fixed, steps in ((frozenset(), 1), (frozenset({"steps"}), 2)):
        live.pipeline.settings, live.pipeline._draw._fixed = SETTINGS, fixed
        for seconds in (1.5, 1.5, 0.5, 1.5, 1.5):
            live.pipeline._draw.note_time(seconds * tr_s)
        assert live.pipeline.settings == SETTINGS
        live.pipeline._draw.note_time(1.5 * tr_s)
        assert live.pipeline.settings.steps == steps
        assert ("from now on 1 step, not 2 steps" in live.pipeline.status.message) == (steps == 1)
        live.pipeline._standing.change(message="")
    live.begin()
    live.pipeline.stop()
    live.finish()


def test_a_generator_that_always_fails_does_not_end_the_recording(
    live: Live, toy: Toy, toy_geometry: Geometry
) -> None:
    toy.fails, toy.failure = set(range(100)), ValueError("no such kernel")
    live.begin()
    start = pylsl.local_clock()
    items = list(toy_run(toy_geometry, 40))
    volumes = [item for item in items if isinstance(item, Volume)]
    for item in items:  # each volume waits for the one before to be tried, so that each fails
        begun = toy.images_begun
        send(live.outlet, iter([item]), start)
        if isinstance(item, Volume) and item.number > 20 and begun < FAULTS_IN_A_ROW:
            deadline = pylsl.local_clock() + 5
            while toy.images_begun == begun and pylsl.local_clock() < deadline:
                threading.Event().wait(0.005)
    summary = live.finish()
    assert live.pipeline.status.phase is Phase.FAILED
    assert "ValueError: no such kernel" in live.pipeline.status.traceback
    assert summary["volumes"]["received"] == len(volumes)  # type: ignore[index]
    assert len(np.load(live.folder / "volumes.npy")) == len(volumes)


def test_after_a_generator_was_lost_the_newest_volume_is_drawn(
    live: Live, toy: Toy, toy_geometry: Geometry
) -> None:
    """And none of those that came while it was begun again; nobody waits for it at the end."""
    last, waited = 19, []

    def again(over: Callable[[], bool]) -> None:
        waited.append(over())
        _until(lambda: live.pipeline.decoded and live.pipeline.decoded.volume == last)
        live.pipeline.stop()
        _until(over)

    toy.fails, toy.failure = {1}, GeneratorLost("gone; it is started again", again)
    live.begin()
    items = list(toy_run(toy_geometry, last + 1))[:-1]  # its end is not sent: it is stopped
    send(live.outlet, iter(items), pylsl.local_clock())
    live.finish()
    assert waited == [False]
    assert {row["volume"] for row in rows(live.folder / "frames.tsv")} == {f"{last}"}
    assert "gone; it is started again" in live.pipeline.status.message
    assert not live.pipeline.failed


def _until(true: Callable[[], object]) -> None:
    deadline = pylsl.local_clock() + 20
    while not true():
        assert pylsl.local_clock() < deadline
        threading.Event().wait(0.005)


def test_the_noise_is_fixed_within_a_trial(live: Live, toy_generator: Diffusion) -> None:
    from rtrecon.reconstruct import Reconstruct

    reconstruct = Reconstruct(toy_generator)
    rng = np.random.default_rng(0)
    trial = Trial(3, "dog", 0.0, 6.0)
    zero = np.zeros(3, np.float32)
    from rtrecon.types import Decoded

    one = Decoded(
        trial, 5, 6.0, rng.normal(size=toy_generator.latent).astype(np.float32),
        rng.normal(size=toy_generator.conditioning).astype(np.float32), zero, zero, "dog", 0.4,
        Times(),
    )  # fmt: skip
    first, again = (list(reconstruct(one, SETTINGS))[-1].image for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = list(reconstruct(replace(one, trial=replace(trial, number=4)), SETTINGS))[-1].image
    assert (first != other).any()
    live.begin()
    live.pipeline.stop()
    live.finish()
