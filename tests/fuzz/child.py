"""The process that fuzzes one target: by atheris, which seeks new paths, or by chance without it."""

import faulthandler
import json
import mmap
import os
import random
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from tests.fuzz import lsl  # noqa: F401 - before anything of LSL
from tests.fuzz.mutate import blind, mutated
from tests.fuzz.target import LARGEST, Target, packed, unpacked
from tests.fuzz.trial import Finding, Trial, watched

MOST_FINDINGS = 20
_SHRINKING = 300  # tries to make an input smaller
_SAVED_S = 5.0  # of the processor, between two reports


def atheris() -> ModuleType | None:
    """The engine, where it is installed."""
    try:
        import atheris as found
    except ImportError:
        return None
    return found


class Fuzzing:
    """One target's run until its time is over; whoever started it reads `report.json`.

    `current` holds the input that is being tried, behind the number of those before and its
    length: what kills the process is known by it.
    """

    def __init__(self, target: Target, folder: Path, cpu_s: float) -> None:
        self._target, self.folder, self._cpu_s = target, folder, cpu_s
        self._trial = Trial(target, bounded=True)
        self._current = _mapped(folder / "current")
        self._keys: set[str] = {
            file.read_text().splitlines()[0] for file in (folder / "findings").glob("*.txt")
        }
        self._begun = self._saved = time.process_time()

    def __call__(self, content: bytes) -> None:
        """Try one input."""
        content = content[: 2 * LARGEST]
        self._current[:16] = struct.pack("<QQ", self._trial.executions, len(content))
        self._current[16 : 16 + len(content)] = content
        if (found := self._trial(content)) is not None and found.key not in self._keys:
            self._keys.add(found.key)
            self._keep(self._smaller(content, found), found)
        if time.process_time() - self._saved > _SAVED_S:
            self.report()

    def report(self) -> None:
        """Say how far it is; end where the time is over."""
        self._saved = time.process_time()
        spent = self._saved - self._begun
        done = spent >= self._cpu_s or len(self._keys) >= MOST_FINDINGS
        told = {"executions": self._trial.executions, "cpu_s": spent, "done": done}
        new = self.folder / "report.part"
        new.write_text(json.dumps(told))
        new.replace(self.folder / "report.json")
        if done:
            sys.stdout.flush()
            os._exit(0)  # libFuzzer has no other way out

    def _smaller(self, content: bytes, found: Finding) -> bytes:
        """An input with the same finding and less in it."""
        if found.key == "memory" or found.key.startswith(("leak", "Hang")):
            return content
        tries = iter(range(_SHRINKING))
        kinds, parts = len(self._target.kinds), unpacked(content, len(self._target.kinds))
        for at in range(kinds):
            step = max(1, len(parts[at]) // 2)
            while step and next(tries, None) is not None:
                for start in range(0, len(parts[at]), step):
                    less = parts[at][:start] + parts[at][start + step :]
                    tried = packed([*parts[:at], less, *parts[at + 1 :]])
                    next(tries, None)
                    if (again := self._trial(tried)) is not None and again.key == found.key:
                        parts[at] = less
                        break
                else:
                    step //= 2
        return packed(parts)

    def _keep(self, content: bytes, found: Finding) -> None:
        kept = self.folder / "findings" / sha256(found.key.encode()).hexdigest()[:12]
        kept.with_suffix(".bin").write_bytes(content)
        kept.with_suffix(".txt").write_text(f"{found.key}\n\n{found.told}\n")


def fuzz(name: str, folder: Path, cpu_s: float, seed: int) -> None:
    """Fuzz a target in this process; does not return."""
    faulthandler.enable()
    for part in ("corpus", "seeds", "findings"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    engine = atheris()
    with _instrumented(engine):
        from tests.fuzz.targets import TARGETS
    with watched(), TARGETS[name](folder) as target:
        for number, parts in enumerate(target.seeds):
            (folder / "seeds" / f"{number:03d}").write_bytes(packed(parts))
        fuzzing = Fuzzing(target, folder, cpu_s)
        kept = [folder / "corpus", folder / "seeds", Path(__file__).parent / "corpus" / name]
        if engine is None:
            _by_chance(fuzzing, target, kept, random.Random(seed))
        _by_paths(engine, fuzzing, target, kept, seed)


@contextmanager
def _instrumented(engine: ModuleType | None) -> Iterator[None]:
    if engine is None:
        yield
    else:
        with engine.instrument_imports(include=["rtrecon", "simulator.recording"]):
            yield


def _by_paths(
    engine: ModuleType,
    fuzzing: Fuzzing,
    target: Target,
    kept: list[Path],
    seed: int,
) -> None:
    def change(content: bytes, largest: int, seed: int) -> bytes:
        parts, rng = unpacked(content, len(target.kinds)), random.Random(seed)
        return packed(mutated(parts, target.kinds, rng, by_engine))[:largest]

    def by_engine(content: bytes, rng: random.Random) -> bytes:
        return engine.Mutate(content, max(64, 2 * len(content))) if content else blind(content, rng)

    options = [
        f"-max_len={2 * LARGEST}", "-len_control=0", "-timeout=3600", f"-artifact_prefix={fuzzing.folder}/",
        "-rss_limit_mb=0", f"-seed={seed}",
        "-handle_int=0", "-handle_term=0", "-handle_segv=0", "-handle_abrt=0", "-handle_bus=0",
    ]  # fmt: skip
    engine.Setup(
        [sys.argv[0], *options, *(str(folder) for folder in kept if folder.is_dir())],
        fuzzing, custom_mutator=change, internal_libfuzzer=True,
    )  # fmt: skip
    engine.Fuzz()


def _by_chance(fuzzing: Fuzzing, target: Target, kept: list[Path], rng: random.Random) -> None:
    known = [file.read_bytes() for folder in kept if folder.is_dir() for file in folder.iterdir()]
    for content in known:
        fuzzing(content)
    while True:
        parts = unpacked(rng.choice(known), len(target.kinds))
        for _ in range(rng.choice([1, 1, 2, 4])):
            parts = mutated(parts, target.kinds, rng, blind)
        fuzzing(packed(parts))


def _mapped(file: Path) -> mmap.mmap:
    with file.open("wb+") as opened:
        opened.truncate(16 + 2 * LARGEST)
        return mmap.mmap(opened.fileno(), 0)


if __name__ == "__main__":
    fuzz(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
