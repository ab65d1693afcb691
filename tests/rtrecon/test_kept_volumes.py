"""A folder that a killed session left, on a disk that comes and goes."""

from pathlib import Path

import numpy as np
import pytest

from rtrecon import kept_volumes
from rtrecon.errors import BadDataset
from rtrecon.kept_volumes import KeptVolumes
from rtrecon.record import Recorder
from rtrecon.session_folder import SessionFolder
from rtrecon.types import Geometry, Times, Volume


@pytest.fixture
def left(toy_geometry: Geometry, tmp_path: Path) -> Path:
    """What a session had recorded: one volume."""
    recorder = Recorder(tmp_path / "s", toy_geometry, {})
    recorder.volume(Volume(0, np.ones(toy_geometry.shape, np.float32), Times(1.0, 1.0)))
    recorder.close()
    return tmp_path / "s"


def test_one_that_cannot_be_read_is_let_go_of_and_may_be_tried_again(
    left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread stays that would go on writing in it."""
    real, times = kept_volumes.open_session_folder, iter([True, False])

    def comes_and_goes(folder: Path) -> SessionFolder:
        if not next(times, True):
            raise BadDataset("it is away")
        return real(folder)

    monkeypatch.setattr(kept_volumes, "open_session_folder", comes_and_goes)
    kept = KeptVolumes()
    with pytest.raises(BadDataset, match="it is away"):
        kept.resume(left)
    recorder = kept.resume(left)
    kept.held()
    recorder.close()
    assert kept.summary()["volumes"]["received"] == 1


def test_what_cannot_be_read_at_the_end_is_not_known_and_keeps_nothing_else_out(
    left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(folder: SessionFolder, name: str) -> None:
        raise OSError(116, "Stale file handle")

    kept = KeptVolumes()
    recorder = kept.resume(left)
    kept.held()
    monkeypatch.setattr(SessionFolder, "table", away)
    summary = kept.summary()
    recorder.close()
    assert summary["frames"]["shown"] is None
    assert summary["volumes"]["received"] == 1
