"""What was chosen the last time."""

from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from rtrecon.config import Session
from rtrecon.display.panels import remembered

RECENT = 8
_TEXTS = ("stream", "generator")
_PATHS = ("decoder", "output", "stimuli", "yoked")
_PREFIX = "visit"


def recalled(session: Session) -> Session:
    """The session, with what was chosen the last time for whatever it leaves open."""
    settings = remembered()
    changes: dict[str, Any] = {}
    for name in (*_TEXTS, *_PATHS):
        text = settings.value(f"{_PREFIX}/{name}", "")
        if isinstance(text, str) and text and getattr(session, name) == _default(name):
            changes[name] = Path(text) if name in _PATHS else text
    if not session.code:
        changes.pop("yoked", None)  # a list alone is no choice
    if not session.free_viewing:
        changes["free_viewing"] = settings.value(f"{_PREFIX}/free_viewing", "") == "true"
    return replace(session, **changes)


def remember(session: Session, output: Path | None) -> None:
    """Keep a choice. `output`: as it was typed, without the run's number."""
    settings = remembered()
    given = {name: getattr(session, name) for name in (*_TEXTS, *_PATHS)} | {"output": output}
    for name, value in given.items():
        settings.setValue(f"{_PREFIX}/{name}", "" if value in (None, Path()) else str(value))
    settings.setValue(f"{_PREFIX}/free_viewing", str(session.free_viewing).lower())
    decoders = [str(session.decoder), *recent_decoders()]
    settings.setValue(f"{_PREFIX}/decoders", "\n".join(dict.fromkeys(decoders)))
    settings.sync()


def recent_decoders() -> list[str]:
    """Folders of decoders, the last used first."""
    text = remembered().value(f"{_PREFIX}/decoders", "")
    return [line for line in str(text or "").splitlines() if line][:RECENT]


def _default(name: str) -> Any:
    (field,) = (field for field in fields(Session) if field.name == name)
    return Path() if field.default is MISSING else field.default
