"""EEG sessions from the command line with simulated people: what happened is in the folder."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from math import exp, isnan, nan
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pylsl
import pytest
from numpy.typing import NDArray
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
from scipy import signal as dsp

from rtrecon.__main__ import main
from rtrecon.eeg.inlet import gaps_in
from rtrecon.eeg.protocols import PROTOCOLS
from rtrecon.remote import Follower
from rtrecon.scores import scores_of
from rtrecon.types import Block, Event, Marker, Presentation, Score
from rtrecon.verify import verify
from rtrecon.wire import marker_info, text_of
from simulator.eeg import Head, Plan, Rhythm, send
from tests.live import rows
from tests.told import eventually

pytestmark = [pytest.mark.timeout(60)]

SPEED = 10.0
ONE = """
stream = "STREAM"
[eeg]
channels = ["O1", "O2"]
[protocol]
[protocol.baseline]
kind = "rest"
[protocol.scale]
low = -1
high = 4
[[block]]
kind = "rest"
duration_s = 5
[[block]]
kind = "regulate"
duration_s = 10
[[person]]
name = "Ada"
stream = "STREAM-1"
"""


@pytest.fixture
def stream() -> str:
    return f"eeg-{uuid4().hex[:8]}"


@pytest.fixture
def people(stream: str) -> Iterator[Callable[..., None]]:
    """Starts simulated people; they end when their listeners leave."""
    senders = []

    def begin(*plans: Plan) -> None:
        """One simulation, then the next, as if the amplifier's program were started anew."""

        def work() -> None:
            for plan in plans:
                send(plan, stream, SPEED, 30.0)

        senders.append(threading.Thread(target=work))
        senders[-1].start()

    yield begin
    for sender in senders:
        sender.join(timeout=35)
        assert not sender.is_alive()


class Listener:
    """A real OSC server on a port of its own."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []
        dispatcher = Dispatcher()
        dispatcher.set_default_handler(lambda address, *rest: self.heard.append((address, *rest)))
        self.server = BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Lamp:
    """A real Art-Net node: it keeps red, green and blue of every packet."""

    def __init__(self) -> None:
        self.lights: list[list[int]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                packet = self._socket.recv(1024)
                assert packet[:10] == b"Art-Net\0\x00\x50"  # ArtDmx
                self.lights.append(list(packet[18:21]))

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def lamp() -> Iterator[Lamp]:
    lamp = Lamp()
    yield lamp
    lamp.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def shortened(
    protocol: str, folder: Path, stream: str, durations: list[float], **ports: int
) -> Path:
    """A protocol that comes with the program, with shorter blocks and streams of this test."""
    text = PROTOCOLS[protocol].read_text()
    left = iter(durations)
    text = re.sub(r"duration_s = \d+", lambda _: f"duration_s = {next(left)}", text)
    text = text.replace('"eeg-', f'"{stream}-').replace(
        f'stream = "{protocol}"', f'stream = "{stream}"'
    )
    text = re.sub(r"skip_s = \d+", "skip_s = 2", text).replace("fade_s = 1.0", "fade_s = 0.5")
    for kind, port in ports.items():
        text = re.sub(rf'(kind = "{kind}"[^[]*?)port = \d+', rf"\1port = {port}", text)
        if kind == "artnet":
            text = text.replace('host = "127.0.0.1"', f'host = "127.0.0.1"\nport = {port}')
    (folder / "session.toml").write_text(text)
    return folder / "session.toml"


def run(toml: Path, output: Path, *more: object) -> dict[str, Any]:
    """A whole session in this process; returns summary.json."""
    arguments = ["run", "--config", toml, "--headless", "--output", output, "--wait", 20, *more]
    assert main([str(argument) for argument in arguments]) == 0
    summary: dict[str, Any] = json.loads((output / "summary.json").read_text())
    return summary


def of(folder: Path, person: str) -> list[Score]:
    return [s for s in scores_of(rows(folder / "scores.tsv")) if s.person == person]


def plain_index(
    samples: NDArray[Any], bands: list[tuple[float, float]], mains: bool, window: int
) -> list[NDArray[np.float64]]:
    """Power of each band after so many samples, by scipy over the whole recording at once."""
    values = samples.astype(np.float64)
    if mains:
        sos = dsp.tf2sos(*dsp.iirnotch(50, 30, fs=250))
        values, _ = dsp.sosfilt(sos, values, 0, dsp.sosfilt_zi(sos)[:, :, None] * values[0])
    powers = []
    for band in bands:
        sos = dsp.butter(2, band, "bandpass", fs=250, output="sos")
        out, _ = dsp.sosfilt(sos, values, 0, dsp.sosfilt_zi(sos)[:, :, None] * values[0])
        sums = np.cumsum(np.vstack([np.zeros(samples.shape[1]), out**2]), axis=0)
        power = np.full(len(samples) + 1, nan)
        power[window:] = ((sums[window:] - sums[:-window]) / window).mean(axis=1)
        powers.append(power)
    return powers


def plain_values(
    scores: list[Score], rest_s: float, skip_s: float, low: float, high: float, smooth_s: float
) -> list[float]:
    """Every value again from the raw ones, with nothing but a loop."""
    rest: list[float] = []
    smooth = last = nan
    values = []
    for score in scores:
        if isnan(score.raw):
            values.append(nan)
            continue
        if skip_s <= score.elapsed < rest_s:
            rest.append(score.raw)
        share = 1.0 if isnan(last) or not smooth_s else 1 - exp(-(score.elapsed - last) / smooth_s)
        smooth = score.raw if isnan(smooth) else smooth + share * (score.raw - smooth)
        last = score.elapsed
        known = len(rest) >= 3
        z = (smooth - np.mean(rest)) / np.std(rest, ddof=1) if known else nan
        values.append(float(np.clip((z - low) / (high - low), 0, 1)))
    return values


def test_concentration_fires_each_persons_trigger_once(
    stream: str, people: Callable[..., None], tmp_path: Path, listener: Listener
) -> None:
    plan = Plan(people=4, rhythm=Rhythm.BETA, first_s=19, length_s=4, every_s=6, stagger_s=3,
                blinks=6, muscle=2, duration_s=80, seed=1)  # fmt: skip
    toml = shortened("concentration", tmp_path, stream, [15, 20], osc=listener.port)
    people(plan)
    folder = tmp_path / "session"
    summary = run(toml, folder)
    assert list(summary["people"]) == ["Ada", "Ben", "Cleo", "Dan"]
    firings = rows(folder / "firings.tsv")
    assert sorted(firing["person"] for firing in firings) == ["Ada", "Ben", "Cleo", "Dan"]
    assert [firing["person"] for firing in firings] == ["Ada", "Ben", "Cleo", "Dan"]  # as staggered
    assert sorted(heard[:2] for heard in listener.heard) == [
        (f"/trigger/{n}", 1) for n in (1, 2, 3, 4)
    ]
    sent = [row for row in rows(folder / "sent.tsv") if row["what"] == "trigger"]
    assert {row["error"] for row in sent} == {"n/a"}
    assert len([row for row in sent if row["output"].startswith("osc")]) == 4
    about = json.loads((folder / "session.json").read_text())
    assert [person["colour"] for person in about["people"]] == [
        "#56b4e9",
        "#e69f00",
        "#009e73",
        "#cc79a7",
    ]
    for n, name in enumerate(["Ada", "Ben", "Cleo", "Dan"], 1):
        told = summary["people"][name]
        samples = np.load(folder / f"eeg-{n}.npy")
        np.testing.assert_array_equal(samples, Head(plan, n).next(len(samples)))
        assert told["samples"] == len(samples) == len(np.load(folder / f"eeg-{n}-stamps.npy"))
        assert told["gaps"] == 0
        (fired,) = told["firings"]
        assert 1000 / SPEED <= fired["crossing_to_firing_ms"] < 3000 / SPEED  # held for a second
        assert [block["kind"] for block in told["blocks"]] == ["rest", "regulate"]
        assert told["blocks"][1]["value"] > told["blocks"][0]["value"] + 0.1
        scores = of(folder, name)
        assert all(isnan(s.told) for s in scores if s.block.value == "rest")
        theta, alpha, beta = plain_index(samples[:, 2:6], [(4, 8), (8, 13), (13, 22)], True, 250)
        plain = np.log(beta / (alpha + theta))
        known = [s for s in scores if not isnan(s.raw)]
        assert len(known) > 450
        np.testing.assert_allclose(
            [s.raw for s in known], [plain[s.sample] for s in known], rtol=1e-8
        )
        values = plain_values(scores, rest_s=15, skip_s=2, low=0, high=4, smooth_s=0.3)
        np.testing.assert_allclose([s.value for s in scores], values, atol=1e-9)


@contextmanager
def followed(stream: str) -> Iterator[list[Presentation]]:
    """What a spectators' screen elsewhere gets to see of the session."""
    seen: list[Presentation] = []
    over = threading.Event()
    follower = Follower(stream, role="spectator")

    def look() -> None:
        while not over.wait(0.02):
            seen.append(follower.presentation)

    looking = threading.Thread(target=look)
    looking.start()
    yield seen
    over.set()
    looking.join()
    follower.close()


def test_band_power_plays_sound_and_light_by_itself(
    stream: str, people: Callable[..., None], tmp_path: Path, listener: Listener, lamp: Lamp
) -> None:
    durations = [10, 10, 4, 10, 4, 10, 4]
    toml = shortened("band-power", tmp_path, stream, durations, osc=listener.port, artnet=lamp.port)
    people(Plan(first_s=13, length_s=8, every_s=14, blinks=4, duration_s=90, seed=2))
    folder = tmp_path / "session"
    with followed(stream) as seen:
        ada = run(toml, folder)["people"]["Ada"]
    assert {shown.people[0].name for shown in seen if shown.scores} == {"Ada"}
    assert {shown.block for shown in seen} >= {Block.REST, Block.REGULATE}
    assert any(shown.scores["Ada"].told > 0.5 for shown in seen if shown.scores)
    lights = lamp.lights
    assert [block["kind"] for block in ada["blocks"]] == ["rest", "regulate"] * 3 + ["rest"]
    assert [block["told"] is None for block in ada["blocks"]] == [True, False] * 3 + [True]
    assert max(light[0] for light in lights) > 100 > 60 > min(light[0] for light in lights)
    assert lights[-1] == [0, 0, 0]
    scores = of(folder, "Ada")
    told = [heard[1] for heard in listener.heard if heard[0] == "/band-power/Ada"]
    assert set(np.round([s.told for s in scores if not isnan(s.told)], 4)) >= set(
        np.round([value for value in told if value >= 0], 4)
    )
    assert -1 in told
    assert max(told) > 0.8
    with wave.open(str(folder / "sound.wav")) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        played = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    assert seconds == pytest.approx(sum(durations) / SPEED, abs=2)
    assert np.abs(played).max() > 1000
    sent = rows(folder / "sent.tsv")
    assert {row["error"] for row in sent} == {"n/a"}
    assert {row["output"].split()[0] for row in sent} == {"artnet", "sound", "osc", "lsl"}
    (power,) = plain_index(np.load(folder / "eeg-1.npy")[:, 5:8], [(8, 12)], True, 125)
    known = [s for s in scores if not isnan(s.raw)]
    plain = np.log([power[s.sample] for s in known])
    np.testing.assert_allclose([s.raw for s in known], plain, rtol=1e-8)
    assert ada["artefact_share"] == 0
    values = plain_values(scores, rest_s=10, skip_s=2, low=-1, high=4, smooth_s=0.5)
    first = [n for n, s in enumerate(scores) if s.elapsed < 20]  # later rests are baseline, too
    np.testing.assert_allclose(
        [scores[n].value for n in first], [values[n] for n in first], atol=1e-9
    )


def test_a_stream_that_comes_back_after_a_while_and_a_dropout(
    stream: str, people: Callable[..., None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text(ONE.replace("STREAM", stream).replace("duration_s = 10", "duration_s = 60"))
    first = Plan(duration_s=12, dropouts=((8.0, 3.0),), blinks=0, muscle=0)
    people(first, Plan(duration_s=60, seed=9, blinks=0, muscle=0))
    (ada,) = run(toml, tmp_path / "session")["people"].values()
    assert ada["gaps"] == 2
    assert ada["without_score"]["no signal"] >= 1
    stamps = np.load(tmp_path / "session" / "eeg-1-stamps.npy")[:, 0]
    gaps = gaps_in(stamps, stamps[0] - 1 / 2500, 1 / 2500)
    assert len(gaps) == 2
    scores = of(tmp_path / "session", "Ada")
    for gap in gaps:  # nothing is known until filter and window are full again
        after = [s for s in scores if gap < s.sample < gap + 250]
        assert after
        assert all(isnan(s.raw) and isnan(s.told) for s in after)
    late = [s for s in scores if s.sample > gaps[1] + 260]
    assert late
    assert not any(isnan(s.raw) for s in late)
    lines = (tmp_path / "session" / "status.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    assert [phase for phase, _ in groupby(line["phase"] for line in said)] == [
        "waiting for the first volume", "running", "ended",
    ]  # fmt: skip
    whats = [trouble["what"] for line in said for trouble in line["troubles"]]
    assert "no signal from Ada: it is scored as missing, and waited for" in whats
    assert said[-1]["troubles"] == []
    assert "is back" in (tmp_path / "session" / "log.txt").read_text()
    check_verified(tmp_path / "session", scores, gaps)


def check_verified(folder: Path, scores: list[Score], gaps: list[int]) -> None:
    """Worked out anew it is the same to the bit, gaps included; and what is changed is named."""
    verdict = verify(folder)
    assert (verdict.first, verdict.notes) == ("", [])
    assert {c.name: c.compared for c in verdict.checks}["scores.tsv"] == len(scores)
    samples = np.load(folder / "eeg-1.npy", mmap_mode="r+")
    last = next(s for s in reversed(scores) if not isnan(s.raw))
    o1 = 6
    samples[last.sample - 1, o1] = np.nextafter(samples[last.sample - 1, o1], np.float32(np.inf))
    samples.flush()
    assert verify(folder).first.startswith(f"scores.tsv score {last.number} (Ada), raw: ")
    samples[last.sample - 1, o1] = np.nextafter(samples[last.sample - 1, o1], np.float32(-np.inf))
    samples.flush()
    text = (folder / "scores.tsv").read_text().splitlines(keepends=True)
    (folder / "scores.tsv").write_text("".join(text[:-9]))  # as if nobody had scored the rest
    assert "today's scoring makes" in verify(folder).first
    (folder / "summary.json").unlink()
    with (folder / "eeg-1.npy").open("r+b") as opened:  # a kill may tear the last row
        opened.truncate((folder / "eeg-1.npy").stat().st_size - 3)
    cut = verify(folder)
    assert cut.first == ""
    assert "the session was cut off" in cut.notes[0]


def test_a_session_ends_when_nothing_comes(
    stream: str, people: Callable[..., None], tmp_path: Path
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text(ONE.replace("STREAM", stream).replace("duration_s = 10", "duration_s = 6000"))
    people(Plan(duration_s=10))
    summary = run(toml, tmp_path / "session", "--until-idle", "1")
    assert 2000 < summary["people"]["Ada"]["samples"] <= 2500


def test_ctrl_c_leaves_a_whole_folder(
    stream: str, people: Callable[..., None], tmp_path: Path
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text(ONE.replace("STREAM", stream))
    people(Plan())
    folder = tmp_path / "session"
    program = subprocess.Popen(
        [sys.executable, "-m", "rtrecon", "run", "--config", toml, "--headless", "--output", folder]
    )
    deadline = time.monotonic() + 30
    while not (folder / "scores.tsv").exists() or len(rows(folder / "scores.tsv")) < 20:
        assert time.monotonic() < deadline
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it has ended: {program.wait(0.05)}")
    program.send_signal(signal.SIGINT)
    assert program.wait(20) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["people"]["Ada"]["scores"] == len(rows(folder / "scores.tsv"))
    assert summary["recording"]["failed_writes"] == 0
    assert json.loads((folder / "status.jsonl").read_text().splitlines()[-1])["phase"] == "ended"


def test_a_participant_who_stops_ends_it_from_any_program(
    stream: str, people: Callable[..., None], tmp_path: Path
) -> None:
    """By a marker; what is recorded ends there."""
    toml = tmp_path / "session.toml"
    toml.write_text(ONE.replace("STREAM", stream).replace("duration_s = 10", "duration_s = 6000"))
    people(Plan(duration_s=300))
    folder = tmp_path / "session"

    def stop() -> None:
        eventually(lambda: (folder / "scores.tsv").exists(), 30.0)
        outlet = pylsl.StreamOutlet(marker_info(stream, ""))
        assert outlet.wait_for_consumers(20.0)
        outlet.push_sample([text_of(Marker(Event.WITHDRAW))])
        eventually(lambda: (folder / "summary.json").exists(), 20.0)

    stopping = threading.Thread(target=stop)
    stopping.start()
    summary = run(toml, folder)
    stopping.join(30)
    said = [json.loads(line) for line in (folder / "status.jsonl").read_text().splitlines()]
    assert said[-1]["phase"] == "stopped by the participant"
    assert summary["people"]["Ada"]["scores"] >= len(rows(folder / "scores.tsv")) > 0


def refused(toml: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    arguments = ["run", "--headless", "--config", str(toml), "--wait", "10", *more]
    assert main([*arguments, "--output", str(toml.parent / "session")]) == 1
    said = [line for line in capsys.readouterr().err.splitlines() if "looking for" not in line]
    assert len(said) == 1
    assert not (toml.parent / "session").exists()
    return said[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[protocol]", "[protocol]\nmeasure = 'region'", "measure = 'region': with EEG"),
        ("[protocol]", "[protocol]\nwhen = 'trial'", "EEG has no trials"),
        ("[protocol]", "[protocol]\nshows = ['reconstruction']", "EEG gives no reconstruction"),
        ("[eeg]", "[eeg]\nindex = 'sleep'", "must be one of relaxation, attention, band"),
        ("[eeg]", "[eeg]\nindex = 'band'", "index 'band' needs one"),
        ("[eeg]", "[eeg]\nband = [12, 8]", "must be two frequencies"),
        ("[eeg]", "[eeg]\nrate_hz = 100", "rate_hz = 100: must be 10 to 30"),
        ("[eeg]", "[eeg]\nmains_hz = 55", "mains_hz = 55: must be 50 or 60"),
        ("[eeg]", "[eeg]\nartefacts = {amplitude_uv = -1}", "amplitude_uv = -1"),
        ('name = "Ada"', 'name = "Ada"\ncolour = "red"', "colour = 'red': must be like"),
        ('name = "Ada"', 'name = ""', "name = ''"),
        ('[[person]]\nname = "Ada"', '[[person]]\nstream = "x"\nname = "Ada"\n[[person]]\nname = "Ada"',
         "two have the name 'Ada'"),
        ("[[person]]", "[[nobody]]", "unknown key 'nobody'"),
        ("stream", "decoder = 'x'\nstream", "unknown key 'decoder'"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_configuration_is_one_line(
    old: str, new: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text(ONE.replace(old, new, 1))
    assert said in refused(toml, capsys)


def test_what_an_eeg_session_cannot_do_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text(ONE)
    assert "--decoder is of no use in an EEG session" in refused(toml, capsys, "--decoder", "x")
    toml.write_text(ONE.replace("[protocol", "[protocols", 1))
    assert "unknown key 'protocols'" in refused(toml, capsys)
    toml.write_text(re.sub(r"\[\[person.*", "", ONE, flags=re.DOTALL))
    assert "needs 1 to 16 people" in refused(toml, capsys)


def test_streams_that_are_missing_or_do_not_fit_are_one_line(
    stream: str, people: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = tmp_path / "session.toml"
    toml.write_text(ONE.replace("STREAM", stream))
    assert f"no EEG stream '{stream}-1' within 0.5 s" in refused(toml, capsys, "--wait", "0.5")
    toml.write_text(ONE.replace("STREAM", stream).replace('"O2"', '"Oz"'))
    people(Plan(duration_s=20))
    assert "has no channel 'Oz': it has Fp1, Fp2, C3" in refused(toml, capsys)
