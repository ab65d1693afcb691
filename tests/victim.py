"""A live session in a process of its own, from one that has everything loaded already."""

import json
import multiprocessing
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

_context: ForkServerContext = multiprocessing.get_context("forkserver")


def live_session(arguments: list[str]) -> None:
    """`rtrecon run` as from the command line; in a process that is about to be killed."""
    import sys

    from rtrecon.__main__ import main

    sys.exit(main(arguments))


def begin(
    stream: str, decoder: Path, generator: Path, output: Path, *more: str
) -> ForkServerProcess:
    """Start a session without a window."""
    _context.set_forkserver_preload(
        ["tests.victim", "rtrecon.session", "rtrecon.generators.diffusion"]
    )
    arguments = [
        "run", "--headless", "--stream", stream, "--decoder", str(decoder),
        "--generator", str(generator), "--output", str(output), "--steps", "2", *more,
    ]  # fmt: skip
    process = _context.Process(target=live_session, args=(arguments,))
    process.start()
    return process


def lines(file: Path) -> list[str]:
    """The lines that are whole."""
    text = file.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def json_lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines(file)]
