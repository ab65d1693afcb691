"""Which files below a folder are new or have changed: told at once by the system, or found by looking."""

import contextlib
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from rtrecon.errors import BadInput

log = logging.getLogger(__name__)

POLL_S = 0.2  # between two looks at a network share
SAFETY_S = 2.0  # between two looks where events tell; for what they miss
# These tell one machine nothing of what another one writes.
_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "ceph", "glusterfs", "lustre",
    "gpfs", "beegfs", "virtiofs", "vboxsf", "prl_fs", "davfs", "fuse.sshfs", "fuse.glusterfs",
    "fuse.s3fs", "fuse.rclone", "fuse.vmhgfs-fuse", "fuse.davfs",
})  # fmt: skip
# Linux says when a file is closed after writing; elsewhere each write has to count.
_CLOSED_IS_TOLD = sys.platform == "linux"
_TELLING = frozenset({"created", "closed", "moved"} | (set() if _CLOSED_IS_TOLD else {"modified"}))


def file_system(folder: Path, mounts: str) -> str:
    """Type of the file system that `folder` (absolute) lies on, or nothing where `mounts` has none.

    `mounts` is the text of /proc/self/mountinfo; of mounts over each other the last one holds.
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields, _, behind = line.partition(" - ")
        words = fields.split(" ")
        if len(words) < 5 or not behind:
            continue
        # Blanks in mount points are written as octal numbers.
        point = Path(words[4].encode().decode("unicode_escape").encode("latin-1").decode("utf-8"))
        if folder.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), behind.split(" ")[0]
    return kind


class Watcher:
    """Files below a folder that are new or were written, each once for all that happened to it.

    One thread calls `wait`; events come in watchdog's own. Enter it to begin.

    Parameters
    ----------
    folder : Path
        With all folders below, also those made later.
    poll_s : float or None
        Look so often instead of having events tell; None chooses by the file system.
    from_start : bool
        Whether files that are there already count as new.

    Raises
    ------
    BadInput
        There is no such folder.
    """

    def __init__(self, folder: Path, poll_s: float | None = None, from_start: bool = False) -> None:
        if not folder.is_dir():
            raise BadInput(f"'{folder}' is no folder: name the one that the scanner exports to")
        self.folder = folder.resolve()
        self.poll_s = poll_s if poll_s is not None else _poll_for(self.folder)
        self._from_start = from_start
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._told: dict[str, None] = {}  # by events, in their order
        self._bell = threading.Condition()
        self._looked = time.monotonic()
        self._observer: Observer | None = None

    def __enter__(self) -> "Watcher":
        if self.poll_s is None:
            # watchdog's own remark on a race of its own, when folders are made in new folders
            warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
            self._observer = Observer()
            self._observer.schedule(_Teller(self._tell), str(self.folder), recursive=True)
            self._observer.start()
            log.info("watching '%s' by file events: told within some milliseconds", self.folder)
        else:
            log.info("watching '%s' by looking every %g s", self.folder, self.poll_s)
        there = list(self._look())
        if self._from_start:
            # Before what events have told meanwhile, which came later: no volume must seem lost.
            with self._bell:
                self._told = dict.fromkeys(sorted(there)) | self._told
        elif there:
            log.info(
                "%d files are already there and are left alone; --from-start publishes them",
                len(there),
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()

    def wait(self, timeout_s: float) -> list[Path]:
        """What is new by now, in the order of events, or by name; after `timeout_s` perhaps nothing."""
        look_s = SAFETY_S if self.poll_s is None else self.poll_s
        left_s = self._looked + look_s - time.monotonic()
        with self._bell:
            if not self._told:
                self._bell.wait(max(0.0, min(timeout_s, left_s)))
        if time.monotonic() >= self._looked + look_s:
            self._tell(*sorted(self._look()))
        with self._bell:
            told, self._told = self._told, {}
        for path in told:  # what events tell need not be found again
            with contextlib.suppress(OSError):
                self._seen[path] = _identity(os.stat(path))
        return [Path(path) for path in told]

    def _tell(self, *paths: str) -> None:
        with self._bell:
            self._told.update(dict.fromkeys(paths))
            self._bell.notify()

    def _look(self) -> Iterator[str]:
        """Files that are not as they were at the last look."""
        for path, found in _files(str(self.folder)):
            if self._seen.get(path) != found:
                self._seen[path] = found
                yield path
        self._looked = time.monotonic()


class _Teller(FileSystemEventHandler):
    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _TELLING:
            return
        path = os.fsdecode(event.dest_path or event.src_path)
        if event.is_directory:
            # What was put into a new folder before it was watched has no events of its own.
            self._tell(*sorted(file for file, _ in _files(path)))
        else:
            self._tell(path)


def _identity(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_mtime_ns, about.st_size, about.st_ino


def _files(folder: str) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """All files below, with what changes when they are written; what goes away meanwhile is left out."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        yield from _files(entry.path)
                    elif entry.is_file():
                        # the entry's own stat has no inode on Windows
                        yield entry.path, _identity(os.stat(entry.path))
                except OSError:
                    continue
    except OSError:
        return


def _poll_for(folder: Path) -> float | None:
    """How often to look, or None where the file system tells by itself."""
    try:
        kind = file_system(folder, Path("/proc/self/mountinfo").read_text())
    except OSError:
        kind = "network share" if str(folder).startswith("\\\\") else ""
    if kind not in _NETWORK and kind != "network share":
        return None
    log.info("'%s' is on a network share (%s), which tells of no changes", folder, kind)
    return POLL_S
