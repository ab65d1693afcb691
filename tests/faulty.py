"""Generators that go wrong in their process: a name is "fault+fault|flag|folder" of a real one.

Each fault comes once, one in each picture of more than one step, at its second. With the last one it
leaves `flag`, and the process after it draws on; with a flag "always" each process goes wrong.
"""

import ctypes
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

import torch

from rtrecon.config import Settings
from rtrecon.errors import BadGenerator, BadInput
from rtrecon.generators import Aim, Newer, Step, load_generator
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion


class Faulty:
    """The real one up to the step that goes wrong."""

    def __init__(self, real: Diffusion, faults: list[Callable[[], None]], flag: str) -> None:
        self.name, self.identity, self.size_px = real.name, real.identity, real.size_px
        self.latent, self.conditioning = real.latent, real.conditioning
        self.defaults, self.takes, self.compute = real.defaults, real.takes, real.compute
        self.settle, self.decode_latents = real.settle, real.decode_latents
        self.encode_images, self.encode_captions = real.encode_images, real.encode_captions
        self._real, self._faults, self._flag = real, faults, Path(flag)

    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        for step in self._real.images(aim, seed, settings, newer):
            if step.step > 1 and self._faults and not self._flag.exists():
                fault = self._faults.pop(0)
                if not self._faults and self._flag.name != "always":
                    self._flag.touch()
                fault()
            yield step


def load(name: str, compute: Compute | None) -> Faulty:
    faults, flag, folder = name.split("|")
    real = load_generator(folder, compute)
    return Faulty(real, [FAULTS[fault] for fault in faults.split("+")], flag)  # type: ignore[arg-type]


def load_badly(name: str, compute: Compute | None) -> NoReturn:
    """It cannot be loaded; a name says how."""
    if name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "memory":
        raise torch.OutOfMemoryError("CUDA out of memory\nand more")
    raise BadGenerator(f"generator '{name}' is damaged: copy it anew")


def load_noting(name: str, compute: Compute | None) -> Faulty:
    """Notes in a file, a line for each call, which process and thread made it."""
    notes, _, folder = name.partition("|")

    def noted(what: str) -> None:
        with open(notes, "a") as file:
            where = (what, os.getpid(), threading.current_thread().name)
            file.write(json.dumps([*where, compute and compute.told()]) + "\n")

    real = load_generator(folder, compute)
    noted("load")
    for call in ("settle", "decode_latents", "encode_captions"):
        setattr(real, call, _first(lambda call=call: noted(call), getattr(real, call)))
    images = real.images
    real.images = _first(lambda: noted("images"), images)  # type: ignore[method-assign]
    return real  # type: ignore[return-value]


def _first(note: Callable[[], None], call: Callable) -> Callable:
    def both(*arguments: object) -> object:
        note()
        return call(*arguments)

    return both


def _raise(error: Exception) -> Callable[[], None]:
    def fault() -> None:
        raise error

    return fault


def _broken_gpu() -> None:
    """An error that stays, as CUDA's do: from now on the GPU answers nothing."""
    answer = patch("torch.cuda.synchronize", _raise(RuntimeError("an illegal memory access")))
    answer.start()
    patch("torch.cuda.is_initialized", lambda: True).start()
    torch.cuda.synchronize()


FAULTS: dict[str, Callable[[], None]] = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "crash": lambda: ctypes.string_at(0) and None,
    "exit": lambda: os._exit(3),
    "stuck": lambda: threading.Event().wait() and None,
    "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "memory": _raise(MemoryError("no room")),
    "gpu memory": _raise(torch.OutOfMemoryError("CUDA out of memory")),
    "input": _raise(BadInput("z is odd: use another")),
    "odd": _raise(ValueError("no such kernel")),
    "gpu broken": _broken_gpu,
}
