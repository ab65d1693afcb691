"""Who sends under the name of a session's stream (more of it in test_receive.py)."""

import pylsl
import pytest
from pylsl.util import InternalError

from rtrecon import lookout
from rtrecon.lookout import Lookout
from rtrecon.types import Geometry
from rtrecon.wire import volume_info
from tests.told import eventually


def test_it_goes_on_looking_whatever_lsl_says(
    stream_name: str, toy_geometry: Geometry, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    looks = 0

    def look(self: Lookout) -> None:
        nonlocal looks
        looks += 1
        raise InternalError("an internal error has occurred.")

    monkeypatch.setattr(lookout, "_LOOK_S", 0.01)
    monkeypatch.setattr(Lookout, "_look", look)
    found = volume_info(stream_name, toy_geometry, "scanner")
    looking = Lookout(found, toy_geometry, 1.0, pylsl.local_clock)
    eventually(lambda: looks > 2)
    looking.close()
    assert caplog.text.count("an internal error") == 1
