"""Protocols that come with the program: `rtrecon run --config NAME`."""

from pathlib import Path

PROTOCOLS = {file.stem: file for file in sorted(Path(__file__).parent.glob("*.toml"))}
