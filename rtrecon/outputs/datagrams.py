"""Datagrams to one place on the network, sent without ever waiting."""

import socket

from rtrecon.errors import BadConfig
from rtrecon.outputs.device import require


class Datagrams:
    """A UDP socket for one destination, which may be a broadcast address. Owned by one thread."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._socket: socket.socket | None = None
        self._address: tuple[object, ...] = ()

    def open(self) -> None:
        """Look the host up, once, and open the socket.

        Raises
        ------
        BadConfig
            There is no such host.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise BadConfig(
                f"host '{self.host}' is not known ({error}): write its address as numbers"
            ) from error
        family, kind, protocol, _, self._address = found[0]
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        if family == socket.AF_INET:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)

    def send(self, content: bytes) -> None:
        """Send one datagram at once.

        Raises
        ------
        OSError
            No way there, or the system's queue is full.
        """
        if self._socket is None:
            raise OSError("not open")
        self._socket.sendto(content, self._address)

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def check_destination(host: str, port: int) -> None:
    """Refuse what can be no destination.

    Raises
    ------
    BadConfig
    """
    require(bool(host), "host", host, 'a name or an address, such as "127.0.0.1"')
    require(1 <= port <= 65535, "port", port, "1 to 65535")
