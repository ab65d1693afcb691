"""One run of the simulated scanner: brain, motion and noise become int16 volumes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.brain import Brain
from simulator.motion import MovingHead
from simulator.noise import NoiseLevels, RunNoise


@dataclass(frozen=True)
class RunPlan:
    """What happens in a run.

    Attributes
    ----------
    number : int
        From 1 in the session.
    tr_s, duration_s : float
        Repetition time; how long each picture is shown.
    n_volumes : int
    onsets_s : tuple of float
        When each picture comes on, in run time.
    responses : float32 (n_trials, n_voxels)
        What they evoke, from `Brain.responses`.
    poses : float64 (n_volumes, 6)
        Where the head is, from `motion.session_poses`.
    seed : int
        Drives the noise, together with the run's number.
    """

    number: int
    tr_s: float
    duration_s: float
    n_volumes: int
    onsets_s: tuple[float, ...]
    responses: NDArray[np.float32]
    poses: NDArray[np.float64]
    seed: int


def scan(brain: Brain, plan: RunPlan, levels: NoiseLevels | None = None) -> NDArray[np.int16]:
    """The run's volumes: int16 (i, j, k, n_volumes), k and volumes slowest in memory."""
    rng = np.random.default_rng([plan.seed, 3, plan.number])
    noise = RunNoise(brain.anatomy, plan.tr_s, plan.n_volumes, rng, levels)
    head = MovingHead(brain.anatomy, brain.voxels)
    percent = brain.evoked(
        plan.responses, plan.onsets_s, plan.duration_s, plan.tr_s, plan.n_volumes
    )
    percent += brain.spontaneous(plan.tr_s, plan.n_volumes, rng)
    data = np.empty((*brain.anatomy.early.shape, plan.n_volumes), np.int16, order="F")
    for number, fraction in enumerate(noise.fractions()):
        signal = head.seen(percent[number], plan.poses[number]) * (1 + fraction)
        data[..., number] = _digitised(signal + noise.thermal())
    return data


def _digitised(signal: NDArray[np.float32]) -> NDArray[np.int16]:
    """Magnitude, rounded: what a scanner stores."""
    return np.clip(np.rint(np.abs(signal)), 0, np.iinfo(np.int16).max).astype(np.int16)
