"""The session on disk, appended as it comes: a kill loses what is in flight and no more.

What each file holds, and what survives a kill or a full disk: docs/session-folder.md.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from io import BytesIO
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray
from PIL import Image

from rtrecon.config import Settings
from rtrecon.growing import append_together, write_file
from rtrecon.session_writer import SessionWriter, tsv
from rtrecon.types import (
    Arrival,
    Comparison,
    Decoded,
    Frame,
    Geometry,
    Marker,
    Pattern,
    Status,
    Volume,
)
from rtrecon.wire import text_of

log = logging.getLogger(__name__)

WAITING_BYTES = 256e6  # with more than so many waiting for the disk frames are not recorded

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
YOKED_COLUMNS = ("frame", "shown_from")  # of feedback.tsv, where feedback is another session's
LINES = ("markers.jsonl", "settings.jsonl", "status.jsonl")


class Recorder(SessionWriter):
    """Writes the folder of a session whose volumes are decoded.

    Parameters
    ----------
    folder : Path
    geometry : Geometry
    about : mapping
        The content of session.json, besides geometry and versions.
    resumed : bool
        Go on in the folder that a killed session left; what is whole in it stays.

    Raises
    ------
    BadConfig
        From the constructor: the folder holds another session or cannot be written.
    """

    def __init__(
        self, folder: Path, geometry: Geometry, about: Mapping[str, Any], resumed: bool = False
    ) -> None:
        super().__init__(
            folder, COLUMNS | dict.fromkeys(LINES, ()), {"geometry": _plain(geometry), **about},
            arrays={"volumes": (geometry.shape, geometry.dtype)}, within=("frames", "comparisons"),
            resumed=resumed,
        )  # fmt: skip
        self._settings: list[Settings] = []  # as in settings.jsonl
        self.newest: tuple[int, float] | None = None
        """Number and stamp of the newest volume on disk. May be read from any thread."""

    def volume(self, volume: Volume) -> None:
        """Keep one raw volume, rejected or not. Waits as long as the disk takes none."""
        times = volume.times
        row = tsv((volume.number, times.acquired, times.received, volume.fault))

        def write() -> None:
            append_together(
                (self._arrays["volumes"], volume.data), (self._lines["volumes.tsv"], row)
            )
            self.newest = volume.number, times.acquired

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
            "troubles": [asdict(trouble) for trouble in status.troubles],
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
        self._derived.put(f"quality {arrival.number}", self._line("quality.tsv", tsv(row)))

    def decoded(self, decoded: Decoded, pattern: Pattern | None = None) -> None:
        """Keep what one volume's pattern was decoded to, and the pattern: all of it or nothing."""
        trial = decoded.trial
        row = tsv((
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
            rows = [
                (self._array(name, values.shape, values.dtype), values)
                for name, values in given.items()
            ]
            append_together(*rows, (self._lines["trials.tsv"], row))

        n_bytes = sum(values.nbytes for values in given.values())
        self._derived.put(f"trial {trial.number} at volume {decoded.volume}", write, n_bytes)

    def target(self, c: NDArray[np.float32]) -> None:
        """Keep what a caption that feedback aims at was encoded to."""
        self._derived.put(
            "target", lambda: self._array("targets", c.shape, c.dtype).append(c), c.nbytes
        )

    def frame(self, frame: Frame) -> None:
        """Keep one shown picture; not, where too much waits for the disk already."""
        what = f"frame {frame.serial}"
        if self._no_room(what, frame.images.nbytes):
            return
        now = pylsl.local_clock()
        self._derived.put(what, lambda: self._append_frame(frame, now), frame.images.nbytes)

    def yoked(self, frame: int, shown_from: int) -> None:
        """Keep which of another session's pictures one was that was shown."""
        write = self._row("feedback.tsv", YOKED_COLUMNS, (frame, shown_from))
        self._derived.put(f"where frame {frame} came from", write)

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

    def _no_room(self, what: str, n_bytes: int) -> bool:
        """Whether so much waits that a picture is lost; told then."""
        full = self.waiting_bytes + n_bytes > WAITING_BYTES
        if full:
            self._losses.lost(what, f"{self.waiting_bytes / 1e6:.0f} MB wait for the disk")
        return full

    def _line(self, name: str, line: str) -> Callable[[], None]:
        return lambda: self._lines[name].append(line)

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
                write_file(file, _png(image))
            self._lines[table].append(tsv(row))
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


def _png(image: NDArray[np.uint8]) -> bytes:
    content = BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def _plain(geometry: Geometry) -> dict[str, object]:
    return vars(geometry) | {"affine": geometry.affine.tolist()}
