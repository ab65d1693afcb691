"""Take the pictures: `python -m tests.screenshots [SCENE ...]`."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.lsl import isolated

if TYPE_CHECKING:
    from tests.screenshots.studio import Studio

ROOT = Path(__file__).parents[2]
SIZES = {1: ((1280, 720), (1920, 1080)), 2: ((1280, 720),)}  # by scale


def main() -> int:
    """Each scale in a process of its own, since Qt takes it once; returns the exit code."""
    options = _parser().parse_args()
    if not (options.person / "decoder").is_dir():
        print(f"{options.person} is no simulated person: run make demo first", file=sys.stderr)
        return 1
    if options.here:
        return _take(options)
    with tempfile.TemporaryDirectory() as folder:
        lsl = Path(folder) / "lsl_api.cfg"
        lsl.write_text(isolated(f"screenshots-{os.getpid()}"))
        return max(_again(scale, lsl, Path(folder, str(scale))) for scale in options.scale or SIZES)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="of windows.py [all]")
    parser.add_argument("--person", type=Path, default=ROOT / "out" / "demo-person", metavar="DIR")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "screens", metavar="DIR")
    pages = ROOT / "docs" / "images" / "screens"
    parser.add_argument("--pages", type=Path, default=pages, metavar="DIR")
    parser.add_argument(
        "--scale", type=int, nargs=1, choices=sorted(SIZES), help="this one only [all]"
    )
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser


def _again(scale: int, lsl: Path, home: Path) -> int:
    """`home`: where windows remember their layout; nobody's own is shown or changed."""
    environment = os.environ | {
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": str(scale),
        "LSLAPICFG": str(lsl),
        "XDG_CONFIG_HOME": str(home),
    }
    command = [
        sys.executable,
        "-m",
        "tests.screenshots",
        *sys.argv[1:],
        "--scale",
        str(scale),
        "--here",
    ]
    return subprocess.run(command, env=environment, check=False).returncode


def _take(options: argparse.Namespace) -> int:
    from PySide6.QtCore import QSize

    from tests.screenshots.studio import Album, Studio
    from tests.screenshots.windows import SCENES, WINDOWS

    (scale,) = options.scale
    sizes = [QSize(*size) for size in SIZES[scale]]
    album = Album(options.output, options.pages, sizes, scale)
    studio = Studio(options.person, album)
    for scene in SCENES:
        if not options.scenes or scene.__name__ in options.scenes:
            began = time.monotonic()
            _try(scene, studio)
            print(f"{scene.__name__}: {time.monotonic() - began:.0f} s", flush=True)
    if not options.scenes and (missing := [n for n in WINDOWS if n not in album.taken]):
        print(f"no scene takes: {', '.join(missing)}", file=sys.stderr)
    return 0


def _try(scene: Callable[["Studio"], None], studio: "Studio") -> None:
    """A scene that fails is told, and what it took is kept; the others are taken."""
    try:
        scene(studio)
    except Exception:
        traceback.print_exc()
    finally:
        studio.album.develop()


if __name__ == "__main__":
    sys.exit(main())
