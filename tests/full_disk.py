"""A disk that is full, without an administrator: the system itself refuses to write more."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

resource = pytest.importorskip("resource", reason="file sizes cannot be limited here")


@contextmanager
def files_end_at(n_bytes: int) -> Iterator[None]:
    """A disk on which no file grows beyond so many bytes: the system itself refuses the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
