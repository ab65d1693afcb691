"""A decoder's folder: the description, and arrays whose hash the description knows."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np

from rtrecon.artifact import ABOUT, ARRAYS, save_artifact
from tests.fuzz import made
from tests.fuzz.mutate import json_text
from tests.fuzz.target import Parts, Target
from tests.rtrecon.test_artifact_fuzz import read_or_refused, write


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """Both files; the arrays are always said to be as they should be."""
    whole = folder / "whole"

    def run(parts: Parts) -> None:
        files = dict(zip((ABOUT, ARRAYS), parts, strict=True))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            try:
                signed = isinstance(json.loads(files[ABOUT]), dict)
            except (ValueError, RecursionError):
                signed = False
            write(folder, files, signed)
            read_or_refused(folder)

    seeds = []
    for artifact in (made.artifact(), made.artifact((14, 13, 11), realigns=True)):
        save_artifact(artifact, whole)
        seeds.append([(whole / name).read_bytes() for name in (ABOUT, ARRAYS)])
    yield Target((json_text, _safetensors), seeds, run)


def _safetensors(content: bytes, rng: Random) -> bytes:
    """The header changed, its length kept true."""
    length = int.from_bytes(content[:8], "little")
    header = json_text(content[8 : 8 + length], rng)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]
