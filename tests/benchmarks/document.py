"""Times, and tables of them in a document: one part for each kind of machine; the prose around them is a person's."""

import platform
import re
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from rtrecon.generators.compute import Compute, usable_cores

_BY = "tests.benchmarks.generators"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def write(document: Path, kind: str, text: str) -> None:
    """Put text between the two marks of a kind of machine; at the end where there are none yet."""
    begin, end = (f"<!-- {which} {kind}: python -m {_BY} -->" for which in ("begin", "end"))
    before = document.read_text(encoding="utf-8") if document.is_file() else ""
    if begin not in before:
        before += f"\n{begin}\n{end}\n"
    head, rest = before.split(begin, 1)
    _, tail = rest.split(end, 1)
    document.write_text(f"{head}{begin}\n\n{text.strip()}\n\n{end}{tail}", encoding="utf-8")


def machine(compute: Compute) -> str:
    """What was measured on, in a line; nothing that names the machine itself or the day."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers"))
    how = str(compute.dtype).removeprefix("torch.")
    compiled = f", compiled by {compute.backend}" if compute.backend else ""
    if compute.device.type == "cuda":
        memory_gib = torch.cuda.get_device_properties(0).total_memory / 2**30
        card = f"{torch.cuda.get_device_name()}, {memory_gib:.0f} GiB"
        return f"**{card}**; {versions}, CUDA {torch.version.cuda}; {how}{compiled}."
    threads = torch.get_num_threads()
    return (
        f"**{_processor()}**, {usable_cores()} cores for this process, {threads} threads; "
        f"{versions}; {how}{compiled}."
    )


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Time of one go: wall-clock time, or by another clock such as `time.process_time`."""
    began = clock()
    work()
    return clock() - began


def milliseconds(work: Callable[[], object], compute: Compute) -> float:
    """Wall-clock time of a call, all that it queued included."""
    finish = torch.cuda.synchronize if compute.queued else int
    finish()
    began = time.perf_counter()
    work()
    finish()
    return 1e3 * (time.perf_counter() - began)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.is_file() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = found[1] if found else platform.processor() or platform.machine()
    units = {
        "amx_tile": "tile units (AMX)",
        "avx512_bf16": "bfloat16 products",
        "avx512f": "AVX-512",
    }
    have = [words for flag, words in units.items() if re.search(rf"\b{flag}\b", text)]
    return f"{name} with {', '.join(have)}" if have else name
