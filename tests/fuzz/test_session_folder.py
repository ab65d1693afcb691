"""Damage to a session's folder that once ended in a traceback: what reads it says it in one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rtrecon.archive import finalize
from rtrecon.errors import BadDataset
from rtrecon.session_folder import open_session_folder
from rtrecon.verify import verify
from simulator.recording import of_session
from tests.fuzz.targets import session_folder
from tests.fuzz.trial import watched

DAMAGE = {
    "no column": ("trials.tsv", b"trial\tonset_s", b"trail\tonset_s"),
    "no number": ("quality.tsv", b"number\t", b"numbr\t"),
    "frames": ("frames.tsv", b"frame\ttrial", b"frame\ttrail"),
    "scores": ("scores.tsv", b"\ttold\t", b"\ttodl\t"),
    "firings": ("firings.tsv", b"\tscore", b"\tscope"),
    "header": ("volumes.npy", b"'shape': (", b"'shape': ((("),
    "shape": ("session.json", b'"shape": [\n   6', b'"shape": [\n   -6'),
    "TR": ("session.json", b'"tr_s": 2.0', b'"tr_s": "2"'),
    "candidates": ("session.json", b'"candidates": [', b'"candidates": 3, "x": ['),
    "volume": ("volumes.tsv", b"\n3\t", b"\nx\t"),
}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, bytes]]]:
    folder = tmp_path_factory.mktemp("room")
    with watched(), session_folder.opened(folder) as target:
        target.run(target.seeds[0])
        yield folder, dict(zip(session_folder.FILES, target.seeds[0], strict=True))


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_one_line(room: tuple[Path, dict[str, bytes]], what: str, tmp_path: Path) -> None:
    folder, files = room
    name, old, new = DAMAGE[what]
    assert old in files[name]
    session, told = folder / "session", []
    (session / name).write_bytes(files[name].replace(old, new, 1))
    try:
        for read in (
            lambda: of_session(session),
            lambda: verify(session, folder / "decoder", frames=False),
            lambda: finalize(session, tmp_path / "bids"),
        ):
            try:
                read()
            except BadDataset as error:
                told.append(str(error))
    finally:
        (session / name).write_bytes(files[name])
    assert told, "nobody minds"
    assert not any("\n" in line for line in told)
    assert open_session_folder(session).rows
