"""What every session needs of its computer: network, display, memory, clock, a disk with room."""

import os
import sys
import tempfile
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from shutil import disk_usage
from typing import TypeVar

import numpy as np
import psutil
import pylsl

from rtrecon.check.findings import Finding, red

T = TypeVar("T")
Findings = Generator[Finding, None, T]

LOOPBACK_S = 5.0
LEAST_GB, LITTLE_GB = (
    0.3,
    1.0,
)  # memory: what may wait for the disk, and what a session is happy with
LEAST_H, LITTLE_H = 0.25, 2.0  # of this session, that the disk has room for
APART_S = 1.0  # clocks further apart than this are those of two computers


def loopback() -> Iterator[Finding]:
    """A stream of our own has to be found and heard, as the scanner's will have to be."""
    version = f"{pylsl.library_version() // 100}.{pylsl.library_version() % 100}"
    try:
        seconds = _heard_s()
    except Exception as error:
        yield red("network", error)
        return
    if seconds is not None:
        yield Finding("network", True, f"LSL {version}, found and heard in {seconds:.1f} s")
        return
    yield Finding(
        "network", False, f"LSL {version}: a stream of this program is not heard on this computer",
        "let the firewall pass UDP and TCP 16572 to 16604 and multicast, or see LSLAPICFG",
    )  # fmt: skip


def _heard_s() -> float | None:
    name, began = f"rtrecon-check-{uuid.uuid4().hex[:8]}", pylsl.local_clock()
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Check", 1, 0, pylsl.cf_int32, name))
    found = pylsl.resolve_byprop("name", name, 1, LOOPBACK_S)
    if not found:
        return None
    inlet = pylsl.StreamInlet(found[0], max_buflen=10, recover=False)
    inlet.open_stream(timeout=LOOPBACK_S)
    outlet.push_sample([1])
    sample, _ = inlet.pull_sample(timeout=LOOPBACK_S)
    took_s = pylsl.local_clock() - began
    inlet.close_stream()
    return None if sample is None else took_s


def display() -> Finding:
    """Whether a window can be shown."""
    if has_display():
        return Finding("display", True, "there is one")
    return Finding("display", None, "there is none", "run with --headless, or connect a display")


def has_display() -> bool:
    """Whether a window can be shown."""
    shown = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in shown)


def clock(apart_s: float, name: str = "clock") -> Finding:
    """How far a sender's clock is from ours, s; nan: it does not answer."""
    if np.isnan(apart_s):
        return Finding(
            name, None, "the sender's clock does not answer",
            "let the firewall pass UDP 16572 to 16604 both ways, or latencies will be wrong",
        )  # fmt: skip
    if abs(apart_s) < APART_S:
        return Finding(name, True, f"the sender's is {1e3 * apart_s:+.2f} ms from ours")
    return Finding(name, True, f"the sender's is {apart_s:+,.0f} s from ours, which is put right")


def memory() -> Finding:
    """Whether there is room for what waits for the disk."""
    free_gb = psutil.virtual_memory().available / 1e9
    text, way_out = f"{free_gb:.1f} GB free", "close other programs"
    if free_gb < LITTLE_GB:
        return Finding("memory", None if free_gb >= LEAST_GB else False, text, way_out)
    return Finding("memory", True, text)


def output(folder: Path | None) -> Findings[Path | None]:
    """Whether a session can be recorded there; returns a folder on its disk where it can."""
    folder = folder or Path("sessions")
    if (folder / "session.json").exists():
        yield Finding("output", False, f"{folder} already holds a session", "name a new folder")
        return None
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".rtrecon-check-", dir=there):
            pass
    except OSError as error:
        text = f"{there} cannot be written ({error.strerror})"
        yield Finding("output", False, text, "name another folder with --output")
        return None
    yield Finding("output", True, f"{folder} can be written")
    return there


def hours(folder: Path, bytes_s: float, each: str) -> Finding:
    """How long a session the disk has room for, with so many bytes a second; `each`: in words."""
    free = disk_usage(folder).free
    hours = free / bytes_s / 3600
    text = f"{free / 1e9:.1f} GB free: {hours:,.1f} h at {each}"
    if hours >= LITTLE_H:
        return Finding("disk", True, text)
    ok = None if hours >= LEAST_H else False
    return Finding("disk", ok, text, "make room, or name a folder on another disk")
