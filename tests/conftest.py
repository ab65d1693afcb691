"""Every test: LSL kept on this machine in a session of its own, and no thread left behind."""

import logging
import os
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.lsl import isolated

# liblsl reads this once, before its first use; programs that tests start inherit it.
_lsl = Path(tempfile.mkdtemp(prefix="rtrecon-lsl-")) / "lsl_api.cfg"
_lsl.write_text(isolated(f"test-{uuid.uuid4().hex}"))
os.environ["LSLAPICFG"] = str(_lsl)
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HF_HUB_OFFLINE"] = "1"
# Windows keep their layout there: not the one of whoever runs the tests.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="rtrecon-settings-")

pytest_plugins = [
    "tests.toy",
    "tests.live",
    "tests.person",
]  # after the above, since it imports pylsl


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole sessions first: of several processes none is left alone with them at the end."""
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)


@pytest.fixture(autouse=True)
def the_log_goes_where_it_went() -> Iterator[None]:
    """A program that a test runs here would go on writing to that test's terminal."""
    logger = logging.getLogger("rtrecon")
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Ours all have names that begin with rtrecon."""
    yield
    left = [thread for thread in threading.enumerate() if thread.name.startswith("rtrecon")]
    for thread in left:
        thread.join(timeout=5)
    assert not [thread.name for thread in left if thread.is_alive()]


@pytest.fixture(scope="session")
def recorded_session() -> Path:
    """The real recorded session, where it is at hand."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "recorded-session"
    if not folder.is_dir():
        pytest.skip("the recorded session (real scanner data) is not on this machine")
    return folder
