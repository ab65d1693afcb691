"""Simulated people with electrodes: repeatable, with the rhythms that their plan says."""

import threading
from uuid import uuid4

import numpy as np
import pytest

from rtrecon.eeg.inlet import EegInlet
from rtrecon.errors import StreamMissing
from simulator.__main__ import main
from simulator.eeg import Head, Plan, Rhythm, send
from simulator.pace import Clock, Pace

CALM = Plan(blinks=0, muscle=0, mains_uv=0)


def power(samples: np.ndarray, low: float, high: float, rate_hz: float = 250.0) -> float:
    """Microvolts squared in a band, by the periodogram."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2 * 2 / len(samples) ** 2
    f = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    return float(spectrum[(f >= low) & (f < high)].sum())


def test_a_seed_gives_the_same_samples_however_they_are_asked_for() -> None:
    plan = Plan(blinks=20, muscle=20, seed=4)
    whole = Head(plan, 2).next(5000)
    head = Head(plan, 2)
    pieces = np.concatenate([head.next(n) for n in (1, 3, 996, 4000)])
    np.testing.assert_array_equal(pieces, whole)
    assert not np.array_equal(Head(plan, 1).next(5000), whole)
    assert not np.array_equal(Head(Plan(blinks=20, muscle=20, seed=5), 2).next(5000), whole)


def test_the_background_falls_with_frequency() -> None:
    samples = Head(Plan(blinks=0, muscle=0, mains_uv=0, amplitude_uv=0), 1).next(50_000)[:, 4]
    octaves = [power(samples, 2.0**n, 2.0 ** (n + 1)) for n in range(7)]
    assert max(octaves) < 1.5 * min(octaves)  # 1/f: the same in every octave
    assert samples.std() == pytest.approx(10, rel=0.2)


@pytest.mark.parametrize(
    ("rhythm", "channel", "band", "ratio"),
    [(Rhythm.ALPHA, 7, (9, 11), 10), (Rhythm.BETA, 3, (16, 20), 10)],
)
def test_bursts_are_where_the_plan_says(
    rhythm: Rhythm, channel: int, band: tuple[float, float], ratio: float
) -> None:
    plan = Plan(rhythm=rhythm, first_s=10, length_s=4, every_s=10, stagger_s=2, blinks=0, muscle=0)
    samples = Head(plan, 2).next(30 * 250)[:, channel]
    assert plan.onsets_s(2)[:2].tolist() == [12, 22]
    inside = power(samples[12 * 250 : 16 * 250], *band)
    assert inside == pytest.approx(20**2 / 2, rel=0.35)
    for begin in (7, 17):
        assert power(samples[begin * 250 : (begin + 4) * 250], *band) < inside / ratio


def test_blinks_are_large_in_front_and_small_behind() -> None:
    plan = Plan(blinks=20, muscle=0, mains_uv=0, seed=1)
    head = Head(plan, 1)
    (first, *_) = head.blinks_s
    samples = head.next(round((first + 1) * 250))
    blink = samples[round(first * 250) : round((first + 0.3) * 250)]
    assert blink[:, 0].max() > 100 > 60 > np.abs(blink[:, 6]).max()


def test_the_mains_can_be_heard() -> None:
    samples = Head(Plan(mains_uv=8, mains_hz=60, blinks=0, muscle=0), 1).next(2500)[:, 2]
    assert power(samples, 59.5, 60.5) == pytest.approx(8**2 / 2, rel=0.1)


def test_people_are_sent_in_step_and_dropouts_are_not() -> None:
    stream = f"sim-{uuid4().hex}"
    plan = Plan(people=2, duration_s=3, dropouts=((1.0, 0.5),), seed=2)
    sender = threading.Thread(target=send, args=(plan, stream, 10.0, 20.0))
    sender.start()
    inlets = [EegInlet(f"{stream}-{n}", 10.0, threading.Event()) for n in (1, 2)]
    came: list[list[np.ndarray]] = [[], []]
    stamps: list[list[np.ndarray]] = [[], []]
    while sender.is_alive():
        for n, inlet in enumerate(inlets):
            for chunk in inlet.pull():
                came[n].append(chunk.samples)
                stamps[n].append(chunk.stamps)
    sender.join()
    kept = plan.sent(np.arange(750) / 250)
    for n, inlet in enumerate(inlets):
        whole = Head(plan, n + 1).next(750)
        np.testing.assert_array_equal(np.concatenate(came[n]), whole[kept])
        at = np.concatenate(stamps[n])
        np.testing.assert_allclose(np.diff(at)[:240], 1 / 2500, atol=2e-3)
        assert at[250] - at[249] == pytest.approx(0.05, abs=0.01)
        inlet.close()
    assert abs(stamps[0][0][0] - stamps[1][0][0]) < 1e-3


def test_time_is_kept() -> None:
    """However long sleeps take, a sample is sent when its time is over, and stamped so."""
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += 1.3 * seconds
        threading.Event().wait(seconds / 10)

    stream = f"sim-{uuid4().hex}"
    plan = Plan(duration_s=1)
    sender = threading.Thread(
        target=send, args=(plan, stream, 1.0, 20.0), kwargs={"clock": Clock(lambda: now[0], sleep)}
    )
    sender.start()
    inlet = EegInlet(f"{stream}-1", 10.0, threading.Event())
    sent: list[np.ndarray] = []
    while sender.is_alive():
        sent += [chunk.sent for chunk in inlet.pull()]
    sender.join()
    inlet.close()
    stamps = np.concatenate(sent)
    np.testing.assert_allclose(stamps, 100.0 + (np.arange(len(stamps)) + 1) / 250, atol=2e-3)


def test_a_busy_machine_never_sleeps_backwards() -> None:
    """The clock goes on between looking at it and sleeping."""
    now = [0.0]

    def tick() -> float:
        now[0] += 0.4
        return now[0]

    slept: list[float] = []
    pace = Pace(Clock(tick, slept.append), 1.0, lambda: False)
    for due_s in range(1, 20):
        pace.wait(due_s)
    assert slept
    assert min(slept) >= 0


def test_nobody_listening_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StreamMissing, match="nobody listens to"):
        send(Plan(), f"sim-{uuid4().hex}", wait_s=0.2)
    assert main(["eeg", "--stream", f"x{uuid4().hex}", "--wait", "0.2", "--quiet"]) == 1
    assert "nobody listens to" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["eeg", "--dropouts", "x"])
