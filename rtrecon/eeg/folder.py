"""A recorded EEG session read back, after a kill too."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtrecon.bounded import bounded_text
from rtrecon.eeg.inlet import gaps_in
from rtrecon.eeg.settings import MOST_PEOPLE
from rtrecon.eeg.signal import Signal, recorded_signal
from rtrecon.errors import BadDataset
from rtrecon.session_folder import RecordedFolder, damage_told, open_rows, read_markers
from rtrecon.types import Marker, Person

STAMP, SENT = 0, 1
"""Columns of eeg-N-stamps.npy."""


@dataclass(frozen=True)
class Recording:
    """What came from one person, cut to what is whole.

    Attributes
    ----------
    person : Person
    signal : Signal
    samples : (n, n_channels), memory-mapped
        As sent.
    stamps : float64 (n, 3), memory-mapped
        On the local clock, as sent, and when it came, s.
    """

    person: Person
    signal: Signal
    samples: NDArray[np.generic]
    stamps: NDArray[np.float64]

    @property
    def step_s(self) -> float:
        """From one sample to the next, LSL clock."""
        return 1 / (self.signal.rate_hz * self.signal.speed)

    def gaps(self) -> list[int]:
        """Before which samples others are missing, as the session told it by their stamps."""
        stamps = np.asarray(self.stamps[:, STAMP])
        return gaps_in(stamps, stamps[0] - self.step_s, self.step_s) if len(stamps) else []

    def pieces(self, most: int) -> Iterator[slice]:
        """The samples in pieces without a gap inside, of so many at the most."""
        edges = sorted({0, len(self.stamps), *self.gaps(), *range(0, len(self.stamps), most)})
        yield from (slice(*edge) for edge in pairwise(edges))


@dataclass(frozen=True)
class EegFolder(RecordedFolder):
    """An EEG session's folder. Everything is cut to what is whole on disk; nothing is ever written.

    Attributes
    ----------
    recordings : tuple of Recording
        Of each person, in the order of the session.
    markers : list of Marker
        In the order in which they came.
    """

    recordings: tuple[Recording, ...]
    markers: list[Marker]


def is_eeg_folder(folder: Path) -> bool:
    """Whether an EEG session wrote it."""
    return all(map(os.path.isfile, (folder / "session.json", folder / "eeg-1.npy")))


def open_eeg_folder(folder: Path) -> EegFolder:
    """Open what an EEG session left, however it ended.

    Raises
    ------
    BadDataset
        It is no EEG session's folder, or one of its files is damaged.
    """
    if not is_eeg_folder(folder):
        raise BadDataset(f"{folder} is no EEG session: name a folder that rtrecon run wrote")
    with damage_told(folder):
        try:
            about = json.loads(bounded_text(folder / "session.json"))
            people = list(about["people"])[:MOST_PEOPLE]
            recordings = tuple(_recording(folder, n, told) for n, told in enumerate(people, 1))
        except OSError as error:
            raise BadDataset(f"{folder} cannot be read as a session: {error}") from error
        markers = [marker for _, marker in read_markers(folder / "markers.jsonl", [])]
    return EegFolder(folder, about, recordings, markers)


def _recording(folder: Path, n: int, told: dict[str, Any]) -> Recording:
    """Files go by the person's place: a name that is read from a file is no path."""
    signal = recorded_signal(told["signal"])
    samples, stamps = open_rows(folder / f"eeg-{n}.npy"), open_rows(folder / f"eeg-{n}-stamps.npy")
    if samples.shape[1:] != (signal.n_channels,) or samples.dtype != np.dtype(signal.dtype):
        raise ValueError(f"eeg-{n}.npy is not of the channels that session.json names")
    if stamps.shape[1:] != (3,) or stamps.dtype != np.float64:
        raise ValueError(f"eeg-{n}-stamps.npy holds no stamps")
    whole = min(len(samples), len(stamps))
    person = Person(str(told["name"]), str(told["colour"]))
    return Recording(person, signal, samples[:whole], stamps[:whole])  # type: ignore[arg-type]
