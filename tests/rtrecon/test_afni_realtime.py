"""AFNI's realtime protocol, sent over real sockets as README.realtime and Dimon's source have it."""

import logging
import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from rtrecon.bridge import afni
from rtrecon.bridge.piece import Piece
from rtrecon.errors import BadStream

COMMANDS = """ACQUISITION_TYPE 2D+zt
NAME run_1
ZORDER seq
TR 2.000000
XYFOV 24.0 30.0 14.0
XYMATRIX 8 6 4
DATUM short
XYZAXES R-L A-P I-S
XYZFIRST 12.5R 20.0A 30.0I
BYTEORDER LSB_FIRST
DRIVE_AFNI OPEN_WINDOW axialimage
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Sender:
    """What Dimon does with its two connections."""

    def __init__(self, port: int) -> None:
        self.data_port = free_port()
        with connected(port) as control:
            control.sendall(f"tcp:localhost:{self.data_port}\0".encode())
            assert control.recv(1) == b""  # the other side goes over to the data channel
        self.data = connected(self.data_port)

    def say(self, commands: str) -> None:
        self.data.sendall(commands.encode() + b"\0")


def connected(port: int) -> socket.socket:
    for _ in range(10_000):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            continue
    raise AssertionError("nobody listens")


@pytest.fixture
def listening() -> Iterator[tuple[int, list[Piece], threading.Semaphore]]:
    port, stop, got, came = free_port(), threading.Event(), [], threading.Semaphore(0)

    def read() -> None:
        for piece in afni.listen(port, stop=stop):
            got.append(piece)
            came.release()

    reader = threading.Thread(target=read, name="rtrecon-afni")
    reader.start()
    yield port, got, came
    stop.set()
    reader.join(timeout=10)


def test_volumes_of_two_series_arrive_whole(
    listening: tuple[int, list[Piece], threading.Semaphore],
) -> None:
    port, got, came = listening
    scans = np.random.default_rng(0).integers(-900, 900, (5, 8, 6, 4)).astype("<i2")
    sender = Sender(port)
    sender.say(COMMANDS)
    for scan in scans[:3]:
        for k in range(4):
            sender.data.sendall(scan[..., k].tobytes(order="F"))
        assert came.acquire(timeout=10)  # before anything more is sent
    sender.data.sendall(afni._END)
    sender.say(COMMANDS.replace("2D+zt", "3D+t").replace("LSB", "MSB"))
    for scan in scans[3:]:
        sender.data.sendall(scan.astype(">i2").tobytes(order="F"))
        assert came.acquire(timeout=10)
    sender.data.close()
    assert [piece.volume for piece in got] == [0, 1, 2, 0, 1]
    assert len({piece.series for piece in got}) == 2
    for scan, piece in zip(scans, got, strict=True):
        np.testing.assert_array_equal(piece.data, scan)
        assert (piece.data.dtype, piece.tr_s, piece.description) == (np.int16, 2.0, "run_1")


def test_voxels_lie_where_the_commands_say() -> None:
    affine = afni.header_of(COMMANDS).affine
    np.testing.assert_allclose(affine @ [0, 0, 0, 1], [12.5, 20, -30, 1])
    # Three voxels on: to the left, to the back, to the head.
    np.testing.assert_allclose(affine @ [3, 3, 3, 1], [12.5 - 9, 20 - 15, -30 + 10.5, 1])
    centred = afni.header_of(COMMANDS.replace("XYZFIRST", "X")).affine
    np.testing.assert_allclose(centred @ [3.5, 2.5, 1.5, 1], [0, 0, 0, 1], atol=1e-12)


def test_an_oblique_volume_has_its_own_matrix() -> None:
    lps = np.array([[2, 0.5, 0, 10], [-0.5, 2, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1.0]])
    text = COMMANDS + "OBLIQUE_XFORM " + " ".join(map(str, lps.ravel()))
    np.testing.assert_allclose(
        afni.header_of(text).affine, [[-2, -0.5, 0, -10], [0.5, -2, 0, -20], *lps[2:]]
    )


def test_alternating_slices_are_put_in_their_places() -> None:
    header = afni.header_of(COMMANDS.replace("seq", "alt").replace("8 6 4", "8 6 5"))
    assert header.order.tolist() == [0, 2, 4, 1, 3]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("8 6 4", "1024 1024 1024", "voxels at most"),
        ("8 6 4", "8 6 9999", "from 1 to 1024"),
        ("8 6 4", "8", "ZNUM is missing"),
        ("short", "complex", "DATUM 'complex'"),
        ("TR 2.000000", "TR nan", "TR 'nan'"),
        ("R-L A-P I-S", "R-L A-P A-P", "three sizes and directions"),
        ("24.0 30.0 14.0", "0 0 0", "no size"),
        ("12.5R", "12.5", "with its side"),
        ("2D+zt", "2D+z", "are read"),
    ],
)
def test_commands_that_cannot_be_used(old: str, new: str, said: str) -> None:
    with pytest.raises(BadStream, match=said):
        afni.header_of(COMMANDS.replace(old, new))


@pytest.mark.parametrize("text", ["shm:afni:1M", "tcp:host:80", "tcp:host:x", "tcp:h:7953\nrm -rf"])
def test_channels_that_are_not_opened(text: str) -> None:
    with pytest.raises(BadStream, match=r"is read|is not run"):
        afni._data_port(text)


def test_a_sender_that_breaks_off_costs_its_series_alone(
    listening: tuple[int, list[Piece], threading.Semaphore], caplog: pytest.LogCaptureFixture
) -> None:
    port, got, came = listening
    with caplog.at_level(logging.WARNING):
        broken = Sender(port)
        broken.say(COMMANDS)
        broken.data.sendall(b"x" * 100)
        broken.data.close()
        sender = Sender(port)
        sender.say(COMMANDS)
        sender.data.sendall(np.arange(192, dtype="<i2").tobytes())
        assert came.acquire(timeout=10)
        sender.data.close()
    assert "ended within volume 0" in caplog.text
    np.testing.assert_array_equal(got[0].data.ravel(order="F"), np.arange(192))
