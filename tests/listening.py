"""Which sockets programs open, and whether docs/security.md names all of them."""

import configparser
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import AF_INET, SOCK_STREAM
from typing import NamedTuple

import psutil

EVERY_S = 0.05
LOOPBACK = "127.0.0.1"


class Socket(NamedTuple):
    """An open socket. `remote`: whom it is connected to; empty where it waits for anybody."""

    kind: str
    address: str
    port: int
    remote: str

    def __str__(self) -> str:
        return f"{self.kind} {self.address}:{self.port} {self.remote or '*'}"


@contextmanager
def watched(*programs: int) -> Iterator[set[Socket]]:
    """All sockets that processes and their descendants have open meanwhile, looked at all the time.

    A descendant that outlives its parent is watched on.
    """
    seen: set[Socket] = set()
    known = {psutil.Process(program) for program in programs}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(EVERY_S):
            with suppress(psutil.Error):
                for process in list(known):
                    if process.is_running():
                        known.update(process.children(recursive=True))
            for process in known:
                with suppress(psutil.Error):
                    seen.update(_sockets(process))

    thread = threading.Thread(target=watch, name="rtrecon-test-sockets")
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def by_ss(program: int) -> set[Socket]:
    """Where a process and its descendants wait for anybody, as `ss` says it; empty without `ss`."""
    if shutil.which("ss") is None:
        return set()
    try:
        tree = {program, *(child.pid for child in psutil.Process(program).children(recursive=True))}
    except psutil.Error:
        return set()
    told = subprocess.run(["ss", "-Hlntup"], capture_output=True, text=True, check=True)
    lines = told.stdout.splitlines()
    return {_told(line) for line in lines if tree & set(map(int, re.findall(r"pid=(\d+)", line)))}


def _told(line: str) -> Socket:
    """Of a line like `udp UNCONN 0 0 0.0.0.0:16571 0.0.0.0:* users:(...)`."""
    kind, _, _, _, local, *_ = line.split()
    address, _, port = local.rpartition(":")
    return Socket(kind, "[::]" if address == "*" else address.partition("%")[0], int(port), "")


def lsl_ports() -> range:
    """Those that liblsl has here by its configuration."""
    told = configparser.ConfigParser()
    told.read_string(Path(os.environ["LSLAPICFG"]).read_text())
    first = told.getint("ports", "BasePort")
    return range(first, first + told.getint("ports", "PortRange"))


def unnamed(sockets: Iterable[Socket], ports: range) -> list[str]:
    """Those that docs/security.md does not name for streams that stay on this machine."""
    return sorted(str(socket) for socket in sockets if not _is_named(socket, ports))


def _is_named(socket: Socket, ports: range) -> bool:
    if socket.remote:
        return socket.remote == LOOPBACK
    if socket.address == LOOPBACK:
        return True
    # A search for streams asks from a port that the system chose, and reads nothing there.
    asks = socket.kind == "udp" and socket.port in _chosen_by_the_system()
    return socket.address == "0.0.0.0" and (socket.port in ports or asks)


def _chosen_by_the_system() -> range:
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return range(int(first), int(last) + 1)


def _sockets(process: psutil.Process) -> Iterator[Socket]:
    for one in process.net_connections("inet"):
        kind = "tcp" if one.type == SOCK_STREAM else "udp"
        if one.laddr and one.status not in {psutil.CONN_CLOSE, psutil.CONN_TIME_WAIT}:
            address = one.laddr.ip if one.family == AF_INET else f"[{one.laddr.ip}]"
            yield Socket(kind, address, one.laddr.port, one.raddr.ip if one.raddr else "")
