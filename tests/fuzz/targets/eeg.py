"""An EEG stream's description, its samples and their stamps."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pylsl

from rtrecon.eeg.index import Measure
from rtrecon.eeg.inlet import gaps_in
from rtrecon.eeg.settings import Eeg
from rtrecon.eeg.signal import Signal, chosen, signal_of
from rtrecon.errors import Mismatch
from tests.fuzz.mutate import blind, text
from tests.fuzz.target import Parts, Target
from tests.fuzz.targets.wire import described, told


@contextmanager
def opened(_folder: Path) -> Iterator[Target]:
    """Description in XML, then samples, then stamps."""
    stamps = np.arange(100) / 250
    seeds = []
    for kind, format_ in (("float32", pylsl.cf_float32), ("int16", pylsl.cf_int16)):
        info = pylsl.StreamInfo("amp", "EEG", 2, 250, format_, "amp-1")
        channels = info.desc().append_child("channels")
        for label in ("Fz", "Oz"):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", "microvolts")
        info.desc().append_child_value("speed", "1")
        samples = (20 * np.sin(np.arange(200) / 4)).astype(kind)
        seeds.append([told(info), samples.tobytes(), stamps.tobytes()])
    yield Target((text, blind, blind), seeds, run)


def run(parts: Parts) -> None:
    """Believe a description as far as a session does, and read samples of it."""
    signal = signal_of(described(parts[0]))
    assert 1 <= signal.n_channels <= 1024
    assert all(len(label) <= 32 and label.isprintable() and label for label in signal.labels)
    try:
        chosen(signal, signal.labels[:3])
        measure = Measure(Eeg(window_s=0.1), signal)
    except Mismatch:
        return
    _measured(measure, signal, parts)


def _measured(measure: Measure, signal: Signal, parts: Parts) -> None:
    width = np.dtype(signal.dtype).itemsize * signal.n_channels
    values = np.frombuffer(parts[1][: len(parts[1]) // width * width], signal.dtype)
    samples = values.reshape(-1, signal.n_channels)
    stamps = np.frombuffer(parts[2][: len(parts[2]) // 8 * 8], np.float64)[: len(samples)]
    with np.errstate(all="ignore"):
        gaps = gaps_in(stamps, 0.0, 1 / signal.rate_hz) if len(stamps) else []
    last = 0
    for begin, end in zip([0, *gaps], [*gaps, len(stamps)], strict=True):
        if begin in gaps:
            measure.gap()
        for reading in measure.add(samples[begin:end]):
            assert reading.sample > last
            assert reading.fault or np.isfinite(reading.raw)
            last = reading.sample
