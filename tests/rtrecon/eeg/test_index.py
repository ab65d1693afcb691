"""The index of a person's signal, against plain numpy and scipy over the whole recording."""

from math import ceil, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal as dsp

from rtrecon.eeg.index import Measure, Reading
from rtrecon.eeg.settings import Artefacts, Eeg, Index
from rtrecon.eeg.signal import Signal
from rtrecon.errors import Mismatch
from simulator.eeg import Head, Plan, Rhythm

NAN = float("nan")


def make_signal(rate_hz: float = 250.0, n_channels: int = 8, **named: object) -> Signal:
    labels = Plan(channels=n_channels).labels
    return Signal("eeg", labels, rate_hz, "float32", (NAN,) * n_channels, **named)  # type: ignore[arg-type]


def readings(
    eeg: Eeg, samples: NDArray[np.float32], rate_hz: float = 250.0, cuts: list[int] | None = None
) -> list[Reading]:
    measure = Measure(eeg, make_signal(rate_hz, samples.shape[1]))
    return [r for piece in np.split(samples, cuts or []) for r in measure.add(piece)]


def same(one: list[Reading], other: list[Reading]) -> bool:
    """Bit by bit, with nan equal to nan."""
    return [(r.sample, repr(r.raw), r.fault) for r in one] == [
        (r.sample, repr(r.raw), r.fault) for r in other
    ]


def plain_power(
    samples: NDArray[np.float64], low: float, high: float, rate_hz: float, window: int
) -> NDArray[np.float64]:
    """Mean over channels of the power in a band over the window up to each sample."""
    b = dsp.butter(2, (low, high), "bandpass", fs=rate_hz, output="sos")
    start = dsp.sosfilt_zi(b)[:, :, None] * samples[0]
    squares = dsp.sosfilt(b, samples, axis=0, zi=start)[0] ** 2
    sums = np.cumsum(np.vstack([np.zeros(samples.shape[1]), squares]), axis=0)
    return ((sums[window:] - sums[:-window]) / window).mean(axis=1)


@pytest.fixture(scope="module")
def recording() -> NDArray[np.float32]:
    """40 s of a person, blinks and all."""
    return Head(Plan(first_s=15, length_s=5, blinks=10, muscle=4, seed=3), 1).next(10_000)


def test_relaxation_is_the_log_of_alpha_power_in_plain_numpy(
    recording: NDArray[np.float32],
) -> None:
    eeg = Eeg(channels=("O1", "o2"), mains_hz=50, window_s=0.4)
    values = recording[:, 6:8].astype(np.float64)
    section = dsp.tf2sos(*dsp.iirnotch(50, 30, fs=250))
    clean = dsp.sosfilt(section, values, axis=0, zi=dsp.sosfilt_zi(section)[:, :, None] * values[0])
    power = plain_power(clean[0], 8, 12, 250, window=100)
    got = [r for r in readings(eeg, recording) if not r.fault]
    assert len(got) > 600
    plain = [np.log(power[r.sample - 100]) for r in got]
    np.testing.assert_allclose([r.raw for r in got], plain, rtol=1e-9)


def test_attention_is_beta_over_alpha_and_theta(recording: NDArray[np.float32]) -> None:
    got = [
        r
        for r in readings(Eeg(index=Index.ATTENTION, channels=("3", "4", "5")), recording)
        if not r.fault
    ]
    values = recording[:, 2:5].astype(np.float64)
    theta, alpha, beta = (plain_power(values, *b, 250, 125) for b in ((4, 8), (8, 13), (13, 22)))
    plain = np.log(beta / (alpha + theta))
    np.testing.assert_allclose(
        [r.raw for r in got], [plain[r.sample - 125] for r in got], rtol=1e-8
    )


def test_band_is_power_in_microvolts_squared() -> None:
    times = np.arange(2500) / 250
    sine = (6 * np.sin(2 * np.pi * 20 * times)).astype(np.float32)[:, None]
    got = readings(Eeg(index=Index.BAND, band=(15, 25), window_s=1), sine)
    assert got[-1].raw == pytest.approx(6**2 / 2, rel=0.01)
    in_nanovolts = Measure(Eeg(index=Index.BAND, band=(15, 25), window_s=1, unit_uv=1e-3),
                           make_signal(n_channels=1))  # fmt: skip
    assert [*in_nanovolts.add(sine * 1e3)][-1].raw == pytest.approx(got[-1].raw, rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=60).map(sorted))
def test_cuts_into_chunks_change_nothing(cuts: list[int]) -> None:
    samples = Head(Plan(first_s=10, blinks=20, muscle=10, seed=1), 1).next(5000).copy()
    samples[1200:1210, 0] = np.nan
    samples[2000:2300, 3] = 7
    eeg = Eeg(mains_hz=50, artefacts=Artefacts(steep_uv_per_ms=20))
    assert same(readings(eeg, samples, cuts=cuts), readings(eeg, samples))


@pytest.mark.parametrize("index", [Index.RELAXATION, Index.ATTENTION])
def test_later_samples_change_nothing_earlier(recording: NDArray[np.float32], index: Index) -> None:
    eeg = Eeg(index=index, mains_hz=50)
    whole = readings(eeg, recording)
    for end in (333, 4000, 7777):
        other = recording.copy()
        other[end:] = np.random.default_rng(0).normal(0, 1000, other[end:].shape)
        other[end + 50 :: 7] = np.nan
        before = [r for r in readings(eeg, other) if r.sample <= end]
        assert same(before, [r for r in whole if r.sample <= end])
        assert not same(readings(eeg, other), whole)


@pytest.mark.parametrize("rate_hz", [100.0, 250.0, 511.9, 2000.0])
@pytest.mark.parametrize("scores", [10.0, 20.0, 30.0])
def test_so_many_scores_a_second(rate_hz: float, scores: float) -> None:
    samples = np.zeros((round(10 * rate_hz), 1), np.float32)
    got = readings(Eeg(rate_hz=scores), samples, rate_hz, cuts=[17, 401])
    assert len(got) == pytest.approx(10 * scores, abs=1)
    assert [r.sample for r in got] == [ceil(k * rate_hz / scores) for k in range(1, len(got) + 1)]


@pytest.mark.parametrize(
    ("rhythm", "index", "rate_hz"),
    [
        (Rhythm.ALPHA, Index.RELAXATION, 100.0),
        (Rhythm.ALPHA, Index.RELAXATION, 250.0),
        (Rhythm.ALPHA, Index.RELAXATION, 2000.0),
        (Rhythm.BETA, Index.ATTENTION, 250.0),
        (Rhythm.BETA, Index.ATTENTION, 1000.0),
    ],
)
def test_a_burst_raises_the_index_within_half_a_second(
    rhythm: Rhythm, index: Index, rate_hz: float
) -> None:
    """From the burst's first sample to the score above the level: mean + 2 SD of what was before."""
    plan = Plan(rate_hz=rate_hz, rhythm=rhythm, first_s=15, every_s=10, length_s=3, blinks=0,
                muscle=0, duration_s=120)  # fmt: skip
    delays = []
    for person in range(1, 5):
        samples = Head(plan, person).next(round(60 * rate_hz))
        got = readings(Eeg(index=index, channels=("Cz", "Pz", "O1", "O2")), samples, rate_hz)
        time = np.array([r.sample for r in got]) / rate_hz
        raw = np.array([r.raw for r in got])
        rest = raw[(time > 3) & (time < 15)]
        level = rest.mean() + 2 * rest.std()
        for onset in (15, 25, 35, 45):
            above = time[(time > onset) & (raw > level)]
            delays.append(above[0] - onset)
            held = raw[(time > onset + 1) & (time < onset + 2.9)]
            assert (held > level).mean() > 0.9
    assert max(delays) <= 0.5
    assert np.median(delays) <= 0.3


def test_an_offset_of_millivolts_is_no_artefact_and_changes_no_score(
    recording: NDArray[np.float32],
) -> None:
    moved = recording.astype(np.float64) + 20_000
    plain = readings(Eeg(), recording.astype(np.float64))
    shifted = readings(Eeg(), moved)
    assert [r.fault for r in shifted] == [r.fault for r in plain]
    np.testing.assert_allclose([r.raw for r in shifted], [r.raw for r in plain], atol=1e-6)


def test_a_blink_gives_no_score_until_its_traces_are_gone() -> None:
    quiet = Head(Plan(blinks=0, muscle=0, mains_uv=0, seed=5), 1).next(5000)
    blink = quiet.copy()
    blink[2500:2575, 0] += (200 * np.sin(np.pi * np.arange(75) / 75)).astype(np.float32)
    eeg = Eeg(channels=("Fp1", "O1"))
    plain, got = readings(eeg, quiet), readings(eeg, blink)
    assert not [r.fault for r in plain[40:] if r.fault]
    faults = [r for r in got if r.sample > 1000 and r.fault]
    assert {r.fault for r in faults} == {"artefact: Fp1 too large"}
    assert all(isnan(r.raw) for r in faults)
    assert 2500 < faults[0].sample < 2535  # as soon as it is too large
    assert 2575 + 125 < faults[-1].sample < 2575 + 250 + 250  # window and refractory time
    after = [
        (a.raw, b.raw) for a, b in zip(plain, got, strict=True) if a.sample > faults[-1].sample
    ]
    assert max(abs(a - b) for a, b in after) < 0.2
    other = readings(Eeg(channels=("O1",)), blink)
    assert not [r for r in other if r.sample > 1000 and r.fault]


@pytest.mark.parametrize(
    ("spoil", "artefacts", "fault"),
    [
        (lambda s: s.__setitem__((slice(2500, 2900), 1), 3.0), Artefacts(), "artefact: Fp2 flat"),
        (lambda s: s.__setitem__((2600, 2), np.nan), Artefacts(), "artefact: C3 not a number"),
        (lambda s: s.__setitem__((2600, 2), np.inf), Artefacts(), "artefact: C3 not a number"),
        (lambda s: s.__setitem__((2600, 4), 3e38), Artefacts(), "artefact: C4 too large"),
        (
            lambda s: s.__setitem__((slice(2600, None), 5), s[2600:, 5] + 60),
            Artefacts(steep_uv_per_ms=10),
            "artefact: Pz too steep",
        ),
    ],
)  # fmt: skip
def test_what_is_no_eeg_gives_no_score_and_heals(
    spoil: object, artefacts: Artefacts, fault: str
) -> None:
    samples = Head(Plan(blinks=0, muscle=0, mains_uv=0, seed=6), 1).next(7500)
    spoil(samples)  # type: ignore[operator]
    got = readings(Eeg(artefacts=artefacts), samples)
    assert {r.fault for r in got if 2500 < r.sample < 5000 and r.fault} == {fault}
    assert not [r for r in got if 1000 < r.sample <= 2500 and r.fault]
    late = [r for r in got if r.sample > 6000]
    assert not [r.fault for r in late if r.fault]
    assert max(abs(r.raw) for r in late) < 10


def test_flat_is_what_a_plain_sliding_range_says() -> None:
    rng = np.random.default_rng(2)
    samples = np.cumsum(rng.normal(0, 0.05, (3000, 3)), axis=0)
    samples[1000:1400, 1] = samples[1000, 1]
    from rtrecon.eeg.artefacts import Detector

    for flat_s in (0.2, 0.204):  # an even and an odd length
        detect = Detector(Artefacts(flat_uv=0.4, flat_s=flat_s, amplitude_uv=1e5), 250.0)
        none = np.zeros(samples.shape, bool)
        pieces = [(samples[a:b], none[a:b]) for a, b in ((0, 7), (7, 1200), (1200, 3000))]
        found = np.concatenate([detect(*piece) for piece in pieces])
        length = round(flat_s * 250)
        windows = np.lib.stride_tricks.sliding_window_view(samples, length, axis=0)
        plain = np.zeros(samples.shape, bool)
        plain[length - 1 :] = np.ptp(windows, axis=-1) < 0.4
        assert plain.any()
        np.testing.assert_array_equal(found == 2, plain)


def test_after_a_gap_the_filters_begin_anew(recording: NDArray[np.float32]) -> None:
    measure = Measure(Eeg(channels=("O1",)), make_signal())
    list(measure.add(recording[:3000]))
    measure.gap()
    after = list(measure.add(recording[3000:6000]))
    fresh = readings(Eeg(channels=("O1",)), recording[3000:6000, [6] * 8])
    assert after[0].fault == "settling: too little signal yet"
    assert [repr(r.raw) for r in after][20:] == [repr(r.raw) for r in fresh][: len(after)][20:]


@pytest.mark.parametrize(
    ("eeg", "said"),
    [
        (Eeg(channels=("Oz9",)), "no channel 'Oz9': it has Fp1, Fp2"),
        (Eeg(index=Index.BAND, band=(60, 140)), "too few for 140 Hz"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused(eeg: Eeg, said: str) -> None:
    with pytest.raises(Mismatch, match=said):
        Measure(eeg, make_signal())


def test_a_long_loud_session_keeps_its_numbers() -> None:
    """No running sum drifts, and what was huge leaves nothing behind."""
    quiet = Head(Plan(blinks=0, muscle=0, mains_uv=0, seed=8), 1).next(3000)
    loud = np.concatenate([quiet, np.full((5000, 8), 1e9, np.float32), np.tile(quiet, (3, 1))])
    end, plain = readings(Eeg(), loud)[-1], readings(Eeg(), quiet)[-1]
    assert not end.fault
    assert end.raw == pytest.approx(plain.raw, abs=1e-6)
