"""The session on disk, appended as it comes: a kill loses what is in flight and no more.

Folder: session.json (settings, versions, geometry), volumes.npy + volumes.tsv (raw, as they
came), quality.tsv (motion and weight of each), markers.jsonl, trials.tsv with z.npy and c.npy
(row by row), frames/*.png + frames.tsv, log.txt; at the end summary.json, contact_sheet.png and quality.png.
"""

import json
import logging
import platform
import queue
import threading
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rtrecon.errors import BadConfig
from rtrecon.growing import GrowingArray
from rtrecon.types import Arrival, Decoded, Frame, Geometry, Marker, Volume
from rtrecon.wire import text_of

log = logging.getLogger(__name__)

VOLUME_COLUMNS = ("number", "acquired", "received")
QUALITY_COLUMNS = (
    "number", "x_mm", "y_mm", "z_mm", "pitch_rad", "roll_rad", "yaw_rad",
    "displacement_mm", "framewise_mm", "dvars", "weight", "reason",
)  # fmt: skip
TRIAL_COLUMNS = (
    "trial", "onset_s", "age_s", "trial_type", "predicted", "confidence",
    "volume", "stim_file", "received", "decoded",
)  # fmt: skip
FRAME_COLUMNS = (
    "frame", "trial", "volume", "age_s", "step", "steps",
    "acquired", "received", "decoded", "drawn", "painted",
)  # fmt: skip


def open_folder(folder: Path) -> Path:
    """Make the session's folder.

    Raises
    ------
    BadConfig
        It holds another session (nothing recorded is ever overwritten) or cannot be written.
    """
    if (folder / "session.json").exists():
        raise BadConfig(f"{folder} already holds a session: name a new folder with --output")
    try:
        (folder / "frames").mkdir(parents=True, exist_ok=True)
        (folder / "log.txt").touch()
    except OSError as error:
        raise BadConfig(
            f"{folder} cannot be written: {error.strerror}: name another with --output"
        ) from error
    return folder


class Recorder:
    """Writes a session's folder from a thread of its own, so that no room waits for the disk.

    Every method may be called from any thread and returns at once. A disk that fails is told
    once and never stops the session.
    """

    def __init__(self, folder: Path, geometry: Geometry, about: Mapping[str, Any]) -> None:
        self.folder = open_folder(folder)
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._failed = False
        self._arrays: dict[str, GrowingArray] = {
            "volumes": GrowingArray(folder / "volumes.npy", geometry.shape, geometry.dtype)
        }
        self._write_json(
            "session.json", {"geometry": _plain(geometry), "versions": versions(), **about}
        )
        self._start_table("volumes.tsv", VOLUME_COLUMNS)
        self._start_table("quality.tsv", QUALITY_COLUMNS)
        self._start_table("trials.tsv", TRIAL_COLUMNS)
        self._start_table("frames.tsv", FRAME_COLUMNS)
        self._thread = threading.Thread(target=self._work, name="rtrecon-record")
        self._thread.start()

    def volume(self, volume: Volume) -> None:
        """Keep one raw volume."""
        row = (volume.number, volume.times.acquired, volume.times.received)
        self._tasks.put(lambda: self._append("volumes", volume.data, "volumes.tsv", row))

    def marker(self, marker: Marker) -> None:
        """Keep one marker."""
        line = json.dumps({"stamp": marker.stamp} | json.loads(text_of(marker)))
        self._tasks.put(lambda: self._add_line("markers.jsonl", line))

    def arrival(self, arrival: Arrival) -> None:
        """Keep how the head lay in a volume, and how much the volume counts."""
        row = (
            arrival.number, *arrival.motion, arrival.displacement_mm, arrival.framewise_mm,
            arrival.dvars, arrival.weight, arrival.reason,
        )  # fmt: skip
        self._tasks.put(lambda: self._add_line("quality.tsv", _tsv(row)))

    def decoded(self, decoded: Decoded) -> None:
        """Keep what one volume's pattern was decoded to."""
        trial = decoded.trial
        row = (
            trial.number, trial.onset_s, decoded.age_s, trial.trial_type, decoded.predicted,
            decoded.confidence, decoded.volume, trial.stim_file,
            decoded.times.received, decoded.times.decoded,
        )  # fmt: skip
        self._tasks.put(lambda: self._append_decoded(decoded, row))

    def frame(self, frame: Frame) -> None:
        """Keep one shown picture."""
        decoded, times = frame.decoded, frame.times
        row = (
            frame.serial, decoded.trial.number, decoded.volume, decoded.age_s, frame.step, frame.steps,
            times.acquired, times.received, times.decoded, times.drawn, times.painted,
        )  # fmt: skip
        self._tasks.put(lambda: self._append_frame(frame, row))

    def summary(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json as things stand."""
        self._tasks.put(lambda: self._write_json("summary.json", summary))

    def close(self) -> None:
        """Write what is still queued and close the files."""
        self._tasks.put(None)
        self._thread.join()
        for array in self._arrays.values():
            array.close()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except OSError as error:
                if not self._failed:
                    log.error("recording to %s fails: %s", self.folder, error.strerror)
                self._failed = True

    def _append_decoded(self, decoded: Decoded, row: tuple[object, ...]) -> None:
        for name, values in (("z", decoded.z), ("c", decoded.c)):
            if values is not None:
                self._array(name, values).append(values)
        self._add_line("trials.tsv", _tsv(row))

    def _append_frame(self, frame: Frame, row: tuple[object, ...]) -> None:
        for n, image in enumerate(frame.images, 1):
            name = f"{frame.serial:06d}.png" if n == 1 else f"{frame.serial:06d}_sample-{n}.png"
            Image.fromarray(image).save(self.folder / "frames" / name)
        self._add_line("frames.tsv", _tsv(row))

    def _append(self, array: str, data: np.ndarray, table: str, row: tuple[object, ...]) -> None:
        self._arrays[array].append(data)
        self._add_line(table, _tsv(row))

    def _array(self, name: str, like: np.ndarray) -> GrowingArray:
        if name not in self._arrays:
            self._arrays[name] = GrowingArray(self.folder / f"{name}.npy", like.shape, like.dtype)
        return self._arrays[name]

    def _start_table(self, name: str, columns: tuple[str, ...]) -> None:
        self._add_line(name, "\t".join(columns))

    def _add_line(self, name: str, line: str) -> None:
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        part = self.folder / f"{name}.part"
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        part.replace(self.folder / name)


def versions() -> dict[str, str]:
    """What computed the session: it belongs to the result."""
    packages = ("rtrecon", "numpy", "torch", "diffusers", "transformers", "pylsl")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def _plain(geometry: Geometry) -> dict[str, object]:
    return vars(geometry) | {"affine": geometry.affine.tolist()}


def _tsv(row: tuple[object, ...]) -> str:
    """One line of a table; text from the network cannot break out of its cell."""
    cells = (f"{x:.6f}" if isinstance(x, float) else str(x) for x in row)
    return "\t".join(" ".join(cell.split()) if cell else "n/a" for cell in cells)
