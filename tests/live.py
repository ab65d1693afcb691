"""A whole pipeline with a scanner that a test plays, and a generator under its control."""

import csv
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from rtrecon.artifact import Artifact
from rtrecon.config import Settings
from rtrecon.generators import Aim, Generator, Newer, Step
from rtrecon.generators.diffusion import Diffusion
from rtrecon.pipeline import Pipeline, show_headless
from rtrecon.receive import Receiver
from rtrecon.record import Recorder
from rtrecon.types import Geometry
from rtrecon.wire import ScannerOutlet
from rtrecon.worker import Worker

SETTINGS = Settings(steps=2, strength=0.6)


class Toy:
    """A generator under a test's control, in front of the real toy one."""

    def __init__(self, real: Diffusion) -> None:
        self.name, self.identity, self.size_px = "toy", real.identity, real.size_px
        self.latent, self.conditioning = real.latent, real.conditioning
        self.defaults, self.takes, self.settle = real.defaults, real.takes, real.settle
        self._real, self.decode_latents = real, real.decode_latents
        self.gate = threading.Semaphore(0)
        self.gated = False
        self.fails: set[int] = set()
        self.failure: Exception = MemoryError("out of memory")
        self.images_begun = self.images_finished = 0

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        self.images_begun += 1
        if self.images_begun in self.fails:
            raise self.failure
        if self.gated:
            self.gate.acquire()
        yield from self._real.images(aim, seed, settings, newer)
        self.images_finished += 1

    encode_images = encode_captions = None  # type: ignore[assignment]


@pytest.fixture
def toy(toy_generator: Diffusion) -> Toy:
    return Toy(toy_generator)


class Live:
    """A pipeline with the scanner that feeds it."""

    def __init__(
        self,
        name: str,
        artifact: Artifact,
        toy: Toy,
        folder: Path,
        geometry: Geometry,
        **named: Any,
    ) -> None:
        self.outlet = ScannerOutlet(name, geometry)
        receiver = Receiver(name, 10.0, 20.0, threading.Event())
        recorder = Recorder(folder, geometry, {})
        generator: Generator = toy  # type: ignore[assignment]
        self.painter = Worker("draw")
        self.pipeline = Pipeline(
            receiver,
            artifact,
            generator,
            self.painter,
            recorder,
            SETTINGS,
            **named,
        )
        self.shower = threading.Thread(target=show_headless, args=(self.pipeline,))
        self.folder = folder
        self.finished = False

    def begin(self) -> None:
        self.shower.start()
        assert self.outlet.wait_for_receiver(10.0)

    def finish(self) -> dict[str, object]:
        self.shower.join(timeout=60)
        assert not self.shower.is_alive()
        self.close()
        summary: dict[str, object] = json.loads((self.folder / "summary.json").read_text())
        return summary

    def close(self) -> None:
        self.pipeline.finish()
        self.painter.close(timeout_s=5)
        self.finished = True


@pytest.fixture
def going_live(
    stream_name: str, toy_artifact: Artifact, toy: Toy, tmp_path: Path, toy_geometry: Geometry
) -> Iterator[Callable[..., Live]]:
    """Makes pipelines, and ends those whose test fails: threads that record outlive everything."""
    begun: list[Live] = []

    def make(
        artifact: Artifact = toy_artifact, geometry: Geometry = toy_geometry, **named: Any
    ) -> Live:
        begun.append(Live(stream_name, artifact, toy, tmp_path / "session", geometry, **named))
        return begun[-1]

    yield make
    for live in begun:
        if not live.finished:
            toy.gate.release(1000)
            live.close()


@pytest.fixture
def live(going_live: Callable[..., Live]) -> Live:
    return going_live()


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def priorities(pid: int) -> set[int]:
    """Of all threads of a process (nice values); each has its own on Linux."""
    threads = [thread.id for thread in psutil.Process(pid).threads()] if psutil.LINUX else [pid]
    found: set[int] = set()
    for thread in threads:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            found.add(os.getpriority(os.PRIO_PROCESS, thread))
    return found
