"""One person's samples as BrainVision files, which BIDS takes; written piece by piece.

Written here and not by a library: those there are want a whole recording in memory. The format: BrainVision
Core Data Format 1.0. It has int16 and float32 alone: wider numbers are rounded to float32.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtrecon.printable import printable

_PIECE = 100_000  # samples that are written at once


class Mark(NamedTuple):
    """Something at a sample, counted from 0."""

    kind: str
    text: str
    sample: int


def write_brainvision(
    stem: Path,
    samples: NDArray[np.generic],
    rate_hz: float,
    labels: Sequence[str],
    unit_uv: NDArray[np.float64],
    marks: Sequence[Mark],
    began: str,
) -> None:
    """Write `stem`.vhdr, .vmrk and .eeg.

    Parameters
    ----------
    stem : Path
        Without a suffix.
    samples : (n, n_channels)
        As sent.
    rate_hz : float
    labels : sequence of str
    unit_uv : float64 (n_channels,)
        Microvolts of one unit sent.
    marks : sequence of Mark
    began : str
        When the first sample was taken, ISO 8601 in UTC; empty: not known.
    """
    name = stem.name
    short = samples.dtype == np.int16
    channels = [
        f"Ch{n}={_cell(label)},,{unit!r},µV"
        for n, (label, unit) in enumerate(zip(labels, unit_uv.tolist(), strict=True), 1)
    ]
    head = [
        "Brain Vision Data Exchange Header File Version 1.0", "", "[Common Infos]",
        "Codepage=UTF-8", f"DataFile={name}.eeg", f"MarkerFile={name}.vmrk",
        "DataFormat=BINARY", "DataOrientation=MULTIPLEXED", f"NumberOfChannels={len(labels)}",
        f"SamplingInterval={1e6 / rate_hz!r}", "", "[Binary Infos]",
        f"BinaryFormat={'INT_16' if short else 'IEEE_FLOAT_32'}", "", "[Channel Infos]", *channels,
    ]  # fmt: skip
    date = "".join(c for c in began if c.isdigit()).ljust(20, "0") if began else ""
    told = [f"Mk1=New Segment,,1,1,0,{date}".rstrip(",")]
    told += [
        f"Mk{n}={mark.kind},{_cell(mark.text)},{mark.sample + 1},1,0"
        for n, mark in enumerate(marks, 2)
    ]
    markers = [
        "Brain Vision Data Exchange Marker File, Version 1.0", "", "[Common Infos]",
        "Codepage=UTF-8", f"DataFile={name}.eeg", "", "[Marker Infos]", *told,
    ]  # fmt: skip
    for suffix, lines in ((".vhdr", head), (".vmrk", markers)):
        Path(f"{stem}{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with Path(f"{stem}.eeg").open("wb") as out:
        for begin in range(0, len(samples), _PIECE):
            piece = samples[begin : begin + _PIECE]
            out.write(piece.astype("<i2" if short else "<f4").tobytes())


def _cell(text: str) -> str:
    """As the format writes a comma within a cell."""
    return printable(text).replace(",", r"\1")
