"""Real files into a real folder, real volumes out of real LSL."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pylsl
import pytest

from rtrecon.bridge import formats, intake
from rtrecon.bridge.assemble import Assembler
from rtrecon.bridge.intake import Intake
from rtrecon.bridge.piece import Piece, Unfinished
from rtrecon.bridge.run import Wanted
from rtrecon.bridge.serve import Bridge, Publisher
from rtrecon.bridge.watch import Watcher, file_system
from rtrecon.receive import Receiver
from rtrecon.types import Event, Marker, Volume
from tests.exports import write_mosaic
from tests.told import eventually

EXPORTS = Path(__file__).parents[4] / "shared" / "data" / "scanner-exports"
AFFINE = np.array([[-3.0, 0, 0, 9], [0, 3, 0, -8], [0, 0, 3.5, -7], [0, 0, 0, 1]])
PATIENCE_S = 20.0
EVERY_ECHO = Wanted()


def made_up(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(1, 900, (6, 5, 4)).astype(np.int16)


def nifti(data: np.ndarray, tr_s: float = 2.0) -> bytes:
    image = nibabel.Nifti1Image(data, AFFINE)
    image.header.set_zooms((3, 3, 3.5, tr_s)[: data.ndim])
    image.header["pixdim"][4] = tr_s
    image.header.set_xyzt_units("mm", "sec")
    return image.to_bytes()


class Room(logging.Handler):
    """A bridge at work in a thread, and a receiver that keeps what comes; what is logged too."""

    def __init__(
        self,
        stream: str,
        folder: Path,
        assembler: Assembler,
        poll_s: float | None = None,
        read: Callable[[Path], list[Piece]] = formats.read,
        tr_s: float | None = None,
        listens: threading.Event | None = None,
    ) -> None:
        """`listens`: the receiver, for which the bridge waits, begins with it."""
        super().__init__()
        self._listens = listens
        self.folder, self.stop = folder, threading.Event()
        self.assembler, self._read_file = assembler, read
        self.items: list[Volume | Marker] = []
        self.receiver: Receiver | None = None
        self.changed = threading.Condition()
        self.unfinished: set[str] = set()
        self.told: list[str] = []
        logging.getLogger("rtrecon.bridge").addHandler(self)
        watcher = Watcher(folder, poll_s, from_start=True)
        publisher = Publisher(stream, PATIENCE_S)
        self.bridge = Bridge(watcher, assembler, publisher, tr_s, self._read)
        self.threads = [
            threading.Thread(target=self.bridge.run, args=(self.stop,), name="rtrecon-bridge"),
            threading.Thread(target=self._receive, args=(stream,), name="rtrecon-receiver"),
        ]
        for thread in self.threads:
            thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        with self.changed:
            self.told.append(record.getMessage())
            self.changed.notify_all()

    def _read(self, path: Path) -> list[Piece]:
        try:
            return self._read_file(path)
        except Unfinished:
            with self.changed:
                self.unfinished.add(path.name)
                self.changed.notify_all()
            raise

    def _receive(self, stream: str) -> None:
        assert self._listens is None or self._listens.wait(PATIENCE_S)
        self.receiver = Receiver(stream, PATIENCE_S, None, threading.Event())
        for item in self.receiver:
            with self.changed:
                self.items.append(item)
                self.changed.notify_all()
        self.receiver.close()

    @property
    def volumes(self) -> list[Volume]:
        return [item for item in self.items if isinstance(item, Volume)]

    def until(self, happened: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(happened, PATIENCE_S)

    def until_received(self, count: int) -> None:
        self.until(lambda: len(self.volumes) >= count)

    def finish(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        logging.getLogger("rtrecon.bridge").removeHandler(self)


@pytest.fixture
def opened(stream_name: str, tmp_path: Path) -> Iterator[Callable[..., Room]]:
    rooms: list[Room] = []

    def make(wanted: Wanted = EVERY_ECHO, series: str = "", **given: Any) -> Room:
        (tmp_path / "export").mkdir()
        rooms.append(Room(stream_name, tmp_path / "export", Assembler(wanted, series), **given))
        return rooms[-1]

    yield make
    for room in rooms:
        room.finish()


def put(room: Room, name: str, content: bytes) -> None:
    """Write beside the folder and rename into it, as careful exporters do."""
    beside = room.folder.parent / "beside"
    beside.write_bytes(content)
    (room.folder / name).parent.mkdir(exist_ok=True)
    beside.rename(room.folder / name)


@pytest.mark.parametrize("poll_s", [None, 0.05])
def test_a_careless_exporter_loses_nothing(
    opened: Callable[..., Room],
    poll_s: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "GIVE_UP_S", 0.3)
    room = opened(poll_s=poll_s)
    whole = {n: nifti(made_up(n)) for n in range(10)}
    for n in (0, 1):
        put(room, f"run_{n:04}.nii", whole[n])
    with (room.folder / "run_0002.nii").open("wb") as file:  # slowly, in two parts
        file.write(whole[2][:500])
        file.flush()
        room.until(lambda: "run_0002.nii" in room.unfinished)
        file.write(whole[2][500:])
    for n in (4, 3):  # out of order, the second one into a new folder of the folder
        put(room, f"later/run_{n:04}.nii", whole[n])
    put(room, "copy/run_0001.nii", whole[1])  # doubled
    (room.folder / "notes.txt").write_text("no volume")
    (room.folder / "run_0005.nii").write_bytes(whole[5][:500])  # cut off
    room.until_received(5)
    for n in (7, 8, 9):  # 6 never comes
        put(room, f"run_{n:04}.nii", whole[n])
    room.until_received(8)
    room.until(lambda: "cut off" in "".join(room.told))
    room.finish()
    assert [v.number for v in room.volumes] == [0, 1, 2, 3, 4, 7, 8, 9]
    for volume in room.volumes:
        np.testing.assert_array_equal(volume.data, made_up(volume.number))
    assert room.receiver is not None
    assert room.receiver.counts.lost == 2
    assert [item.event for item in room.items if isinstance(item, Marker)] == [
        Event.RUN_START, Event.RUN_END,
    ]  # fmt: skip
    told = "\n".join(room.told)
    assert "volumes 5 to 6 did not come whole" in told
    assert "run_0005.nii' ends too early (500 bytes)" in told
    assert room.assembler.counts["doubled"] >= 1  # looking finds a file once more after its end
    geometry = room.receiver.geometry
    np.testing.assert_allclose(geometry.affine, AFFINE)
    assert (geometry.tr_s, geometry.dtype) == (2.0, "int16")


def test_what_is_there_already_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rtrecon")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.nii").write_bytes(b"1")
    with Watcher(tmp_path) as watcher:
        assert watcher.wait(0.0) == []
        (tmp_path / "b.nii").write_bytes(b"2")
        found = watcher.wait(PATIENCE_S)
        (tmp_path / "b.nii").rename(tmp_path / "old" / "c.nii")
        while tmp_path.resolve() / "old" / "c.nii" not in found:
            new = watcher.wait(PATIENCE_S)
            assert new
            found += new
    assert {path.name for path in found} == {"b.nii", "c.nii"}
    assert "1 files are already there" in caplog.text


@pytest.mark.parametrize("poll_s", [None, 0.01])
def test_each_file_of_a_new_tree_is_found(tmp_path: Path, poll_s: float | None) -> None:
    with Watcher(tmp_path, poll_s) as watcher:
        for n in range(20):
            deep = tmp_path / f"day{n}" / "series"
            deep.mkdir(parents=True)
            (deep / "v.nii").write_bytes(b"1")
        found: set[Path] = set()
        for _ in range(400):
            found |= set(watcher.wait(0.05))
            if len(found) == 20:
                break
        assert {path.parts[-3] for path in found} == {f"day{n}" for n in range(20)}


def test_network_shares_are_known_by_their_mounts() -> None:
    mounts = (
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "30 22 0:50 / /mnt/my\\040scanner rw,relatime shared:9 - cifs //scanner/out rw\n"
        "31 22 0:51 / /mnt/over rw - nfs4 a:/b rw\n32 31 8:2 / /mnt/over rw - xfs /dev/b rw\nrubbish\n"
    )
    assert file_system(Path("/mnt/my scanner/run"), mounts) == "cifs"
    assert file_system(Path("/mnt/my"), mounts) == "ext4"
    assert file_system(Path("/mnt/over/x"), mounts) == "xfs"
    assert file_system(Path("/x"), "") == ""


def test_a_file_is_tried_ever_less_often_and_given_up_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[float] = []
    now = 0.0

    def read(path: Path) -> list[Piece]:
        tried.append(now)
        raise Unfinished("short")

    path = tmp_path / "v.nii"
    path.write_bytes(b"half")
    taking = Intake(read)
    list(taking.take([path], now))
    while now < 60:
        now += 0.01
        list(taking.take([], now))
    pauses = np.diff(tried)
    assert pauses.max() < 1.02
    assert (np.diff(pauses) > -0.011).all()
    assert 10 <= tried[-1] < 11.1
    assert len([r for r in caplog.records if "cut off" in r.getMessage()]) == 1
    n_tried = len(tried)
    list(taking.take([path], now))  # it changes after all
    assert len(tried) == n_tried + 1


def test_an_aborted_run_is_followed_by_the_next(opened: Callable[..., Room]) -> None:
    room = opened()
    for n in range(4):
        put(room, f"one_{n:03}.nii", nifti(made_up(n), tr_s=0.1))
    room.until_received(4)
    for n in range(3):
        put(room, f"two_{n:03}.nii", nifti(made_up(50 + n), tr_s=0.1))
    room.threads[1].join(PATIENCE_S)  # the receiver's run ends by itself
    assert isinstance(room.items[-1], Marker)
    assert room.items[-1].volumes == 4


class Echoes:
    """Reads NIfTI files whose names end in the echo: run_0003_e2.nii."""

    def __init__(self, times_s: tuple[float, ...]) -> None:
        self.times_s = times_s

    def __call__(self, path: Path) -> list[Piece]:
        (piece,) = formats.read(path.parent / path.name)
        echo, number = piece.volume, int(path.name[4:8])
        return [
            replace(piece, series="run", volume=number, echo=echo, echo_s=self.times_s[echo - 1])
        ]


@pytest.mark.parametrize("echo", [None, 2])
def test_echoes_come_combined_or_one_of_them(opened: Callable[..., Room], echo: int | None) -> None:
    times_s = (0.012, 0.028, 0.044)
    room = opened(Wanted(echo, 0.03), read=Echoes(times_s))
    for n in range(3):
        for e in (1, 2, 3):
            put(room, f"run_{n:04}_e{e}.nii", nifti(made_up(10 * n + e)))
    room.until_received(3)
    room.finish()
    weights = np.array([te * np.exp(-te / 0.03) for te in times_s])
    for volume in room.volumes:
        each = np.stack([made_up(10 * volume.number + e) for e in (1, 2, 3)])
        expected = np.average(each, axis=0, weights=weights) if echo is None else each[1]
        np.testing.assert_allclose(volume.data, expected, rtol=1e-5)
    assert room.receiver is not None
    assert room.receiver.geometry.echo_times_s == (times_s if echo is None else times_s[1:2])


def test_what_was_there_comes_before_what_events_tell(tmp_path: Path) -> None:
    """Or a run's first volumes, written as the bridge starts, would come last and count as lost."""
    (tmp_path / "a.nii").write_bytes(b"first")
    watcher = Watcher(tmp_path, from_start=True)
    watcher._tell(str(tmp_path.resolve() / "b.nii"))  # an event of while the bridge looks
    with watcher:
        found = watcher.wait(PATIENCE_S)
    assert [path.name for path in found] == ["a.nii", "b.nii"]


@pytest.mark.parametrize("asked", ["", "raw"])
def test_of_two_series_in_one_folder_one_is_followed(
    opened: Callable[..., Room], asked: str
) -> None:
    room = opened(series=asked)
    for n in range(2):
        put(room, f"moco_{n:04}.nii", nifti(made_up(n)))
    if not asked:
        room.until_received(1)  # followed is the one that comes first
    for n in range(2):
        put(room, f"raw_{n:04}.nii", nifti(made_up(50 + n)))
    for n in range(2, 4):
        put(room, f"moco_{n:04}.nii", nifti(made_up(n)))
        put(room, f"raw_{n:04}.nii", nifti(made_up(50 + n)))
    room.until_received(4)
    room.finish()
    first = 50 if asked else 0
    for n, volume in enumerate(room.volumes):
        np.testing.assert_array_equal(volume.data, made_up(first + n))
    assert len(room.volumes) == 4
    told = [line for line in room.told if "--series" in line]
    assert len(told) == 1
    assert ("moco" if asked else "raw") in told[0]


def exported(name: str) -> list[Path]:
    if not (EXPORTS / name).is_dir():
        pytest.skip(f"real exports of {name} are not on this machine")
    return sorted(path for path in (EXPORTS / name).rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["siemens-a", "siemens-b", "siemens-c", "ge", "philips"])
def test_real_exports_come_out_as_dcm2niix_converts_them(
    opened: Callable[..., Room], tmp_path: Path, name: str
) -> None:
    files = exported(name)
    room = opened(tr_s=2.0 if name == "philips" else None)  # its headers have none
    for path in files:
        put(room, path.name, path.read_bytes())
    affine, expected = converted(name, tmp_path)
    room.until_received(min(expected.shape[3], 8))
    room.finish()
    assert room.receiver is not None
    if affine is not None:  # nibabel's of PAR/REC leaves these files' angles out
        np.testing.assert_allclose(room.receiver.geometry.affine, affine, atol=2e-3)
    assert [v.number for v in room.volumes] == list(range(expected.shape[3]))
    for volume in room.volumes:
        np.testing.assert_allclose(volume.data, expected[..., volume.number], rtol=1e-5)


def magnitude(par: Path) -> np.ndarray:
    """The first of the two images of a PAR/REC pair, (i, j, k)."""
    image = nibabel.load(par, strict_sort=True, mmap=False)
    data = image.get_fdata()
    image.dataobj.file_like.close()
    return data[..., list(image.header.get_volume_labels()["image_type_mr"]).index(16)]


def converted(name: str, folder: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Affine and voxels (i, j, k, volumes) by programs that are not ours."""
    if name == "philips":
        pars = [path for path in exported(name) if path.suffix == ".par"]
        return None, np.stack([magnitude(par) for par in pars], axis=3)
    program, out = Path(sys.executable).with_name("dcm2niix"), folder / "converted"
    out.mkdir()
    command = [str(program), "-z", "n", "-b", "n", "-o", str(out), str(EXPORTS / name)]
    subprocess.run(command, check=True, capture_output=True)
    image = nibabel.load(next(out.glob("*.nii")))
    return image.affine, image.get_fdata()


_INDEPENDENT = """
import json, sys
import numpy as np
from mne_lsl.lsl import StreamInlet, local_clock, resolve_streams
(found,) = resolve_streams(timeout=20, name=sys.argv[1], minimum=1)
inlet = StreamInlet(found)
inlet.open_stream(timeout=20)
about = inlet.get_sinfo(timeout=10)
print(json.dumps({"xml": about.as_xml, "rate": about.sfreq}), flush=True)
for _ in range(int(sys.argv[2])):
    samples, stamps = inlet.pull_chunk(timeout=20, max_samples=1)
    print(json.dumps({"sample": samples[0].tolist(), "stamp": stamps[0], "now": local_clock()}), flush=True)
inlet.close_stream()
"""


def test_an_independent_client_reads_the_same(
    opened: Callable[..., Room], stream_name: str, tmp_path: Path
) -> None:
    connected = threading.Event()
    room = opened(listens=connected)
    program = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _INDEPENDENT, stream_name, "5"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for n in (0, 1):
        put(room, f"run_{n:04}.nii", nifti(made_up(n)))
    assert program.stdout is not None
    about = json.loads(program.stdout.readline())
    connected.set()
    first = pylsl.local_clock()
    for n in (3, 4, 5):  # 2 is lost
        put(room, f"run_{n:04}.nii", nifti(made_up(n)))
    came = [json.loads(program.stdout.readline()) for _ in range(5)]
    assert program.wait(PATIENCE_S) == 0
    program.stdout.close()
    eventually(
        lambda: room.receiver is not None and room.receiver.marker_outlets
    )  # or it never ends
    assert about["rate"] == 0.5
    assert "<acquired_from>arrival</acquired_from>" in about["xml"]
    assert [c["sample"][0] for c in came] == [0, 1, 3, 4, 5]
    for c in came:
        expected = made_up(c["sample"][0]).ravel(order="F")
        np.testing.assert_array_equal(c["sample"][4:], expected)
    stamps = [c["stamp"] for c in came]
    assert stamps == sorted(stamps)
    assert first < stamps[2] < came[2]["now"] < pylsl.local_clock()


def test_no_name_leaves_the_bridge(
    opened: Callable[..., Room], stream_name: str, tmp_path: Path
) -> None:
    """What the headers say of the patient is in no stream's description, nor told to anybody."""
    room = opened()
    for number in range(3):
        write_mosaic(room.folder / f"{number}.dcm", made_up(number), volume=number)
    assert "SECRET" in (room.folder / "0.dcm").read_bytes().decode("latin-1")
    room.until_received(2)
    found = [info for info in pylsl.resolve_streams(1.0) if info.name().startswith(stream_name)]
    described = [pylsl.StreamInlet(info, recover=False).info(5.0).as_xml() for info in found]
    assert len(described) >= 2
    for text in (*described, *room.told, *map(repr, room.items)):
        assert "SECRET" not in text
    room.finish()
