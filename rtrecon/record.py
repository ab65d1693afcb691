"""The session on disk, appended as it comes: a kill loses what is in flight and no more.

What each file holds, and what survives a kill or a full disk: docs/session-folder.md.
"""

import json
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray
from PIL import Image

from rtrecon.config import Settings
from rtrecon.errors import BadConfig
from rtrecon.growing import GrowingArray, GrowingLines, append_together, replace_file
from rtrecon.lane import Lane, Losses, reason
from rtrecon.scores import (
    FIRING_COLUMNS,
    SCORE_COLUMNS,
    SENT_COLUMNS,
    firing_row,
    score_row,
    sent_row,
)
from rtrecon.types import (
    Arrival,
    Comparison,
    Decoded,
    Firing,
    Frame,
    Geometry,
    Marker,
    Painted,
    Pattern,
    Score,
    Sent,
    Status,
    Volume,
)
from rtrecon.wire import text_of

log = logging.getLogger(__name__)

WAITING_BYTES = 256e6  # with more than so many waiting for the disk frames are not recorded
SLOW_BYTES = 64e6  # with so many the operator is told

COLUMNS = {
    "volumes.tsv": ("number", "acquired", "received", "fault"),
    "quality.tsv": (
        "number", "x_mm", "y_mm", "z_mm", "pitch_rad", "roll_rad", "yaw_rad",
        "displacement_mm", "framewise_mm", "dvars", "weight", "reason",
    ),
    "trials.tsv": (
        "trial", "onset_s", "age_s", "trial_type", "predicted", "confidence",
        "volume", "stim_file", "received", "decoded", "reliability",
    ),
    "frames.tsv": (
        "frame", "trial", "volume", "age_s", "step", "steps",
        "acquired", "received", "decoded", "drawn", "painted", "aims", "settings",
    ),
    "comparisons.tsv": ("comparison", "trial", "volume", "what", "drawn", "settings"),
}  # fmt: skip
PAINTED_COLUMNS = ("painted", "event", "shows", "frame", "score", "block", "patch")
LINES = ("markers.jsonl", "settings.jsonl", "status.jsonl")
PACKAGES = (
    "rtrecon", "numpy", "scipy", "torch", "diffusers", "transformers", "safetensors", "pillow",
    "nibabel", "pylsl", "PySide6-Essentials", "pyqtgraph",
)  # fmt: skip


def open_folder(folder: Path, within: Sequence[str] = ("frames", "comparisons")) -> Path:
    """Make the session's folder, and those `within` for its pictures.

    Raises
    ------
    BadConfig
        It holds another session (nothing recorded is ever overwritten) or cannot be written.
    """
    if (folder / "session.json").exists():
        raise BadConfig(f"{folder} already holds a session: name a new folder with --output")
    try:
        for pictures in ("", *within):
            (folder / pictures).mkdir(parents=True, exist_ok=True)
        (folder / "log.txt").touch()
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


class Recorder:
    """Writes a session's folder from threads of its own, so that no room waits for the disk.

    One thread writes what came, volumes and markers; what was made of it, pictures above all,
    goes through another and cannot hold that up. Every method may be called from any thread and
    returns at once. A disk that fails is told and never stops the session, nor harms what is
    written already; when it takes something again, recording goes on.

    Raises
    ------
    BadConfig
        From the constructor: the folder holds another session or cannot be written.
    """

    def __init__(self, folder: Path, geometry: Geometry, about: Mapping[str, Any]) -> None:
        self.folder = open_folder(folder)
        self._losses = Losses(folder)
        self._settings: list[Settings] = []  # as in settings.jsonl
        self._summary: Mapping[str, Any] | None = None
        self._arrays: dict[str, GrowingArray] = {}
        with ExitStack() as opened:
            try:
                self._lines = {
                    name: self._opened(opened, name, COLUMNS.get(name, ()))
                    for name in (*COLUMNS, *LINES)
                }
                self._volumes = GrowingArray(folder / "volumes.npy", geometry.shape, geometry.dtype)
                opened.callback(self._volumes.close)
                # Last: a folder without it is no session, and may be named again.
                about = {"geometry": _plain(geometry), "versions": versions(), **about}
                replace_file(folder / "session.json", _json(about))
            except OSError as error:
                raise _unwritable(folder, error) from error
            self._files = opened.pop_all()
        self._raw = Lane("rtrecon-record-raw", self._losses)
        self._derived = Lane("rtrecon-record", self._losses)

    @property
    def fault(self) -> str:
        """What the operator has to know of the recording; empty where all is well."""
        waiting = self.waiting_bytes
        if waiting > SLOW_BYTES:
            return f"the disk is slow: {waiting / 1e6:.0f} MB wait to be recorded"
        return self._losses.told

    @property
    def waiting_bytes(self) -> int:
        """What was given and is not on disk yet."""
        return self._raw.waiting_bytes + self._derived.waiting_bytes

    def volume(self, volume: Volume) -> None:
        """Keep one raw volume, rejected or not. Never dropped, however much waits."""
        times = volume.times
        row = _tsv((volume.number, times.acquired, times.received, volume.fault))

        def write() -> None:
            append_together((self._volumes, volume.data), (self._lines["volumes.tsv"], row))
            self._losses.goes_on()

        self._raw.put(f"volume {volume.number}", write, volume.data.nbytes)

    def marker(self, marker: Marker) -> None:
        """Keep one marker, with the number of volumes recorded before it."""
        stamp = None if isnan(marker.stamp) else marker.stamp
        told = json.loads(text_of(marker))

        def write() -> None:
            row = self._lines["volumes.tsv"].rows
            line = json.dumps({"stamp": stamp, "row": row} | told)
            self._lines["markers.jsonl"].append(line)

        self._raw.put(f"marker {marker.event.value} {marker.trial_type}".rstrip(), write)

    def status(self, status: Status) -> None:
        """Keep where the session stands from now on."""
        line = json.dumps({
            "time": pylsl.local_clock(), "phase": status.phase.value, "paused": status.paused,
            "message": status.message, "traceback": status.traceback, "counts": asdict(status.volumes),
        })  # fmt: skip
        self._raw.put(f"status {status.phase.value}", self._line("status.jsonl", line))

    def settings(self, settings: Settings) -> None:
        """Keep how pictures are made from now on."""
        now = pylsl.local_clock()
        self._derived.put("settings", lambda: self._append_settings(settings, now))

    def arrival(self, arrival: Arrival) -> None:
        """Keep how the head lay in a volume, and how much the volume counts."""
        row = (
            arrival.number, *arrival.motion, arrival.displacement_mm, arrival.framewise_mm,
            arrival.dvars, arrival.weight, arrival.reason,
        )  # fmt: skip
        self._derived.put(f"quality {arrival.number}", self._line("quality.tsv", _tsv(row)))

    def decoded(self, decoded: Decoded, pattern: Pattern | None = None) -> None:
        """Keep what one volume's pattern was decoded to, and the pattern: all of it or nothing."""
        trial = decoded.trial
        row = _tsv((
            trial.number, trial.onset_s, decoded.age_s, trial.trial_type, decoded.predicted,
            decoded.confidence, decoded.volume, trial.stim_file,
            decoded.times.received, decoded.times.decoded, repr(float(decoded.reliability)),
        ))  # fmt: skip
        arrays = {
            "z": decoded.z, "c": decoded.c, "probabilities": decoded.probabilities,
            "patterns": None if pattern is None else pattern.voxels,
        }  # fmt: skip
        given = {name: values for name, values in arrays.items() if values is not None}

        def write() -> None:
            rows = [(self._array(name, values), values) for name, values in given.items()]
            append_together(*rows, (self._lines["trials.tsv"], row))

        n_bytes = sum(values.nbytes for values in given.values())
        self._derived.put(f"trial {trial.number} at volume {decoded.volume}", write, n_bytes)

    def target(self, c: NDArray[np.float32]) -> None:
        """Keep what a caption that feedback aims at was encoded to."""
        self._derived.put("target", lambda: self._array("targets", c).append(c), c.nbytes)

    def score(self, score: Score) -> None:
        """Keep one score of a feedback protocol."""
        write = self._scored("scores.tsv", SCORE_COLUMNS, score_row(score))
        self._derived.put(f"score {score.number}", write)

    def firing(self, firing: Firing) -> None:
        """Keep that a protocol's threshold was held."""
        write = self._scored("firings.tsv", FIRING_COLUMNS, firing_row(firing))
        self._derived.put(f"firing {firing.number}", write)

    def painted(self, painted: Painted) -> None:
        """Keep what the participant was shown, and when."""
        write = self._scored("participant.tsv", PAINTED_COLUMNS, painted_row(painted))
        self._derived.put(f"what was painted at {painted.time:.3f}", write)

    def sent(self, sent: Sent) -> None:
        """Keep that a score or a firing went to an output, or why not."""
        write = self._scored("sent.tsv", SENT_COLUMNS, sent_row(sent))
        self._derived.put(f"{sent.what} {sent.number} to {sent.output}", write)

    def frame(self, frame: Frame) -> None:
        """Keep one shown picture; not, where too much waits for the disk already."""
        what = f"frame {frame.serial}"
        if self._no_room(what, frame.images.nbytes):
            return
        now = pylsl.local_clock()
        self._derived.put(what, lambda: self._append_frame(frame, now), frame.images.nbytes)

    def comparison(self, what: str, comparison: Comparison, settings: Settings) -> None:
        """Keep what was drawn beside a picture ("z_only" or "control"), as `frame` does."""
        image: NDArray[np.uint8] = getattr(comparison, what)
        told = f"{what} of volume {comparison.decoded.volume}"
        if self._no_room(told, image.nbytes):
            return
        now = pylsl.local_clock()

        def write() -> None:
            number, decoded = self._lines["comparisons.tsv"].rows + 1, comparison.decoded
            row = (
                number, decoded.trial.number, decoded.volume, what, now,
                self._settings_row(settings, now),
            )  # fmt: skip
            file = self.folder / "comparisons" / f"{number:06d}.png"
            self._append_pictures({file: image}, "comparisons.tsv", row)

        self._derived.put(told, write, image.nbytes)

    def summary(self, summary: Mapping[str, Any]) -> None:
        """Have summary.json written on closing, with what could not be recorded."""
        self._summary = summary

    def close(self) -> None:
        """Write what still waits, and the summary, and close the files."""
        self._raw.close()
        self._derived.close()
        with suppress(OSError):  # network file systems may complain here of earlier writes
            self._files.close()
        if self._summary is None:
            return
        content = dict(self._summary) | {"recording": self._losses.as_json()}
        try:
            replace_file(self.folder / "summary.json", _json(content))
        except OSError as error:
            self._losses.lost("summary.json", reason(error))

    def _no_room(self, what: str, n_bytes: int) -> bool:
        """Whether so much waits that a picture is lost; told then."""
        full = self.waiting_bytes + n_bytes > WAITING_BYTES
        if full:
            self._losses.lost(what, f"{self.waiting_bytes / 1e6:.0f} MB wait for the disk")
        return full

    def _opened(self, opened: ExitStack, name: str, columns: tuple[str, ...]) -> GrowingLines:
        lines = GrowingLines(self.folder / name, "\t".join(columns))
        opened.callback(lines.close)
        return lines

    def _line(self, name: str, line: str) -> Callable[[], None]:
        return lambda: self._lines[name].append(line)

    def _scored(
        self, name: str, columns: tuple[str, ...], row: tuple[object, ...]
    ) -> Callable[[], None]:
        """A session without a protocol, or a participant's screen, has no such table."""

        def write() -> None:
            if name not in self._lines:
                self._lines[name] = self._opened(self._files, name, columns)
            self._lines[name].append(_tsv(row))

        return write

    def _array(self, name: str, like: NDArray[np.generic]) -> GrowingArray:
        if name not in self._arrays:
            array = GrowingArray(self.folder / f"{name}.npy", like.shape, like.dtype)
            self._files.callback(array.close)
            self._arrays[name] = array
        return self._arrays[name]

    def _append_settings(self, settings: Settings, since: float) -> None:
        self._lines["settings.jsonl"].append(json.dumps({"time": since} | asdict(settings)))
        self._settings.append(settings)

    def _append_frame(self, frame: Frame, shown: float) -> None:
        decoded, times = frame.decoded, frame.times
        row = (
            frame.serial, decoded.trial.number, decoded.volume, decoded.age_s, frame.step,
            frame.steps, times.acquired, times.received, times.decoded, times.drawn,
            times.painted, frame.aims, self._settings_row(frame.settings, shown),
        )  # fmt: skip
        samples = ("" if n == 1 else f"_sample-{n}" for n in range(1, len(frame.images) + 1))
        files = [self.folder / "frames" / f"{frame.serial:06d}{sample}.png" for sample in samples]
        self._append_pictures(dict(zip(files, frame.images, strict=True)), "frames.tsv", row)

    def _append_pictures(
        self, pictures: Mapping[Path, NDArray[np.uint8]], table: str, row: tuple[object, ...]
    ) -> None:
        """First the pictures: a row stands for files that are there."""
        try:
            for file, image in pictures.items():
                file.write_bytes(_png(image))
            self._lines[table].append(_tsv(row))
        except BaseException:
            for file in pictures:
                file.unlink(missing_ok=True)
            raise

    def _settings_row(self, settings: Settings | None, since: float) -> int | None:
        """Which line of settings.jsonl says how a picture was made; written, where it is lost."""
        if settings is None:
            return None
        if settings not in self._settings:
            self._append_settings(settings, since)
        return len(self._settings) - 1 - self._settings[::-1].index(settings)


def painted_row(painted: Painted) -> tuple[object, ...]:
    """The cells of participant.tsv."""
    return (
        painted.time, painted.event, "+".join(painted.shows), _known(painted.frame),
        _known(painted.score), painted.block and painted.block.value,
        None if painted.patch is None else int(painted.patch),
    )  # fmt: skip


def versions() -> dict[str, str]:
    """What computed the session: it belongs to the result."""
    found = {"python": platform.python_version(), "liblsl": str(pylsl.library_version())}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _unwritable(folder: Path, error: OSError) -> BadConfig:
    return BadConfig(f"{folder} cannot be written: {reason(error)}: name another with --output")


def _png(image: NDArray[np.uint8]) -> bytes:
    content = BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def _known(number: int) -> int | None:
    return None if number < 0 else number


def _plain(geometry: Geometry) -> dict[str, object]:
    return vars(geometry) | {"affine": geometry.affine.tolist()}


def _tsv(row: tuple[object, ...]) -> str:
    """One line of a table; text from the network cannot break out of its cell."""
    cells = (f"{x:.6f}" if isinstance(x, float) else "" if x is None else str(x) for x in row)
    return "\t".join(" ".join(cell.split()) or "n/a" for cell in cells)
