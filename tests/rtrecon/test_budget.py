"""What fits a TR is chosen by what pictures cost; the clock is the tests'."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rtrecon import budget
from rtrecon.config import Settings
from rtrecon.errors import BadGenerator, BadInput
from rtrecon.generators import Aim, Newer, Step, check_aim, nothing
from rtrecon.generators.diffusion import Diffusion

WANTED = Settings(steps=4, samples=3)


class Priced:
    """A generator whose pictures take a known time: so much a step, a picture and a preview."""

    name, identity, size_px, defaults = "priced", "x", 8, WANTED
    latent, conditioning = (4, 4, 4), (2, 3)
    takes = frozenset({"steps", "samples", "preview", "fast_decoder"})

    def __init__(self, step_s: float, full_s: float, fast_s: float) -> None:
        self.step_s, self.full_s, self.fast_s = step_s, full_s, fast_s
        self.now = 0.0
        self.drawn: list[Settings] = []

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        check_aim(aim, self)
        if settings.strength < 0.1:
            raise BadInput("0 steps")
        self.drawn.append(settings)
        decode_s = self.fast_s if settings.fast_decoder else self.full_s
        for step in range(1, settings.steps + 1):
            self.now += settings.samples * self.step_s
            last = step == settings.steps
            if last or settings.preview:
                self.now += settings.samples * (decode_s if last else self.fast_s)
                yield Step(np.zeros((settings.samples, 8, 8, 3), np.uint8), step, settings.steps)

    def cost(self, settings: Settings) -> float:
        before = self.now
        list(self.images(nothing(self), 0, settings))  # type: ignore[arg-type]
        return self.now - before


@pytest.fixture
def priced(monkeypatch: pytest.MonkeyPatch) -> Priced:
    generator = Priced(step_s=0.10, full_s=0.20, fast_s=0.02)
    monkeypatch.setattr(budget.time, "perf_counter", lambda: generator.now)
    return generator


@pytest.mark.parametrize(
    ("tr_s", "chosen"),
    [
        (3.0, WANTED),  # 1.98 s
        (1.0, replace(WANTED, samples=1)),  # 0.66 s
        (0.76, replace(WANTED, samples=1, preview=False)),  # 0.60 s
        (0.63, replace(WANTED, samples=1, preview=False, steps=3)),
        (0.4, replace(WANTED, samples=1, preview=False, steps=1)),  # 0.30 s
        (0.3, replace(WANTED, samples=1, preview=False, steps=2, fast_decoder=True)),  # 0.22 s
        (0.01, replace(WANTED, samples=1, preview=False, steps=1, fast_decoder=True)),
    ],
)
def test_the_best_that_fits_is_chosen(priced: Priced, tr_s: float, chosen: Settings) -> None:
    plan = budget.plan(priced, WANTED, (), tr_s)
    assert plan.settings == chosen
    assert plan.seconds == pytest.approx(priced.cost(chosen), abs=1e-6)
    assert plan.seconds <= budget.SHARE * tr_s or tr_s == 0.01


def test_what_the_user_fixed_stays(priced: Priced) -> None:
    for name in ("steps", "samples", "preview", "fast_decoder"):
        plan = budget.plan(priced, WANTED, {name}, 0.01)
        assert getattr(plan.settings, name) == getattr(WANTED, name)
    assert budget.plan(priced, WANTED, priced.takes, 0.01).settings == WANTED


def test_no_fewer_than_a_quarter_of_the_steps(priced: Priced) -> None:
    """A model that wants forty draws badly with one."""
    assert budget.plan(priced, replace(WANTED, steps=40), (), 0.01).settings.steps == 10


def test_what_a_generator_does_not_take_is_left_alone(priced: Priced) -> None:
    priced.takes = frozenset({"seed"})
    wanted = Settings(steps=1, preview=False)
    assert budget.plan(priced, wanted, (), 0.01).settings == wanted
    assert budget.lighter(wanted, priced.takes) is None


def test_what_cannot_be_drawn_is_refused_before_anything_is_measured(priced: Priced) -> None:
    with pytest.raises(BadInput, match="0 steps"):
        budget.plan(priced, replace(WANTED, strength=0.05), (), 1.0)
    assert not priced.drawn


def test_lighter_is_samples_then_steps_then_the_small_decoder(priced: Priced) -> None:
    row, settings = [], WANTED
    while (settings := budget.lighter(settings, priced.takes)) is not None:  # type: ignore[assignment]
        row.append((settings.samples, settings.steps, settings.fast_decoder))
    assert row == [(1, 4, False), (1, 2, False), (1, 1, False), (1, 1, True)]


class Cramped(Priced):
    """One that has memory for so many pictures at once, and perhaps only with the small decoder."""

    samples = 1
    small_only = False

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        if settings.samples > self.samples or (self.small_only and not settings.fast_decoder):
            raise MemoryError(f"{settings.samples} do not fit")
        return super().images(aim, seed, settings, newer)


def test_what_memory_has_no_room_for_is_not_chosen(priced: Priced) -> None:
    cramped = Cramped(0.1, 0.2, 0.02)
    chosen = budget.plan(cramped, WANTED, {"samples"}, 60.0).settings
    assert chosen == replace(WANTED, samples=1)
    cramped.small_only = True
    chosen = budget.plan(cramped, WANTED, (), 60.0).settings
    assert chosen.fast_decoder
    cramped.samples = 0
    with pytest.raises(BadGenerator, match=r"'priced' does not fit .* \(1 do not fit\): close"):
        budget.plan(cramped, WANTED, (), 60.0)


def test_a_real_model_is_measured(toy_generator: Diffusion) -> None:
    cost = budget.measured(toy_generator, Settings(steps=3))
    assert 0 < cost.first_s < 5
    assert 0 <= cost.step_s < 5
    plan = budget.plan(toy_generator, toy_generator.defaults, (), 60.0)
    assert plan.settings == toy_generator.defaults
    assert budget.told(plan.settings) == "20 steps"


def test_both_ways_of_saying_out_of_memory_are_understood() -> None:
    import torch

    with pytest.raises(RuntimeError) as told:
        torch.empty(2**50)
    assert budget.out_of_memory(told.value)
    assert budget.out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert budget.out_of_memory(MemoryError())
    assert not budget.out_of_memory(RuntimeError("no such kernel"))
