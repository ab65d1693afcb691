"""What an EEG session needs: each person's stream, with the channels and the rate that are asked for."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from rtrecon.check.findings import Finding, red, skipped, tried
from rtrecon.check.machine import clock, display, hours, loopback, memory, output
from rtrecon.eeg.index import Measure
from rtrecon.eeg.inlet import describe_eeg
from rtrecon.eeg.plan import Plan, measured_text
from rtrecon.eeg.signal import Signal

_SCORE_BYTES = 300  # one row of scores.tsv and where it was sent


class _Heard(NamedTuple):
    """A person's stream; `signal` is None where there is none, and `error` says why."""

    name: str
    signal: Signal | None
    offset_s: float
    error: Exception | None


def check_eeg(plan: Plan, stop: threading.Event) -> Iterator[Finding]:
    """Look at everything that an EEG session needs; nothing raises, and nothing is begun.

    Parameters
    ----------
    plan : Plan
        As it would be run; `wait_s`: how long the streams are waited for.
    stop : threading.Event
        Ends the wait.
    """
    yield from loopback()
    yield display()
    heard = _hear(plan, stop)
    for one in heard:
        yield from _person(plan, one)
    yield from _speeds(heard)
    yield memory()
    yield from _output(plan, heard)
    yield Finding("feedback protocol", True, _protocol(plan))


def _hear(plan: Plan, stop: threading.Event) -> list[_Heard]:
    """All at the same time, without becoming a listener: a sender may wait for one."""

    def look(name: str, stream: str) -> _Heard:
        try:
            return _Heard(name, *describe_eeg(stream, plan.options.wait_s, stop), None)
        except Exception as error:
            return _Heard(name, None, np.nan, error)

    with ThreadPoolExecutor(len(plan.people), "rtrecon-eeg-look") as pool:
        looking = [pool.submit(look, person.name, stream) for person, stream in plan.people]
        return [future.result() for future in looking]


def _person(plan: Plan, heard: _Heard) -> Iterator[Finding]:
    stream, index = f"stream of {heard.name}", f"index of {heard.name}"
    if heard.signal is None:
        assert heard.error is not None
        yield red(stream, heard.error)
        yield skipped(index, "stream")
        return
    signal = heard.signal
    known = bool(plan.eeg.unit_uv) or signal.units_known
    text = f"'{signal.name}' on {signal.host}: {signal.n_channels} channels, {signal.rate_hz:g} Hz"
    if known:
        yield Finding(stream, True, text)
    else:
        yield Finding(
            stream, None, f"{text}, of unknown units, taken for microvolts",
            "write unit_uv in [eeg] where they are not",
        )  # fmt: skip
    yield clock(heard.offset_s, f"clock of {heard.name}")
    yield tried(index, lambda: _index(plan, signal))


def _index(plan: Plan, signal: Signal) -> str:
    labels = Measure(plan.eeg, signal).labels
    shown = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
    return f"{measured_text(plan.eeg)} ({len(labels)} used: {shown})"


def _speeds(heard: list[_Heard]) -> Iterator[Finding]:
    speeds = {one.signal.speed for one in heard if one.signal is not None}
    if len(speeds) > 1:
        told = ", ".join(f"{speed:g}" for speed in sorted(speeds))
        yield Finding("speed", False, f"the streams are replayed at {told} x", "use one")


def _output(plan: Plan, heard: list[_Heard]) -> Iterator[Finding]:
    there = yield from output(plan.options.output)
    if there is None:
        return
    signals = [one.signal for one in heard if one.signal is not None]
    if len(signals) < len(heard):
        yield skipped("disk", "stream")
        return
    bytes_s = sum(map(bytes_of, signals)) + len(signals) * plan.eeg.rate_hz * _SCORE_BYTES
    yield hours(there, bytes_s, f"{bytes_s / 1e6:.2g} MB a second")


def bytes_of(signal: Signal) -> float:
    """What a second of a person's samples takes on disk, with three stamps for each."""
    return (
        signal.rate_hz * signal.speed * (signal.n_channels * np.dtype(signal.dtype).itemsize + 24)
    )


def _protocol(plan: Plan) -> str:
    """Not its devices: opening these would already do something outside."""
    what = measured_text(plan.eeg)
    if not plan.blocks.count:
        return f"{what}, without blocks"
    minutes, seconds = divmod(round(plan.blocks.duration_s), 60)
    return f"{what}, {plan.blocks.count} blocks in {minutes}:{seconds:02d} min"
