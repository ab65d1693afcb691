"""What a program holds of its machine at one moment, its children counted."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MB = 1e6


@dataclass(frozen=True)
class Sample:
    """At LSL time `at`; memory in MB, the children's apart.

    `rss`: resident; `own`: what of it is no part of a file, such as a library's code.

    `handles`: open file descriptors by what they are. `children`: by their name.
    """

    at: float
    rss: float
    own: float
    children_rss: float
    threads: int
    handles: Mapping[str, int]
    children: Mapping[str, int]

    @property
    def fds(self) -> int:
        """All open file descriptors."""
        return sum(self.handles.values())


def take(process: psutil.Process, at: float) -> Sample:
    """Look at a process. psutil.NoSuchProcess: it has ended."""
    memory = process.memory_info()
    children = [child for child in process.children(recursive=True) if child.is_running()]
    rss, names = 0.0, Counter[str]()
    for child in children:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            rss += child.memory_info().rss / MB
            names[_name(child)] += 1
    return Sample(
        at,
        memory.rss / MB,
        (memory.rss - memory.shared) / MB,
        rss,
        process.num_threads(),
        _handles(process.pid),
        names,
    )


def _name(child: psutil.Process) -> str:
    words = " ".join(child.cmdline())
    for known in ("forkserver", "resource_tracker", "spawn_main"):
        if known in words:
            return known
    return child.name()


def _handles(pid: int) -> Counter[str]:
    """By kind: socket, pipe, and others by where they lead."""
    kinds = Counter[str]()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            kinds[_kind(os.readlink(handle))] += 1
    return kinds


def _kind(target: str) -> str:
    if ":" in target:
        kind, _, rest = target.partition(":")
        return rest if kind == "anon_inode" else kind
    return "device" if target.startswith("/dev/") else "file"
