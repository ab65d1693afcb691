"""A cable between a scanner's streams and whoever hears them, that can be cut: a relay without privileges.

The scanner's liblsl has ports of its own (`simulator.lsl.behind_a_cable`), so that nothing finds it
directly. The relay answers in its place: to the search for streams with the relay's own ports, and to
what is asked there with what the scanner says.
"""

import asyncio
import contextlib
import itertools
import re
import threading
from collections.abc import Coroutine
from typing import Any, cast

from rtrecon.errors import BadConfig
from simulator.lsl import Ports

_HOST = "127.0.0.1"
_CHUNK = 1 << 16
_KEPT = 16  # chunks of one direction that are under way while they are delayed
_QUERIES = 4096  # that may still be answered
_WAIT_S = 10.0
_CLIENTS = 256
_PORT = re.compile(rb"<(v4data_port|v4service_port)>(\d+)</")
_NO_IPV6 = re.compile(rb"<(v6data_port|v6service_port)>\d+</")
Address = tuple[str, int]


class Cable:
    """The relay, in a thread of its own. Open at first; a context manager.

    A cut is silent, as when a plug is pulled: connections stay and bytes wait where they are, but
    datagrams are lost. While it is cut nothing is read from the sender, whose own buffer fills.

    Parameters
    ----------
    session : Ports
        Where the session's liblsl looks for streams.
    scanner : Ports
        Those of the scanner's liblsl.
    delay_s : float
        How long everything takes, in either direction.

    Raises
    ------
    BadConfig
        None of the session's ports is free.
    """

    def __init__(self, session: Ports, scanner: Ports, delay_s: float = 0.0) -> None:
        self._session, self._scanner, self._delay_s = session, scanner, delay_s
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._ports: dict[tuple[bytes, int], int] = {}  # the scanner's, and ours in its place
        self._asked: dict[int, tuple[Address, str]] = {}
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._run, name="rtrecon-cable", daemon=True)
        self._thread.start()
        try:
            self._await(self._begin())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Cable":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """Nothing passes from now on."""
        self._loop.call_soon_threadsafe(self._whole.clear)

    def mend(self) -> None:
        """What waits passes, and all that follows."""
        self._loop.call_soon_threadsafe(self._whole.set)

    def reset(self) -> None:
        """Tear down all connections, as when something in between is switched off and on."""
        self._loop.call_soon_threadsafe(self._abort)

    def close(self) -> None:
        """Let go of everything; returns when it is done."""
        if self._thread.is_alive():
            self._await(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _await(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_WAIT_S)

    async def _begin(self) -> None:
        self._whole.set()
        self._search = await self.datagram(_Asks(self), 0)
        for port in self._session.all:
            with contextlib.suppress(OSError):
                await self.datagram(_Asked(self), port)
                return
        raise BadConfig(f"no free port from {self._session.base} on: end other LSL programs")

    async def _end(self) -> None:
        self._abort()
        for server in self._servers:
            server.close()
        for transport in self._datagrams:
            transport.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _abort(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def datagram(
        self, protocol: asyncio.DatagramProtocol, port: int
    ) -> asyncio.DatagramTransport:
        """A socket that takes datagrams at this port, or at any for 0, until the cable is closed."""
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: protocol, local_addr=(_HOST, port)
        )
        self._datagrams.append(transport)
        return transport

    def pass_on(self, transport: asyncio.DatagramTransport, data: bytes, to: Address) -> None:
        """Send a datagram to the other side, unless the cable is cut now or when it would arrive."""

        def arrive() -> None:
            if self._whole.is_set() and not transport.is_closing():
                transport.sendto(data, to)

        if self._whole.is_set():
            self._loop.call_later(self._delay_s, arrive)

    def ask(self, data: bytes, of: Address) -> None:
        """Ask the scanner what the session asked: who is there?"""
        try:
            method, query, back = data.decode().split("\r\n")[:3]
            port, number = back.split()
            answer_to = (of[0], int(port))
        except ValueError:
            return
        if method != "LSL:shortinfo":
            return
        mine = next(self._numbers)
        self._asked[mine] = answer_to, number
        self._asked.pop(mine - _QUERIES, None)
        own = self._search.get_extra_info("sockname")[1]
        for place in self._scanner.all:
            self.pass_on(
                self._search, f"{method}\r\n{query}\r\n{own} {mine}\r\n".encode(), (_HOST, place)
            )

    async def answer(self, data: bytes) -> None:
        """Tell the session what the scanner answered, with our ports in place of its own."""
        mine, _, told = data.partition(b"\r\n")
        asked = self._asked.get(int(mine)) if mine.isdigit() else None
        if asked is None:
            return
        for kind, port in set(_PORT.findall(told)):
            ours = await self._in_place_of(kind, int(port))
            told = told.replace(b"<%s>%s</" % (kind, port), b"<%s>%d</" % (kind, ours))
        told = _NO_IPV6.sub(rb"<\1>0</", told)
        to, number = asked
        self.pass_on(self._search, number.encode() + b"\r\n" + told, to)

    async def _in_place_of(self, kind: bytes, port: int) -> int:
        known = kind, port
        async with self._opening:
            if known not in self._ports:
                self._ports[known] = await self._opened(kind, port)
        return self._ports[known]

    async def _opened(self, kind: bytes, port: int) -> int:
        if kind == b"v4service_port":
            transport = await self.datagram(_Service(self, port), 0)
            return int(transport.get_extra_info("sockname")[1])
        server = await asyncio.start_server(
            lambda r, w: self._connected(r, w, port), _HOST, 0, limit=_CHUNK
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        """One connection: both directions until either side ends it."""
        self._open.add(writer)
        ends = [writer]
        try:
            there, thither = await asyncio.open_connection(_HOST, port, limit=_CHUNK)
            ends.append(thither)
            self._open.add(thither)
            await asyncio.gather(self._pump(reader, thither), self._pump(there, writer))
        except (OSError, asyncio.CancelledError):
            pass  # an end was torn down, or the cable is closed
        finally:
            for end in ends:
                self._open.discard(end)
                end.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_KEPT)
        delivering = asyncio.ensure_future(self._deliver(under_way, sink))
        try:
            while True:
                await self._whole.wait()
                chunk = await source.read(_CHUNK)
                await under_way.put((self._loop.time() + self._delay_s, chunk))
                if not chunk:
                    await delivering
                    return
        finally:
            delivering.cancel()

    async def _deliver(
        self, under_way: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter
    ) -> None:
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._whole.wait()
            if not chunk:
                if sink.can_write_eof():
                    sink.write_eof()
                return
            sink.write(chunk)
            await sink.drain()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this beside everything else."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Asked(asyncio.DatagramProtocol):
    """Where the session asks who is there."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._cable.ask(data, addr)


class _Asks(asyncio.DatagramProtocol):
    """Where the scanner answers."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._cable.spawn(self._cable.answer(data))


class _Service(asyncio.DatagramProtocol):
    """Where the session measures the scanner's clock; each that asks has a socket of its own there."""

    def __init__(self, cable: Cable, port: int) -> None:
        self._cable, self._scanner = cable, (_HOST, port)
        self._thither: dict[Address, asyncio.DatagramTransport] = {}
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._cable.spawn(self._ask(data, addr))

    async def _ask(self, data: bytes, client: Address) -> None:
        if client not in self._thither and len(self._thither) < _CLIENTS:
            self._thither[client] = await self._cable.datagram(_Answers(self, client), 0)
        if client in self._thither:
            self._cable.pass_on(self._thither[client], data, self._scanner)

    def answer(self, data: bytes, client: Address) -> None:
        if self.transport is not None:
            self._cable.pass_on(self.transport, data, client)


class _Answers(asyncio.DatagramProtocol):
    """Where the scanner's clock is told to one of those that asked."""

    def __init__(self, service: _Service, client: Address) -> None:
        self._service, self._client = service, client

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._service.answer(data, self._client)
