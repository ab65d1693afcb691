"""Where a model runs, in which precision, and how it is compiled."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

log = logging.getLogger(__name__)

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_MOST_THREADS = 1024
_WORTH = (
    2.0  # bfloat16 on a CPU must be so much faster to be used: without the right units it is slower
)


@dataclass(frozen=True)
class Compute:
    """Device, precision and compiler of a model.

    Attributes
    ----------
    device : torch.device
    dtype : torch.dtype
        Of the denoising network and the decoders. What defines the spaces of z and c is always
        computed in float32.
    backend : str
        Of `torch.compile`; empty: nothing is compiled.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    backend: str = ""

    @classmethod
    def best(cls) -> "Compute":
        """What this machine does best: CUDA, then Apple's GPU, then the CPU."""
        if torch.cuda.is_available():
            half = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
            return cls(torch.device("cuda"), half, "inductor")
        # Half the cores: beside ingest and window a third thread of four waits at every barrier
        # for a core, and an image takes twice as long as with two.
        torch.set_num_threads(max(1, usable_cores() // 2))
        if torch.backends.mps.is_available():
            return cls(torch.device("mps"))
        return cls(torch.device("cpu"), torch.bfloat16 if bfloat16_pays() else torch.float32)

    def told(self) -> dict[str, Any]:
        """For the record: what, beside the weights, decides the last bits of a picture."""
        return {
            "device": self.device.type,
            "dtype": str(self.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
        }

    @classmethod
    def recorded(cls, told: Mapping[str, Any]) -> "Compute | None":
        """What `told` said, here and now; None where that device is not here or not known.

        How a CPU's sums are split depends on the number of threads, so it is set, too.
        """
        here = {
            "cpu": True,
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
        }
        device, dtype, threads = (told.get(key) for key in ("device", "dtype", "threads"))
        if not here.get(str(device)) or dtype not in _DTYPES or not isinstance(threads, int):
            return None
        torch.set_num_threads(min(max(1, threads), _MOST_THREADS))
        return cls(
            torch.device(str(device)), _DTYPES[dtype], "inductor" if device == "cuda" else ""
        )

    @property
    def gpu(self) -> str | None:
        """The name of the graphics card, if it is one."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else None

    @property
    def queued(self) -> bool:
        """Whether work is only queued by a call and done later."""
        return self.device.type == "cuda"

    def place(self, module: nn.Module, dtype: torch.dtype) -> nn.Module:
        """The module on the device, ready to draw; convolutions are faster with channels last."""
        placed = module.to(self.device, dtype).to(memory_format=torch.channels_last)
        return placed.eval().requires_grad_(False)

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """A float32 array on the device."""
        return torch.tensor(array, dtype=torch.float32).to(self.device, non_blocking=True)

    def compiled(self, call: Callable[..., Any]) -> "Compiled":
        """A call of the model, compiled where that pays."""
        return Compiled(call, self.backend)


class Compiled:
    """A call compiled for the batch sizes that it meets until `settle`; for others run as it is.

    Compiling takes a minute and must not happen during a scan. On a GPU whole calls are recorded
    as CUDA graphs, which belong to the thread that made them: warm up in the thread that draws.

    Attributes
    ----------
    batches : set of int
        Batch sizes that are compiled.
    """

    def __init__(self, call: Callable[..., Any], backend: str) -> None:
        self._call = call
        self._fast = _compile(call, backend) if backend else None
        self._settled = False
        self.batches: set[int] = set()

    def __call__(self, batch: Tensor, *rest: Any, **named: Any) -> Any:
        """Call it; the first argument's first axis is the batch."""
        if self._fast is None or (self._settled and len(batch) not in self.batches):
            return self._call(batch, *rest, **named)
        try:
            result = self._fast(batch, *rest, **named)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            if self.batches:
                raise
            log.warning("the model runs uncompiled and slower: %s", str(error).splitlines()[0])
            self._fast = None
            return self._call(batch, *rest, **named)
        self.batches.add(len(batch))
        return result

    def settle(self) -> None:
        """Compile nothing more from now on."""
        self._settled = True


def _compile(call: Callable[..., Any], backend: str) -> Callable[..., Any]:
    # Each batch size has a graph of its own: shapes that vary would be slower for all.
    options = {"triton.cudagraphs": True} if backend == "inductor" else None
    return torch.compile(call, backend=backend, dynamic=False, options=options)


class Transfer:
    """Pictures on their way from the device: begun at once, waited for when they are wanted.

    On a GPU the copy into pinned memory is queued behind the work that makes them, so that the
    next step can be queued before anybody waits.
    """

    def __init__(self, pictures: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        if pictures.is_cuda:
            self._pictures = torch.empty(pictures.shape, dtype=pictures.dtype, pin_memory=True)
            self._pictures.copy_(pictures, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._pictures = pictures.cpu()

    def wait(self) -> NDArray[np.uint8]:
        """The pictures, once they are there."""
        if self._event is not None:
            self._event.synchronize()
        return self._pictures.numpy()


def usable_cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def bfloat16_pays() -> bool:
    """Whether this CPU multiplies bfloat16 matrices much faster than float32 ones.

    With tile units (AMX) it is several times faster; without them networks were 1.2 to 1.4 times
    slower than in float32 (docs/benchmarks.md).
    """
    return _product_s(torch.float32) > _WORTH * _product_s(torch.bfloat16)


def _product_s(dtype: torch.dtype) -> float:
    a = torch.ones(512, 512, dtype=dtype)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return min(times)
