"""Markers that nobody can read, one of each kind."""

import json

_CONTENT = {
    "json": b'{"event": "trial", "trial_type": ',
    "huge": json.dumps({"event": "trial", "trial_type": "x" * 1_000_000}).encode(),
    "control": b'{"event": "trial", "trial_type": "\x1b[2Jdog\x07"}',
    "utf8": b'{"event": "trial", "trial_type": "\xff\xfe\xc3"}',
    "types": b'{"event": "trial", "onset_s": "soon", "duration_s": [6], "trial_type": 7}',
    "event": b'{"event": "explosion", "trial_type": "dog"}',
}


def bad_marker(kind: str) -> bytes:
    """The content of a bad marker, as it goes to LSL."""
    return _CONTENT[kind]
