"""A folder that a scanner exports into: files that grow, are cut, doubled or damaged, in any order."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rtrecon import wire
from rtrecon.bridge.assemble import Assembler, Ended, Output, Started
from rtrecon.bridge.formats import read
from rtrecon.bridge.intake import Intake
from rtrecon.bridge.run import Assembled, Wanted
from rtrecon.bridge.watch import Watcher
from rtrecon.errors import BadStream
from rtrecon.types import Geometry
from tests import exports
from tests.fuzz.mutate import json_text
from tests.fuzz.target import Parts, Target
from tests.fuzz.targets.bridge import element

_NAMES = ("a.dcm", "b.dcm", "sub/c.dcm", "d_0001.nii", "e.IMA", "f", "g.par", "g.rec")
_MOST = 24


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """What happens, as a list of [which file, under which name, how much of it, after how many s], then
    the files.
    """
    watched, made = folder / "watched", folder / "made"
    files = [_several(made, kind) for kind in range(4)]

    def run(parts: Parts) -> None:
        try:
            happens = json.loads(parts[0])
        except (ValueError, RecursionError):
            return
        shutil.rmtree(watched, ignore_errors=True)
        (watched / "sub").mkdir(parents=True)
        _follow(watched, happens if isinstance(happens, list) else [], parts[1:])

    script = [[n, n, 1.0, 0.5] for n in range(4)]
    again = [
        [0, 0, 0.5, 0.5],
        [1, 1, 1.0, 0.1],
        [0, 0, 1.0, 0.5],
        [3, 3, 1.0, 9.0],
        [2, 2, 1.0, 12.0],
    ]
    seeds = [[json.dumps(s).encode(), *four] for s in (script, again) for four in files]
    yield Target((json_text, element, element, element, element), seeds, run)


def _several(folder: Path, kind: int) -> Parts:
    """Four files of one series."""
    data = exports.noise((4, 3, 2))
    path = folder / "x"
    folder.mkdir(exist_ok=True)
    if kind == 0:
        return [exports.write_mosaic(path, data, volume=v).read_bytes() for v in range(4)]
    if kind == 1:
        return [exports.write_enhanced(path, data, volume=v).read_bytes() for v in range(4)]
    if kind == 2:
        paths = [p for v in range(2) for p in exports.write_slices(folder / "s", data, volume=v)]
        return [p.read_bytes() for p in paths]
    return [
        exports.write_mosaic(path, data, volume=v, echo=e, echo_s=0.015 * e).read_bytes()
        for v in range(2)
        for e in (1, 2)
    ]


def _follow(folder: Path, happens: list[Any], files: Parts) -> None:
    intake, assembler = Intake(read), Assembler(Wanted())
    checked = _Checked()
    now = 0.0
    with Watcher(folder, poll_s=0.0) as watcher:
        for one in happens[:_MOST]:
            with suppress(LookupError, TypeError, ValueError, OverflowError):
                which, name, share, later = one
                content = files[int(which) % len(files)]
                content = content[: int(len(content) * max(0.0, min(1.0, float(share))))]
                (folder / _NAMES[int(name) % len(_NAMES)]).write_bytes(content)
                now += max(0.0, min(100.0, float(later)))
            checked(assembler.add(intake.take(watcher.wait(0.0), now), now))
            checked(assembler.tick(now))
            assert assembler.held < 600
        checked(assembler.add(intake.take((), now + 11), now + 11))
        checked(assembler.finish(now + 11))


class _Checked:
    """What the bridge sends is what the receiver takes."""

    def __init__(self) -> None:
        self._geometry: Geometry | None = None
        self._next = 0

    def __call__(self, outputs: Iterator[Output]) -> None:
        for output in outputs:
            if isinstance(output, Started):
                self._next = 0
                self._geometry = output.geometry
                try:
                    wire.geometry_of(wire.volume_info("x", output.geometry, "x"))
                except BadStream as error:
                    raise AssertionError(f"the receiver refuses what is sent: {error}") from error
            elif isinstance(output, Assembled):
                assert self._geometry is not None
                assert output.number >= self._next
                self._next = output.number + 1
                wire.sample_of(output.number, output.data, self._geometry)
            else:
                assert isinstance(output, Ended)
