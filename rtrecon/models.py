"""A person's decoders and a generator, loaded once for as many runs as are wanted."""

import logging
from collections.abc import Callable
from concurrent.futures import TimeoutError as Late
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rtrecon.artifact import ABOUT, ARRAYS, Artifact, load_artifact
from rtrecon.budget import Plan, enough_memory, plan, told
from rtrecon.compatibility import check_generator
from rtrecon.config import Session
from rtrecon.errors import BadGenerator
from rtrecon.generators import Generator, load_generator
from rtrecon.generators.apart import Apart, load_apart
from rtrecon.worker import Worker

log = logging.getLogger(__name__)
T = TypeVar("T")

STUCK_S = 30.0  # a generator that takes longer for one image is taken for dead
_END_S = 1.0  # for a thread that has nothing more to do


class Models:
    """Keeps what was loaded last: what is asked for again is there at once.

    Asked from one thread at a time. The generator is a process of its own, which is begun, measured
    and asked in `painter` alone.

    Attributes
    ----------
    painter : Worker
        The thread that asks the generator.
    """

    def __init__(self) -> None:
        self.painter = Worker("rtrecon-draw")
        self._artifacts: dict[Any, Artifact] = {}
        self._generators: dict[str, Apart] = {}
        self._plans: dict[Any, Plan] = {}

    def artifact(self, folder: Path) -> Artifact:
        """The decoders in a folder, read again where its files have changed.

        Raises
        ------
        BadArtifact
        """
        key = folder, *(_changed(folder / name) for name in (ABOUT, ARRAYS))
        if key not in self._artifacts:
            self._artifacts = {key: load_artifact(folder)}
        return self._artifacts[key]

    def generator(self, name: str) -> Generator:
        """The generator of that name or in that folder; the one before it is let go first.

        Raises
        ------
        BadGenerator, GeneratorLost
        """
        if name not in self._generators:
            self._let_go()
            self._plans.clear()
            self._generators[name] = self._in_painter(lambda: _apart(name))
        elif self._generators[name].trouble:  # lost in the last run
            self._in_painter(self._generators[name].ready)
        return self._generators[name]

    def plan(self, generator: Generator, session: Session, tr_s: float) -> Plan:
        """Settings whose pictures fit a TR, measured once and told.

        Raises
        ------
        BadInput, BadGenerator
        """
        wanted = session.settings(generator.defaults)
        key = generator.name, wanted, frozenset(session.fixed), tr_s, session.yoked is None
        if key not in self._plans:
            self._plans[key] = self._in_painter(lambda: _warmed_up(generator, session, tr_s))
        return self._plans[key]

    def close(self) -> None:
        """Let go of the generator; one that is stuck is not waited for."""
        self._let_go()
        self.painter.close(timeout_s=_END_S)

    def _let_go(self) -> None:
        for generator in self._generators.values():
            generator.close()
        self._generators.clear()

    def _in_painter(self, call: Callable[[], T]) -> T:
        try:
            self.painter.submit(lambda: None).result(STUCK_S)
        except Late:
            raise BadGenerator(
                f"the generator has not answered for {STUCK_S:g} s: end the program and start again"
            ) from None
        return self.painter.submit(call).result()


def open_generator(name_or_folder: str, artifact: Artifact) -> Generator:
    """Load a generator that the artifact was fitted for.

    Raises
    ------
    BadGenerator, Mismatch
    """
    generator = _loaded(name_or_folder)
    check_tie(artifact, name_or_folder, generator)
    return generator


def check_tie(artifact: Artifact, name_or_folder: str, generator: Generator) -> None:
    """Refuse a generator that the artifact was not fitted for.

    Raises
    ------
    BadGenerator, Mismatch
    """
    check_generator(artifact, name_or_folder, generator.identity)
    tie = artifact.generator
    if (generator.latent, generator.conditioning) != (tie.latent, tie.conditioning):
        raise BadGenerator(
            f"generator '{name_or_folder}' has latents {generator.latent} and conditionings "
            f"{generator.conditioning}, its decoders {tie.latent} and {tie.conditioning}: refit"
        )


def _apart(name_or_folder: str) -> Apart:
    with enough_memory(name_or_folder):
        return load_apart(name_or_folder)


def _loaded(name_or_folder: str) -> Generator:
    with enough_memory(name_or_folder):
        return load_generator(name_or_folder)


def _warmed_up(generator: Generator, session: Session, tr_s: float) -> Plan:
    log.info("generator '%s' warms up and is measured", generator.name)
    wanted = session.settings(generator.defaults)
    chosen = plan(generator, wanted, session.fixed, tr_s)
    if session.yoked is None:  # nothing of what stands beside pictures is compiled in a session
        generator.decode_latents(np.zeros(generator.latent, np.float32))
    generator.settle()
    log.info(
        "a picture takes %.2g s of the %.2g s between volumes: %s",
        chosen.seconds, tr_s, told(chosen.settings),
    )  # fmt: skip
    if chosen.settings != wanted:
        log.info("that is less than %s, which would not fit", told(wanted))
    if chosen.seconds > tr_s:
        log.warning("pictures take longer than a TR: volumes in between are decoded and not drawn")
    return chosen


def _changed(file: Path) -> tuple[int, int]:
    """What tells a file from what was there before it; all that are missing are alike."""
    try:
        about = file.stat()
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_size
