"""Which machines streams are exchanged with, how much a stream may claim, and nothing else online."""

import atexit
import logging
import math
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

import pylsl

from rtrecon.errors import BadConfig, BadStream

log = logging.getLogger(__name__)

LOCAL = "local"
PEERS: dict[str, Any] = {
    "metavar": "LIST",
    "help": "exchange streams with these machines alone: names or IPv4 addresses, separated by "
    "commas, or 'local' for none but this one (default: as LSL is configured; docs/security.md)",
}
"""The option of every command that uses LSL."""

BASE_PORT = 16_572  # LSL's own
# LSL has 32, of which a session with its scanner and its keeper takes most: others find the first 32.
PORTS = 128
_HOST = re.compile(r"(?!-)[A-Za-z0-9.-]{1,253}(?<!-)")
_LEVEL = -2  # of liblsl's log: errors
_MOST_RATE_HZ = 1e6
_MOST_SAMPLE_BYTES = 160 << 20  # a volume of 2**24 voxels has 64 MiB
_MOST_SLOTS = 1e7  # samples that an inlet has places for; each takes 16 bytes before anything comes
_IRREGULAR_HZ = 100.0  # liblsl reckons with it
# Of the samples that liblsl makes in advance: 5 s of them, or 129. It counts their bytes in 32 bits, so
# that with over 4 GiB the last of them would lie behind the memory that it has.
_MOST_AHEAD_BYTES = 2 << 30
_AHEAD_S, _AHEAD_IRREGULAR = 5.0, 129
_TEXT_BYTES = 4096  # that one may have; empty it takes 32
_BYTES = {
    pylsl.cf_float32: 4, pylsl.cf_double64: 8, pylsl.cf_string: _TEXT_BYTES, pylsl.cf_int32: 4,
    pylsl.cf_int16: 2, pylsl.cf_int8: 1, pylsl.cf_int64: 8,
}  # fmt: skip


def keep_offline() -> None:
    """No library reports anything to anybody, or looks for models on the network.

    Call before such a library is imported; the processes begun later keep to it as well. What the
    user has set stands.
    """
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_OFFLINE"):
        os.environ.setdefault(name, "1")


def confine(peers: str | None) -> None:
    """Have this process, and all that it begins, exchange streams with these machines alone.

    Call before LSL is first used: liblsl reads its configuration once. It stands above one that
    the user has made (LSLAPICFG, lsl_api.cfg).

    Parameters
    ----------
    peers : str or None
        As `PEERS` takes it; None leaves everything as it is.

    Raises
    ------
    BadConfig
        No name of a machine, or an unknown one.
    """
    if peers is None:
        return
    addresses = _addresses(peers)
    folder = Path(tempfile.mkdtemp(prefix="rtrecon-lsl-"))  # for its owner alone
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "lsl_api.cfg"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(configuration(addresses))
    os.environ["LSLAPICFG"] = str(file)


def configuration(
    peers: tuple[str, ...] = (),
    base_port: int = BASE_PORT,
    ports: int = PORTS,
    session: str = "default",
) -> str:
    """A configuration of liblsl without multicast: this machine and `peers` are asked, one by one.

    It says whom we ask. Whoever knows our ports may still ask us: liblsl listens on all interfaces
    whatever it is told (docs/security.md).

    Parameters
    ----------
    peers : tuple of str
        IPv4 addresses.
    base_port, ports : int
        Where streams are looked for, and have their own ports.
    session : str
        Streams of another one are not found.
    """
    known = ", ".join(dict.fromkeys(("127.0.0.1", *peers)))
    return (
        f"[ports]\nBasePort = {base_port}\nPortRange = {ports}\nIPv6 = disable\n"
        "[multicast]\nResolveScope = machine\nListenAddress = 127.0.0.1\n"
        f"[lab]\nKnownPeers = {{{known}}}\nSessionID = {session}\n"
        f"[log]\nlevel = {_LEVEL}\n"
    )


def expose(stream: str, what: str) -> None:
    """Say in the log what an outlet that has just been opened tells: LSL asks nobody who they are."""
    log.info("stream '%s' tells %s to whoever can reach this machine", stream, what)


def check_claim(info: pylsl.StreamInfo, buffer_s: float) -> None:
    """See that a stream claims no more than can be; before an inlet or outlet is made of it.

    liblsl makes room in the size and at the rate that a stream says it has, before anything comes.

    Parameters
    ----------
    buffer_s : float
        Of the inlet or outlet.

    Raises
    ------
    BadStream
    """
    rate_hz, channels = info.nominal_srate(), info.channel_count()
    if not (math.isfinite(rate_hz) and 0 <= rate_hz <= _MOST_RATE_HZ):
        raise BadStream(f"stream '{info.name()}' claims {rate_hz:g} samples a second: none has")
    size = channels * _BYTES.get(info.channel_format(), 8)
    slots = (rate_hz or _IRREGULAR_HZ) * buffer_s
    ahead = size * (rate_hz * _AHEAD_S + 1 if rate_hz else _AHEAD_IRREGULAR)
    too_large = size > _MOST_SAMPLE_BYTES or ahead > _MOST_AHEAD_BYTES
    if channels < 1 or too_large or slots > _MOST_SLOTS:
        raise BadStream(
            f"stream '{info.name()}' claims {channels} channels at {rate_hz:g} Hz: too many"
        )


def _addresses(peers: str) -> tuple[str, ...]:
    """IPv4 addresses, and these alone reach liblsl's configuration."""
    names = [name.strip() for name in peers.split(",")]
    return tuple(_address(name) for name in names if name != LOCAL)


def _address(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise BadConfig(
            f"--peers names {name[:80]!r}: write names of machines or IPv4 addresses, separated by "
            f"commas, or '{LOCAL}'"
        )
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise BadConfig(
            f"--peers names '{name}', which is not known here ({error}): write its IPv4 address"
        ) from error
    return str(found[0][4][0])
