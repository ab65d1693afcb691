"""A live session in a process of its own, from one that has everything loaded already."""

import json
import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

_context: ForkServerContext = multiprocessing.get_context("forkserver")


def live_session(arguments: list[str], address: str) -> None:
    """`rtrecon run` as from the command line; in a process that is about to be killed."""
    import sys

    # What it begins in turn comes from where it came from: a server of its own would load everything
    # once more.
    server = forkserver._forkserver  # type: ignore[attr-defined]
    server._forkserver_address = address
    server.ensure_running = lambda: None
    from rtrecon.__main__ import main

    sys.exit(main(arguments))


def begin(
    stream: str, decoder: Path, generator: Path, output: Path, *more: str
) -> ForkServerProcess:
    """Start a session without a window."""
    return begin_run(
        "--stream", stream, "--decoder", str(decoder), "--generator", str(generator),
        "--output", str(output), "--steps", "2", *more,
    )  # fmt: skip


def begin_run(*options: str) -> ForkServerProcess:
    """Start `rtrecon run` without a window."""
    _context.set_forkserver_preload(
        ["tests.victim", "rtrecon.session", "rtrecon.generators.diffusion"]
    )
    forkserver.ensure_running()
    address = forkserver._forkserver._forkserver_address  # type: ignore[attr-defined]
    arguments = ["run", "--headless", *options]
    process = _context.Process(target=live_session, args=(arguments, address))
    process.start()
    return process


def lines(file: Path) -> list[str]:
    """The lines that are whole."""
    text = file.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def json_lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines(file)]
