"""How good the simulated data are: `python -m simulator.reliability`.

Shows the same pictures twice, in two orders, and prints how well single trials repeat. The
amplitudes in `simulator.brain` were set by this table.
"""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator import scenes
from simulator.acquisition import RunPlan, scan
from simulator.brain import Brain
from simulator.motion import session_poses
from simulator.noise import NoiseLevels
from simulator.plan import Design, spread_onsets, volumes_until

_AGES_S = (4.0, 12.0)  # of the volumes that make a single-trial estimate
_STEADY = 5  # first volumes left out of the tSNR


class Quality(NamedTuple):
    """What was measured.

    `retest`, `truth`: float (n_voxels,), correlation over pictures of single-trial estimates
    with those of the repeat and with the noiseless response; `tsnr`: float (n_grey,), mean over
    standard deviation; `tsnr_detrended`: the same, less a parabola.
    """

    retest: NDArray[np.float64]
    truth: NDArray[np.float64]
    tsnr: NDArray[np.float64]
    tsnr_detrended: NDArray[np.float64]


def measure(
    brain: Brain, design: Design, n_pictures: int = 120, levels: NoiseLevels | None = None
) -> Quality:
    """Scan every picture twice and compare (a minute at the defaults)."""
    rng = np.random.default_rng([design.seed, 7])
    shown = [scenes.sample_scene(rng) for _ in range(n_pictures)]
    images = np.stack([scenes.render(scene, 64).image for scene in shown])
    responses = brain.responses(shown, images)
    orders = [rng.permutation(n_pictures) for _ in range(2)]
    estimates = []
    for plan in _plans(responses[np.concatenate(orders)], design, rng):
        data = scan(brain, plan, levels)
        estimates.append(single_trials(data[brain.voxels].T, plan))
    halves = np.split(np.concatenate(estimates), 2)
    first, second = (half[np.argsort(order)] for half, order in zip(halves, orders, strict=True))
    grey = data[brain.anatomy.grey > 0.5].T.astype(float)
    truth = (correlation(first, responses) + correlation(second, responses)) / 2
    return Quality(correlation(first, second), truth, *_tsnr(grey[_STEADY:]))


def single_trials(series: NDArray[np.generic], plan: RunPlan) -> NDArray[np.float64]:
    """Lag-weighted means of z-scored volumes 4-12 s after each onset: (n_trials, n_voxels).

    `series`: (n_volumes, n_voxels). The weights are a block's expected response.
    """
    steady = series[2:].astype(float)
    z = (series - steady.mean(0)) / steady.std(0)
    middle_s = (np.arange(len(z)) + 0.5) * plan.tr_s
    since_s = middle_s - np.array(plan.onsets_s)[:, None]
    peak_s = 5 + plan.duration_s / 2
    weights = np.exp(-((since_s - peak_s) ** 2) / (2 * 2.5**2))
    weights *= (since_s >= _AGES_S[0]) & (since_s <= _AGES_S[1])
    return weights / weights.sum(1, keepdims=True) @ z


def correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pearson's r of each column: (n_columns,)."""
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--motion", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    brain = Brain(given.seed)
    design = Design(motion=given.motion, seed=given.seed)
    quality = measure(brain, design, given.pictures)
    early = np.arange(len(quality.retest)) < brain.n_early
    print("percentile                    5     25    50    75    95")
    for name, values in (
        ("test-retest r, early", quality.retest[early]),
        ("test-retest r, ventral", quality.retest[~early]),
        ("r with the truth, early", quality.truth[early]),
        ("r with the truth, ventral", quality.truth[~early]),
        ("tSNR, grey matter", quality.tsnr),
        ("tSNR, detrended", quality.tsnr_detrended),
    ):
        print(
            f"{name:26}" + "".join(f"{q:6.2f}" for q in np.percentile(values, (5, 25, 50, 75, 95)))
        )
    return 0


def _plans(
    responses: NDArray[np.float32], design: Design, rng: np.random.Generator
) -> list[RunPlan]:
    """Runs that evoke these responses, (n_trials, n_voxels), one after the other."""
    parts = np.split(responses, range(design.trials, len(responses), design.trials))
    onsets = [spread_onsets(len(part), design.trial_s, rng) for part in parts]
    volumes = [volumes_until(times_s, design) for times_s in onsets]
    poses = session_poses(volumes, design.tr_s, design.motion, rng)
    return [
        RunPlan(number, design.tr_s, design.stimulus_s, *rest, design.seed)
        for number, rest in enumerate(zip(volumes, onsets, parts, poses, strict=True), 1)
    ]


def _tsnr(series: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = series.mean(0)
    trend = np.polynomial.legendre.legvander(np.linspace(-1, 1, len(series)), 2)
    rest = series - trend @ np.linalg.lstsq(trend, series, rcond=None)[0]
    return mean / series.std(0), mean / rest.std(0)


if __name__ == "__main__":
    raise SystemExit(main())
