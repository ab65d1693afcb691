"""A generator's own process, from the inside: it loads one and does what it is asked.

It never does anything unasked, so that an image given up in the middle costs nothing more.
"""

import faulthandler
import importlib
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from rtrecon.config import Settings
from rtrecon.generators import Aim, Generator, nothing
from rtrecon.generators.border import Arrays, Word, aim_of, of_error, receive, send

log = logging.getLogger(__name__)


class _Abandoned(Exception):
    """Nobody wants the picture that is being drawn."""


def serve(connection: Connection, loader: str, name: str, anew: dict[str, Any] | None) -> None:
    """The process's whole life: it ends when nobody is at the other end of the line.

    Parameters
    ----------
    connection : Connection
    loader : str
        "module:function", called with `name` and where it draws (None: where it does best).
    anew : dict or None
        Where another process was before this one: where it drew (`compute`), and what has to be
        ready again (`settings`, `decodes`, `settled`).
    """
    # Ctrl-C in a terminal reaches every process there: the session ends first, and then this one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.stderr is not None:
        faulthandler.enable()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logger = logging.getLogger("rtrecon")
    logger.handlers, logger.propagate = [_Told(connection)], False
    logger.setLevel(logging.INFO)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            generator = _loaded(loader, name, anew)
        except Exception as error:
            send(connection, "error", **of_error(error), broken=False)
            return
        send(connection, "ready", **_facts(generator))
        # As in every part of a session and in what verifies it; PyTorch's own threads are its own.
        with threadpool_limits(1, user_api="blas"):
            _until_closed(connection, generator)


def _end_with_parent() -> None:
    """However the parent ends, and even if this process is stuck in a driver."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)


class _Told(logging.Handler):
    """What is logged here is said there."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        """Send it; where nobody listens any more, let it go."""
        with suppress(OSError):
            text = record.getMessage()[:1000]
            send(self._connection, "log", level=record.levelno, name=record.name, text=text)


def _loaded(loader: str, name: str, anew: dict[str, Any] | None) -> Generator:
    module, _, function = loader.partition(":")
    load = getattr(importlib.import_module(module), function)
    if anew is None:
        generator: Generator = load(name, None)
        return generator
    from rtrecon.generators.compute import Compute

    generator = load(name, Compute.recorded(anew["compute"]))
    if anew["settled"]:
        try:
            _warm_up(generator, anew)
        except Exception as error:  # the first real picture will say it
            log.warning("the generator could not be warmed up: %s", error)
        generator.settle()
    return generator


def _warm_up(generator: Generator, anew: dict[str, Any]) -> None:
    """What a session needs is compiled now, and not in it."""
    aim = nothing(generator)
    for _ in generator.images(aim, 0, Settings(**anew["settings"])):
        pass
    if anew["decodes"] and aim.z is not None:
        generator.decode_latents(aim.z)


def _facts(generator: Generator) -> dict[str, Any]:
    return {
        "name": generator.name,
        "identity": generator.identity,
        "latent": generator.latent,
        "conditioning": generator.conditioning,
        "size_px": generator.size_px,
        "defaults": asdict(generator.defaults),
        "takes": sorted(generator.takes),
        "compute": generator.compute.told(),
        "gpu": generator.compute.gpu,
    }


def _until_closed(connection: Connection, generator: Generator) -> None:
    while True:
        word = receive(connection)
        try:
            _do(connection, generator, word)
        except _Abandoned:
            pass
        except Exception as error:
            send(connection, "error", **of_error(error), broken=_broken())


def _do(connection: Connection, generator: Generator, word: Word) -> None:
    about, arrays = word
    made: list[np.ndarray] = []
    match about["what"]:
        case "close":  # of a picture that is no longer drawn
            return
        case "images":
            _draw(connection, generator, about, arrays)
        case "decode":
            picture = generator.decode_latents(arrays[0])
            made = [] if picture is None else [picture]
        case "encode images":
            made = [generator.encode_images(arrays)]
        case "encode captions":
            made = [generator.encode_captions(about["captions"])]
        case "settle":
            generator.settle()
    send(connection, "done", made)


def _draw(
    connection: Connection, generator: Generator, about: dict[str, Any], arrays: Arrays
) -> None:
    def newer() -> Aim | None:
        send(connection, "newer")
        answer, moved = receive(connection)
        if answer["what"] == "close":
            raise _Abandoned
        return aim_of(answer, moved) if moved else None

    aim, settings = aim_of(about, arrays), Settings(**about["settings"])
    asked = newer if about["newer"] else None
    for images, step, steps in generator.images(aim, about["seed"], settings, asked):
        send(connection, "step", [images], step=step, steps=steps)
        if receive(connection)[0]["what"] == "close":
            raise _Abandoned


def _broken() -> bool:
    """Whether the GPU answers nothing any more: some errors stay for as long as the process lives."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except Exception:
        return True
    return False
