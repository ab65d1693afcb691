"""Lab Streaming Layer kept on this machine, for the demo and the tests."""

import configparser
import os
import re
from dataclasses import dataclass
from pathlib import Path

from rtrecon.network import configuration

PORTS = 128
_LOWEST, _SESSIONS = 18_000, 110  # up to 32,079: what systems hand out by themselves begins above


_BEHIND, _CABLES, _FEW = 12_000, 500, 8  # ports of scanners behind cables
_USUAL = "[ports]\nBasePort = 16572\nPortRange = 32\n"  # of liblsl


@dataclass(frozen=True)
class Ports:
    """Where liblsl's streams are: `count` ports from `base` on."""

    base: int
    count: int

    @property
    def all(self) -> range:
        """Each of them."""
        return range(self.base, self.base + self.count)


def configured() -> str:
    """The configuration of liblsl that this process was started with."""
    file = os.environ.get("LSLAPICFG", "")
    return Path(file).read_text() if file and Path(file).is_file() else _USUAL


def ports_of(config: str) -> Ports:
    """Where a configuration puts streams."""
    parser = configparser.ConfigParser(strict=False, inline_comment_prefixes=(";",))
    parser.read_string(config)
    ports = dict(parser["ports"]) if parser.has_section("ports") else {}
    return Ports(int(ports.get("baseport", "16572")), int(ports.get("portrange", "32")))


def behind_a_cable(config: str) -> str:
    """The configuration of a scanner that those with `config` cannot find but through a `Cable`.

    It has the same session of streams at other ports, and searches no network.
    """
    base = _BEHIND + os.getpid() % _CABLES * _FEW
    found = re.search(r"^\s*SessionID\s*=\s*(\S+)", config, re.MULTILINE | re.IGNORECASE)
    session = found[1] if found else "default"
    return (
        f"[ports]\nBasePort = {base}\nPortRange = {_FEW}\nMulticastPort = {_BEHIND - 1}\n"
        "IPv6 = disable\n[multicast]\nResolveScope = machine\n"
        f"[lab]\nKnownPeers = {{127.0.0.1}}\nSessionID = {session}\n[log]\nlevel = -2\n"
    )


def isolated(session: str, seat: int | None = None) -> str:
    """A configuration for liblsl whose streams nobody else finds, and which finds no others.

    Without multicast, streams are found by their ports alone, and a stream takes several of the 32 that
    liblsl uses by default, of the whole machine. So each process that starts a session has its own;
    one that starts several gives each a seat.
    """
    seat = os.getpid() if seat is None else seat
    return configuration((), _LOWEST + seat % _SESSIONS * PORTS, PORTS, session)
