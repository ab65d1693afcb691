"""What the command line takes. `run` and `check` are told the same of a session."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rtrecon import __version__
from rtrecon.bridge.command import add_arguments as _bridge
from rtrecon.network import PEERS
from rtrecon.remote.follower import ROLES

CHECKED: dict[str, dict[str, Any]] = {
    "--decoder": {
        "type": Path, "metavar": "DIR", "help": "folder that rtrecon-calibrate fit wrote",
    },
    "--stream": {"metavar": "NAME", "help": "the volume stream (default: rtrecon)"},
    "--generator": {
        "metavar": "NAME_OR_DIR",
        "help": "a preset, a folder or a hub id (default: the one the decoder was fitted for)",
    },
    "--output": {
        "type": Path, "metavar": "DIR", "help": "the session's folder (default: sessions/DATE_TIME)",
    },
    "--stimuli": {
        "type": Path, "metavar": "DIR", "help": "pictures that markers name, for the operator to see",
    },
}  # fmt: skip
"""What `run` and `check` are both told."""


def parser(does: Mapping[str, Callable[[argparse.Namespace], int]]) -> argparse.ArgumentParser:
    """The whole command line; `does` says what each command calls."""
    whole = argparse.ArgumentParser(
        prog="rtrecon", description=f"The command line: rtrecon {' | '.join(_COMMANDS)}."
    )
    whole.add_argument("--version", action="version", version=f"rtrecon {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for name, (told, add_arguments) in _COMMANDS.items():
        command = commands.add_parser(name, help=told)
        command.set_defaults(command=does[name])
        add_arguments(command)
        if name in _ON_NETWORK:
            command.add_argument("--peers", **PEERS)
    return whole


def _run(run: argparse.ArgumentParser) -> None:
    for name, options in CHECKED.items():
        run.add_argument(name, **options)
    run.add_argument(
        "--config", type=Path, metavar="TOML", help="settings; the command line overrules them"
    )
    run.add_argument("--headless", action="store_true", help="no window")
    monitor = "name or number of the monitor for the {} screen (docs/participant.md)"
    run.add_argument("--participant", metavar="SCREEN", help=monitor.format("participant's"))
    run.add_argument("--spectators", metavar="SCREEN", help=monitor.format("spectators'"))
    run.add_argument(
        "--screenshots", type=Path, metavar="DIR", help="keep pictures of the window here"
    )
    run.add_argument(
        "--no-view",
        dest="view",
        action="store_false",
        default=None,
        help="tell remote screens (rtrecon view) nothing",
    )
    run.add_argument("--close", action="store_true", help="close the window when the run has ended")
    run.add_argument(
        "--wait", type=float, dest="wait_s", metavar="SECONDS", help="for the stream (default: 60)"
    )
    run.add_argument(
        "--until-idle",
        type=float,
        dest="until_idle_s",
        metavar="SECONDS",
        help="end after so long without a volume",
    )
    run.add_argument(
        "--free-viewing",
        action="store_true",
        default=None,
        help="needs no markers: shows what was seen about 5 s ago",
    )
    run.add_argument(
        "--xdf",
        action="store_true",
        default=None,
        help="record all streams of the session to session.xdf (docs/xdf.md)",
    )
    run.add_argument(
        "--xdf-streams",
        metavar="LIST",
        help="further streams to record there: names or types, separated by commas",
    )
    run.add_argument(
        "--yoked",
        type=Path,
        metavar="LIST.toml",
        help="of codes: whose feedback is real and whose another session's",
    )
    run.add_argument("--code", metavar="CODE", help="this participant's on that list")
    run.add_argument(
        "--finalize", action="store_true", help="afterwards, as rtrecon finalize on its folder"
    )
    _pictures(run)


def _pictures(run: argparse.ArgumentParser) -> None:
    best = "default: what the generator draws best with, as far as it fits the TR"
    run.add_argument(
        "--steps", type=int, metavar="N", help=f"denoising steps for an image ({best})"
    )
    run.add_argument(
        "--strength", type=float, metavar="X", help="how far z is noised, 0 to 1 (the generator's)"
    )
    run.add_argument(
        "--guidance",
        type=float,
        metavar="X",
        help="classifier-free guidance; 1 is none (the generator's)",
    )
    run.add_argument(
        "--samples", type=int, metavar="N", help="pictures drawn at once from different noise"
    )
    run.add_argument("--seed", type=int, metavar="N", help="of the noise (default: 0)")


def _view(view: argparse.ArgumentParser) -> None:
    view.add_argument(
        "--role", required=True, choices=ROLES, help="whose screen it is: what it may show"
    )
    view.add_argument(
        "--stream", default="rtrecon", metavar="NAME", help="the session's volume stream"
    )
    view.add_argument(
        "--config",
        type=Path,
        metavar="TOML",
        help="the session's: its [participant] or [spectators] says how the screen looks",
    )
    view.add_argument(
        "--screen", metavar="SCREEN", help="name or number of the monitor, but for operators"
    )
    view.add_argument("--close", action="store_true", help="close when the session has ended")


def _finalize(archive: argparse.ArgumentParser) -> None:
    archive.add_argument("folder", type=Path, metavar="DIR", help="what rtrecon run wrote")
    archive.add_argument("--output", type=Path, metavar="BIDS_DIR", help="default: DIR/bids")
    archive.add_argument("--subject", default="01", metavar="LABEL", help="default: 01")
    archive.add_argument("--task", default="view", metavar="LABEL", help="default: view")
    archive.add_argument("--session", default="", metavar="LABEL", help="of the visit")
    archive.add_argument(
        "--stimuli", type=Path, metavar="DIR", help="pictures that markers name, to be copied"
    )


def _streams(streams: argparse.ArgumentParser) -> None:
    streams.add_argument("--wait", type=float, default=2.0, metavar="SECONDS")
    streams.add_argument("--decoder", type=Path, metavar="DIR", help="say whether they fit it")


def _check(check: argparse.ArgumentParser) -> None:
    for name, options in CHECKED.items():
        check.add_argument(name, **options)
    check.add_argument("--config", type=Path, metavar="TOML", help="as rtrecon run would read it")
    check.add_argument(
        "--wait", type=float, default=5.0, dest="wait_s", metavar="SECONDS",
        help="for the stream (default: 5)",
    )  # fmt: skip


def _fetch(fetch: argparse.ArgumentParser) -> None:
    fetch.add_argument("generator", metavar="NAME", help="a preset or a hub id (owner/name)")


def _verify(verify: argparse.ArgumentParser) -> None:
    verify.add_argument("session", type=Path, metavar="DIR", help="the session's folder")
    verify.add_argument(
        "--decoder", type=Path, metavar="DIR", help="by default the one it names, if beside it"
    )
    verify.add_argument(
        "--generator", default="", metavar="NAME_OR_DIR", help="by default the decoder's own"
    )
    verify.add_argument(
        "--no-frames", dest="frames", action="store_false", help="draw no pictures again"
    )


def _trigger(trigger: argparse.ArgumentParser) -> None:
    trigger.add_argument("--stream", default="rtrecon", metavar="NAME", help="the volume stream")
    trigger.add_argument("--key", default="5", help="that the scanner's box presses (default: 5)")
    where = trigger.add_mutually_exclusive_group()
    where.add_argument(
        "--keyboard-device",
        type=Path,
        metavar="DEVICE",
        help="read keys here (/dev/input/eventN) and not from this terminal",
    )
    where.add_argument("--serial", metavar="PORT", help="read a serial line (/dev/ttyUSB0, COM3)")
    trigger.add_argument("--baud", type=int, default=115200, help="of the line (default: 115200)")
    trigger.add_argument(
        "--pulse", metavar="BYTE", help="a character or 0xNN (default: any byte is a pulse)"
    )
    trigger.add_argument(
        "--refractory",
        type=float,
        default=0.05,
        metavar="SECONDS",
        help="after a pulse in which none counts, for lines that bounce (default: 0.05)",
    )


_ON_NETWORK = {"run", "view", "bridge", "streams", "check", "trigger"}
_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "run": ("the live session", _run),
    "view": ("a screen for a session that runs elsewhere", _view),
    "bridge": ("publish what a scanner exports to a folder", _bridge),
    "trigger": ("send the scanner's pulses as markers", _trigger),
    "streams": ("the volume streams on the network", _streams),
    "check": ("is everything ready for a session", _check),
    "verify": ("compute a recorded session anew and compare", _verify),
    "finalize": ("a recorded session as a BIDS data set", _finalize),
    "fetch": ("download a generator's weights before a session", _fetch),
}
