"""A cable that is cut: silent, nothing lost, and what waits comes when it is mended."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rtrecon.receive import Receiver
from rtrecon.types import Marker, Volume
from simulator.cable import Cable
from simulator.lsl import Ports, behind_a_cable, configured, isolated, ports_of

PATIENCE_S = 10.0


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline
        pause.wait(0.01)


class Scanner:
    """Answers one search as liblsl does, and sends back in capitals what it is sent."""

    def __init__(self) -> None:
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.threads = [threading.Thread(target=t) for t in (self.answer, self.serve)]
        for thread in self.threads:
            thread.start()

    def answer(self) -> None:
        while (asked := self.udp.recvfrom(2048)[0]) != b"end":
            if asked.startswith(b"LSL:timedata"):
                continue
            _, query, back = asked.decode().split("\r\n")[:3]
            port, number = back.split()
            told = (
                f"{number}\r\n<info><name>{query}</name>"
                f"<v4data_port>{self.tcp.getsockname()[1]}</v4data_port>"
                f"<v4service_port>{self.port}</v4service_port><v6data_port>7</v6data_port></info>"
            )
            self.udp.sendto(told.encode(), ("127.0.0.1", int(port)))

    def serve(self) -> None:
        while True:
            connection, _ = self.tcp.accept()
            with connection:
                while data := _received(connection):
                    if data == b"end":
                        return
                    connection.sendall(data.upper())

    def close(self) -> None:
        self.udp.sendto(b"end", ("127.0.0.1", self.port))
        with socket.create_connection(self.tcp.getsockname()) as last:
            last.sendall(b"end")
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        self.udp.close()
        self.tcp.close()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(100)
    except ConnectionError:
        return b""


@pytest.fixture
def scanner() -> Iterator[Scanner]:
    scanner = Scanner()
    yield scanner
    scanner.close()


def connected(scanner: Scanner, delay_s: float = 0.0) -> tuple[Cable, socket.socket]:
    """A cable and, found through it, a connection to the scanner."""
    session = Ports(23_000, 20)
    cable = Cable(session, Ports(scanner.port, 1), delay_s)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
        asking.settimeout(PATIENCE_S)
        back = asking.getsockname()[1]
        for port in session.all:
            asking.sendto(f"LSL:shortinfo\r\nquery\r\n{back} 77\r\n".encode(), ("127.0.0.1", port))
        told = asking.recv(2048).decode()
    assert told.startswith("77\r\n<info><name>query</name>")
    assert "<v6data_port>0<" in told
    port = int(told.partition("<v4data_port>")[2].partition("<")[0])
    assert port != scanner.tcp.getsockname()[1]
    return cable, socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def test_what_waits_at_a_cut_comes_when_it_is_mended(scanner: Scanner) -> None:
    cable, connection = connected(scanner)
    with cable, connection:
        connection.sendall(b"before")
        assert connection.recv(100) == b"BEFORE"
        cable.cut()
        connection.sendall(b"during")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        cable.mend()
        connection.settimeout(PATIENCE_S)
        assert connection.recv(100) == b"DURING"


def test_a_reset_ends_connections_and_others_can_be_made(scanner: Scanner) -> None:
    cable, connection = connected(scanner)
    with cable, connection:
        connection.sendall(b"before")
        assert connection.recv(100) == b"BEFORE"
        cable.reset()
        assert _received(connection) == b""
        with socket.create_connection(connection.getpeername(), PATIENCE_S) as again:
            again.sendall(b"after")
            assert again.recv(100) == b"AFTER"


def test_everything_takes_its_time(scanner: Scanner) -> None:
    cable, connection = connected(scanner, delay_s=0.2)
    with cable, connection:
        begun = time.monotonic()
        connection.sendall(b"there and back")
        assert connection.recv(100) == b"THERE AND BACK"
        assert 0.4 <= time.monotonic() - begun < 2


def test_ports_of_a_configuration() -> None:
    config = isolated("mine")
    behind = behind_a_cable(config)
    assert ports_of(config).count == 128
    assert not set(ports_of(config).all) & set(ports_of(behind).all)
    assert "SessionID = mine\n" in behind
    assert ports_of("") == Ports(16572, 32)


@pytest.fixture
def bold(tmp_path: Path) -> Path:
    path = tmp_path / "sub-01" / "func" / "sub-01_task-view_run-1_bold.nii.gz"
    path.parent.mkdir(parents=True)
    data = np.random.default_rng(0).integers(100, 900, (10, 9, 8, 30)).astype(np.int16)
    image = nib.Nifti1Image(data, np.diag([3, 3, 3.5, 1]))
    image.header.set_zooms((3, 3, 3.5, 2.0))
    nib.save(image, path)
    events = "onset\tduration\ttrial_type\n3\t6\tdog\n23\t6\tcat\n"
    path.with_name("sub-01_task-view_run-1_events.tsv").write_text(events)
    return path


def test_nothing_is_lost_by_a_cut_that_the_buffer_outlasts(bold: Path, stream_name: str) -> None:
    cut_s, speed = 1.0, 20.0
    argv = [sys.executable, "-m", "simulator", "play", str(bold), "--stream", stream_name, "--quiet",
            "--speed", f"{speed}", "--faults", f"cut=10:{cut_s}"]  # fmt: skip
    playing = subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": str(Path.cwd())})
    receiver = Receiver(stream_name, 30.0, 20.0, threading.Event())
    got: list[Volume | Marker] = list(receiver)
    receiver.close()
    assert playing.wait(20) == 0
    volumes = [item for item in got if isinstance(item, Volume)]
    assert [volume.number for volume in volumes] == list(range(30))
    recorded = np.asanyarray(nib.load(bold).dataobj)
    for volume in volumes:
        np.testing.assert_array_equal(volume.data, recorded[..., volume.number])
    late_s = [volume.times.received - volume.times.acquired for volume in volumes]
    assert (
        late_s[10] > cut_s - 0.05
    )  # it came when the cable was mended, and its stamp says when it was
    assert late_s[9] < late_s[10] - 0.5
    assert ports_of(configured()).count == 128
