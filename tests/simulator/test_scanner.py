"""The replayed scanner: on time without drift, in order over LSL, with the faults asked for."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pylsl
import pytest
from numpy.typing import NDArray

from rtrecon.bids import Run, load_run
from rtrecon.errors import BadConfig, StreamMissing
from rtrecon.types import Event, Geometry, Marker, Volume
from rtrecon.wire import geometry_of, marker_of, marker_stream
from simulator import outlets, scanner
from simulator.__main__ import main
from simulator.faults import parse_faults
from simulator.outlets import ScannerDied
from simulator.pace import Clock
from simulator.scanner import play
from simulator.schedule import schedule

SHAPE = (5, 4, 3)
N_VOLUMES = 12
TR_S = 2.0
ONSETS_S = (3.3, 10.0, 17.9)


def recorded(dtype: str = "int16") -> Run:
    """A run whose volume n is full of different numbers that begin with 100 n."""
    voxels = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    data = (voxels[..., None] + 100 * np.arange(N_VOLUMES)).astype(dtype)
    trials = tuple(
        Marker(Event.TRIAL, f"kind-{n}", onset_s, 6.0, f"{n}.png", f"a kind {n}")
        for n, onset_s in enumerate(ONSETS_S)
    )
    geometry = Geometry(SHAPE, np.diag([3.0, 3, 3.5, 1]), TR_S, dtype)
    return Run("sub-01_task-view_run-1", geometry, data, trials, Path("stimuli"))


@dataclass
class SlowClock:
    """Time that passes only by sleeping (each sleep too long by 10 ms) and by sending."""

    time_s: float = 1000.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time_s += seconds + 0.01


@dataclass
class Outlet:
    """Takes what LSL would take, a tenth of a second for each."""

    clock: SlowClock
    speed: float
    sent: list[tuple[float, float, Marker | int]] = field(default_factory=list)
    geometry: Geometry = field(init=False)
    has_receiver: bool = False

    def __call__(self, name: str, geometry: Geometry, paced: bool) -> "Outlet":
        self.geometry = geometry
        return self

    def wait_for_receiver(self, timeout_s: float) -> bool:
        self.has_receiver = True
        return True

    def send_volume(self, number: int, data: NDArray[np.generic], stamp: float) -> None:
        self._take(number, stamp)

    def send_marker(self, marker: Marker, stamp: float) -> None:
        self._take(marker, stamp)

    def _take(self, what: Marker | int, stamp: float) -> None:
        self.sent.append((self.clock.time_s, stamp, what))
        self.clock.time_s += 0.1


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_the_schedule_has_no_drift(monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    clock = SlowClock()
    outlet = Outlet(clock, speed)
    monkeypatch.setattr(outlets, "ScannerOutlet", outlet)
    play(recorded(), "s", speed, clock=Clock(clock.now, clock.sleep))
    start = 1000.0
    for sent_at, stamp, what in outlet.sent:
        due_s = (what + 1) * TR_S if isinstance(what, int) else what.onset_s
        assert stamp == pytest.approx(start + due_s / speed, abs=1e-9)
        assert -1e-9 <= sent_at - stamp < 0.35  # what was sent just before, and one long sleep
    assert outlet.geometry.speed == speed


def test_each_marker_goes_out_at_its_time_before_the_volume_that_ends_after_it() -> None:
    sendings = list(schedule(recorded()))
    assert [s.due_s for s in sendings] == sorted(s.due_s for s in sendings)
    markers = [s.what for s in sendings if isinstance(s.what, Marker)]
    assert [m.onset_s for m in markers] == [0.0, *ONSETS_S, N_VOLUMES * TR_S]
    for onset_s in ONSETS_S:
        at = next(i for i, s in enumerate(sendings) if s.due_s == onset_s and _is_trial(s.what))
        later = [s.what.number for s in sendings[at:] if isinstance(s.what, Volume)]
        assert later[0] == int(onset_s // TR_S)
    assert sendings[-1].what == Marker(Event.RUN_END, onset_s=N_VOLUMES * TR_S, volumes=N_VOLUMES)


def test_the_receiver_gets_the_grace_it_needs_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SlowClock()
    outlet = Outlet(clock, 1.0)
    monkeypatch.setattr(outlets, "ScannerOutlet", outlet)
    play(recorded(), "s", clock=Clock(clock.now, clock.sleep))
    assert clock.time_s - outlet.sent[-1][0] == pytest.approx(outlets.GRACE_S, abs=0.3)


@pytest.fixture
def stream() -> str:
    return f"scanner-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def lab() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@dataclass
class Received:
    """What came over the wire."""

    geometry: Geometry
    volumes: list[tuple[int, float, NDArray[np.generic]]]
    markers: list[Marker]


def receive(stream: str, n_volumes: int, n_markers: int) -> Received:
    """Take both streams until so much has come (or nothing for five seconds)."""
    inlets = []
    for name in (stream, marker_stream(stream)):
        (info,) = pylsl.resolve_byprop("name", name, 1, 20)
        inlets.append(pylsl.StreamInlet(info, max_buflen=60))
    geometry = geometry_of(inlets[0].info(10))
    for inlet in inlets:
        inlet.open_stream(10)
    received = Received(geometry, [], [])
    for _ in range(n_volumes):
        sample, stamps = inlets[0].pull_chunk(5, max_samples=1, as_numpy=True)
        if not len(stamps):
            break
        header, voxels = sample[0][:4], sample[0][4:]
        data = voxels.reshape(geometry.shape, order="F").copy()
        received.volumes.append((int(header[0]), stamps[0], data))
    for _ in range(n_markers):
        text, stamp = inlets[1].pull_sample(5)
        if text is None:
            break
        received.markers.append(marker_of(text[0], stamp))
    for inlet in inlets:
        inlet.close_stream()
    return received


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_everything_arrives_in_order_over_lsl(
    lab: ThreadPoolExecutor, stream: str, dtype: str
) -> None:
    run, speed = recorded(dtype), 200.0
    taken = lab.submit(receive, stream, N_VOLUMES, 5)
    play(run, stream, speed, wait_s=20)
    received = taken.result(30)
    assert received.geometry.speed == speed
    assert received.geometry.tr_s == TR_S
    assert [number for number, _, _ in received.volumes] == list(range(N_VOLUMES))
    for number, _, data in received.volumes:
        np.testing.assert_array_equal(data, run.data[..., number])
    events = [marker.event for marker in received.markers]
    assert events == [Event.RUN_START, *[Event.TRIAL] * 3, Event.RUN_END]
    start = received.markers[0].stamp
    for number, stamp, _ in received.volumes:
        assert stamp - start == pytest.approx((number + 1) * TR_S / speed, abs=1e-6)
    for sent, marker in zip(run.trials, received.markers[1:-1], strict=True):
        assert (marker.trial_type, marker.caption) == (sent.trial_type, sent.caption)
        assert (marker.stim_file, marker.duration_s) == (sent.stim_file, 6.0)
        assert marker.onset_s == sent.onset_s
        assert marker.stamp - start == pytest.approx(sent.onset_s / speed, abs=1e-6)
    assert received.markers[-1].volumes == N_VOLUMES


def test_faults_happen_to_the_volumes_they_name(lab: ThreadPoolExecutor, stream: str) -> None:
    run = recorded("float32")
    faults = parse_faults("lose=3,lose=4,nan=6,double=8")
    taken = lab.submit(receive, stream, N_VOLUMES - 1, 5)
    play(run, stream, 200.0, 20, faults)
    received = taken.result(30)
    expected = [0, 1, 2, 5, 6, 7, 8, 8, 9, 10, 11]
    assert [number for number, _, _ in received.volumes] == expected
    for number, _, data in received.volumes:
        assert np.isnan(data).all() if number == 6 else np.isfinite(data).all()
    assert received.markers[-1].volumes == N_VOLUMES  # the scanner knows of no loss


def test_a_dying_scanner_leaves_no_end_marker(lab: ThreadPoolExecutor, stream: str) -> None:
    taken = lab.submit(receive, stream, 7, 3)
    with pytest.raises(ScannerDied, match="volume 7"):
        play(recorded(), stream, 200.0, 20, parse_faults("die=7"))
    received = taken.result(30)
    assert [number for number, _, _ in received.volumes] == list(range(7))
    events = [marker.event for marker in received.markers]
    assert events == [Event.RUN_START, Event.TRIAL, Event.TRIAL]


def test_nobody_listening_is_one_line(
    bold: Path, stream: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["play", str(bold), "--stream", stream, "--wait", "0.2", "--quiet"]
    assert main(argv) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"nobody listens to stream '{stream}' after 0.2 s" in error
    with pytest.raises(StreamMissing):
        play(recorded(), stream, wait_s=0.1)


@pytest.fixture
def bold(tmp_path: Path) -> Path:
    run = recorded()
    path = tmp_path / "sub-01" / "func" / "sub-01_task-view_run-1_bold.nii.gz"
    path.parent.mkdir(parents=True)
    image = nib.Nifti1Image(np.asarray(run.data), run.geometry.affine)
    image.header.set_zooms((3, 3, 3.5, TR_S))
    nib.save(image, path)
    lines = ["onset\tduration\ttrial_type", *(f"{t}\t6\tdog" for t in ONSETS_S)]
    path.with_name("sub-01_task-view_run-1_events.tsv").write_text("\n".join(lines))
    assert load_run(path).n_volumes == N_VOLUMES
    return path


def test_the_command_plays_a_run(lab: ThreadPoolExecutor, bold: Path, stream: str) -> None:
    taken = lab.submit(receive, stream, N_VOLUMES, 5)
    assert main(["play", str(bold), "--stream", stream, "--speed", "200", "--quiet"]) == 0
    received = taken.result(30)
    assert len(received.volumes) == N_VOLUMES
    assert [marker.trial_type for marker in received.markers[1:-1]] == ["dog"] * 3


def test_the_command_dies_with_1(lab: ThreadPoolExecutor, bold: Path, stream: str) -> None:
    taken = lab.submit(receive, stream, 2, 2)
    argv = ["play", str(bold), "--stream", stream, "--speed", "200", "--faults", "die=2", "--quiet"]
    assert main(argv) == 1
    assert len(taken.result(30).volumes) == 2


def test_faults_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadConfig, match="int16, which has no NaN"):
        play(recorded(), "s", faults=parse_faults("nan=3"))
    with pytest.raises(BadConfig, match="the run's last is 11"):
        play(recorded(), "s", faults=parse_faults("lose=12"))
    for text in ("loose=3", "lose", "lose=-1", "lose=x"):
        with pytest.raises(ValueError, match="name=volume"):
            parse_faults(text)


def test_what_cannot_be_played_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", str(tmp_path)]) == 1
    assert "is a folder but no session" in capsys.readouterr().err
    assert main(["play", str(tmp_path / "none_bold.nii.gz")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as stopped:
        main(["play", "x", "--faults", "explode=1"])
    assert stopped.value.code == 2


def test_ctrl_c_ends_without_a_traceback(
    bold: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scanner, "play", interrupted)
    assert main(["play", str(bold), "--quiet"]) == 1
    assert capsys.readouterr().err == "rtrecon-simulate: interrupted\n"


def _is_trial(what: Volume | Marker) -> bool:
    return isinstance(what, Marker) and what.event is Event.TRIAL
