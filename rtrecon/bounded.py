"""Text files that somebody gives you, read up to a size that none of them has."""

import errno
import os
from pathlib import Path

MOST_BYTES = 64 << 20  # of settings and descriptions
MOST_TABLE_BYTES = 1 << 30  # of what a session writes line by line


def bounded_text(file: Path, most_bytes: int = MOST_BYTES, errors: str = "strict") -> str:
    """The whole of a UTF-8 file.

    Raises
    ------
    OSError
        It is not there, cannot be read, or is larger.
    UnicodeDecodeError
        It is no text.
    """
    with file.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size > most_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
        # Its size may say nothing: a pipe has none, and it may grow.
        content = opened.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
    return content.decode("utf-8", errors).replace("\r\n", "\n")
