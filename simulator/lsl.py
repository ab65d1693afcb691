"""Lab Streaming Layer kept on this machine, for the demo and the tests."""

import os

from rtrecon.network import configuration

PORTS = 128
_LOWEST, _SESSIONS = 18_000, 110  # up to 32,079: what systems hand out by themselves begins above


def isolated(session: str) -> str:
    """A configuration for liblsl whose streams nobody else finds, and which finds no others.

    Without multicast, streams are found by their ports alone, and a stream takes several of the 32 that
    liblsl uses by default, of the whole machine. So each process that starts a session has its own.
    """
    return configuration((), _LOWEST + os.getpid() % _SESSIONS * PORTS, PORTS, session)
