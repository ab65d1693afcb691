"""What a picture costs on this machine, and what of it fits into a repetition time."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator
from rtrecon.generators import Generator, nothing

SHARE = 0.8  # of a repetition time that a picture may take: the rest is for decoding and display
_FEWEST = 4  # no fewer than one in so many of the steps asked for: with less it draws badly
_GOES, _ENOUGH_S = 3, 1.0  # pictures timed, or as many as fit into this


@dataclass(frozen=True)
class Cost:
    """Seconds that a picture of one step takes, and each step more."""

    first_s: float
    step_s: float

    def seconds(self, steps: int) -> float:
        """What a picture of so many steps takes."""
        return self.first_s + (steps - 1) * self.step_s

    def steps_within(self, seconds: float) -> int:
        """How many steps fit, 0 where not even one does."""
        if seconds < self.first_s:
            return 0
        return 1 + int((seconds - self.first_s) / max(self.step_s, 1e-9))


@dataclass(frozen=True)
class Plan:
    """Settings that were measured, and the seconds that their pictures take."""

    settings: Settings
    seconds: float


def measured(generator: Generator, settings: Settings) -> Cost:
    """What pictures cost with these settings, previews and samples included.

    Run in the thread that will draw: it warms up, and what is compiled belongs to it.
    """
    one = _seconds(generator, replace(settings, steps=1))
    if settings.steps == 1 or "steps" not in generator.takes:
        return Cost(one, 0.0)
    few = min(settings.steps, 3)
    return Cost(
        one, max(0.0, (_seconds(generator, replace(settings, steps=few)) - one) / (few - 1))
    )


def _seconds(generator: Generator, settings: Settings) -> float:
    times: list[float] = []
    for go in range(_GOES + 1):
        start = time.perf_counter()
        for _ in generator.images(nothing(generator), 0, settings):
            pass
        if go:  # the first warms up
            times.append(time.perf_counter() - start)
        if sum(times) > _ENOUGH_S:
            break
    return float(np.median(times))


def plan(generator: Generator, settings: Settings, fixed: Collection[str], tr_s: float) -> Plan:
    """Settings whose finished picture fits a repetition time, as near to the given as that goes.

    First fewer samples, then no previews, then fewer steps, then the small decoder. What the user
    has fixed stays as long as there is memory for it. Where nothing fits, the cheapest that still
    draws well.

    Raises
    ------
    BadInput
        Settings of which nothing can be drawn.
    BadGenerator
        There is no memory even for the cheapest picture.
    """
    while True:
        with enough_memory(generator.name):
            try:
                return _plan(generator, settings, fixed, tr_s)
            except Exception as error:
                cheaper = lighter(settings, generator.takes)
                if cheaper is None or not out_of_memory(error):
                    raise
        settings = cheaper  # outside of the handler, whose error would keep the memory


def _plan(generator: Generator, settings: Settings, fixed: Collection[str], tr_s: float) -> Plan:
    # What cannot be drawn is refused before the session and not in it.
    next(generator.images(nothing(generator), 0, replace(settings, preview=True)))
    within_s = SHARE * tr_s
    free = generator.takes - set(fixed)
    for candidate in _lighter_and_lighter(settings, free):
        cost = measured(generator, candidate)
        if cost.seconds(candidate.steps) <= within_s:
            return Plan(candidate, cost.seconds(candidate.steps))
    candidate = _fewer_steps(candidate, cost, within_s, free)
    if cost.seconds(candidate.steps) > within_s and "fast_decoder" in free:
        candidate = replace(candidate, steps=settings.steps, fast_decoder=True)
        cost = measured(generator, candidate)
        candidate = _fewer_steps(candidate, cost, within_s, free)
    return Plan(candidate, cost.seconds(candidate.steps))


def _fewer_steps(
    settings: Settings, cost: Cost, within_s: float, free: Collection[str]
) -> Settings:
    if "steps" not in free:
        return settings
    fewest = -(-settings.steps // _FEWEST)
    return replace(settings, steps=min(max(cost.steps_within(within_s), fewest), settings.steps))


def _lighter_and_lighter(settings: Settings, free: Collection[str]) -> Iterator[Settings]:
    """The settings, and step by step cheaper ones with as many steps."""
    yield settings
    if "samples" in free and settings.samples > 1:
        settings = replace(settings, samples=1)
        yield settings
    if "preview" in free and settings.preview and settings.steps > 1:
        settings = replace(settings, preview=False)
        yield settings


def lighter(settings: Settings, takes: Collection[str]) -> Settings | None:
    """The next cheaper settings: fewer samples, then fewer steps, then the small decoder."""
    if "samples" in takes and settings.samples > 1:
        return replace(settings, samples=1)
    if "steps" in takes and settings.steps > 1:
        return replace(settings, steps=settings.steps // 2)
    if "fast_decoder" in takes and not settings.fast_decoder:
        return replace(settings, fast_decoder=True)
    return None


def out_of_memory(error: BaseException) -> bool:
    """Whether a model found no room; PyTorch says so in two ways."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    )


@contextmanager
def enough_memory(name: str) -> Iterator[None]:
    """Say in one line that a generator found no room.

    Raises
    ------
    BadGenerator
    """
    try:
        yield
    except Exception as error:
        if not out_of_memory(error):
            raise
        why = str(error).partition("\n")[0] or "out of memory"
        raise BadGenerator(
            f"generator '{name}' does not fit into the memory of this machine ({why}): "
            "close what else uses it, or choose a smaller model"
        ) from None


def told(settings: Settings) -> str:
    """What is drawn, in words."""
    parts = [f"{settings.steps} step{'s' * (settings.steps > 1)}"]
    parts += [f"{settings.samples} samples"] * (settings.samples > 1)
    parts += ["no previews"] * (not settings.preview and settings.steps > 1)
    parts += ["small decoder"] * settings.fast_decoder
    return ", ".join(parts)
