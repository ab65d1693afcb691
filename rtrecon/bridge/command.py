"""rtrecon bridge: its options, and what they set going."""

import argparse
import threading
from pathlib import Path

from rtrecon.errors import BadConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `rtrecon bridge`."""
    parser.add_argument("folder", type=Path, help="where the scanner exports to")
    parser.add_argument("--stream", default="rtrecon", metavar="NAME", help="default: rtrecon")
    parser.add_argument(
        "--echo",
        default="combine",
        metavar="N",
        help="the echo to send, from 1, or 'combine' (default; a single one is sent as it is)",
    )
    parser.add_argument(
        "--t2star",
        type=float,
        metavar="MS",
        help="T2* that echoes are combined for (default: grey matter's at the field: 84 ms at "
        "1.5 T, 45 at 3 T and where it is not known, 33 at 7 T)",
    )
    parser.add_argument(
        "--series",
        default="",
        metavar="TEXT",
        help="follow only series with this in description or uid",
    )
    parser.add_argument("--tr", type=float, metavar="SECONDS", help="where headers do not say it")
    parser.add_argument(
        "--poll",
        type=float,
        metavar="SECONDS",
        help="look so often (default: file events; on network shares every 0.2 s)",
    )
    parser.add_argument(
        "--from-start", action="store_true", help="publish files that are already there too"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="that the first volumes are kept for a receiver (default: 60)",
    )
    parser.add_argument(
        "--until-idle",
        type=float,
        metavar="SECONDS",
        help="end after so long without a changed file (default: Ctrl-C ends)",
    )


def bridge(options: argparse.Namespace, stop: threading.Event) -> int:
    """Watch and publish until `stop` is set."""
    for name in ("poll", "tr", "t2star", "until_idle"):
        value = getattr(options, name)
        if value is not None and not 0 < value < 1e6:
            raise BadConfig(f"--{name.replace('_', '-')} is {value:g}: must be more than 0")
    from rtrecon.bridge.assemble import Assembler
    from rtrecon.bridge.run import Wanted
    from rtrecon.bridge.serve import Bridge, Publisher
    from rtrecon.bridge.watch import Watcher

    wanted = Wanted(_echo(options.echo), options.t2star and options.t2star / 1e3)
    Bridge(
        Watcher(options.folder, options.poll, options.from_start),
        Assembler(wanted, options.series),
        Publisher(options.stream, options.wait),
        options.tr,
    ).run(stop, options.until_idle)
    return 0


def _echo(text: str) -> int | None:
    if text == "combine":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise BadConfig(f"--echo is '{text}': a number from 1, or 'combine'")
    return int(text)
