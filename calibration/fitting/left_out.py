"""What predictions of left-out samples say of decoders: correlation, gain, confidence.

Samples by the ten thousand have targets by the ten thousand: they are gone through in blocks.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.data.samples import Samples
from calibration.fitting.confidence import fit_confidence
from calibration.fitting.scratch import Floats, row_blocks
from rtrecon.confidence import Confidence
from rtrecon.decode import Naming, unit

MAX_GAIN = 3.0


def gain(held_out: Floats, truth: Floats) -> float:
    """What brings predictions back to the spread of the truth, from which ridge shrinks them.

    One number for all targets, so that no badly predicted one is blown up, and `MAX_GAIN` at most,
    so that decoders which predict nothing keep drawing next to nothing.

    Parameters
    ----------
    held_out, truth : float32 (n_samples, n_targets)
    """
    mean = truth.mean(axis=0)
    shrunk, full = (_spread(rows, mean) for rows in (held_out, truth))
    return min(full / max(shrunk, 1e-12), MAX_GAIN)


def correlation(held_out: Floats, truth: Floats) -> float:
    """Mean over samples of the correlation over targets, both less the truth's mean."""
    mean = truth.mean(axis=0)
    of_samples = [
        (unit(held_out[rows] - mean) * unit(truth[rows] - mean)).sum(axis=1)
        for rows in row_blocks(len(truth))
    ]
    return float(np.concatenate(of_samples).mean())


def confidence(
    samples: Samples,
    held_out: Floats,
    y_mean: Floats,
    names: Sequence[str],
    candidate_c: Floats,
) -> Confidence:
    """How sure decoders may be of the candidates' names, by the samples that show one of them.

    Parameters
    ----------
    samples : Samples
    held_out : float32 (n_samples, n_c)
        What was predicted of each.
    y_mean : float32 (n_c,)
    names, candidate_c : sequence of str, float32 (n_candidates, n_c)
    """
    index = {name: n for n, name in enumerate(names)}
    truth = np.array([index.get(samples.shown[trial].trial_type, -1) for trial in samples.trials])
    known = truth >= 0
    naming = Naming(candidate_c, y_mean)
    scores = np.concatenate([naming(held_out[rows]) for rows in row_blocks(len(truth))])
    trials = len(np.unique(samples.trials[known]))
    return fit_confidence(scores[known], samples.variances[known], truth[known], trials)


def _spread(rows: Floats, mean: NDArray[np.float32]) -> float:
    """Standard deviation of all values less their column's mean."""
    total = squares = 0.0
    for of in row_blocks(len(rows)):
        less = (rows[of] - mean).astype(np.float64)
        total, squares = total + float(less.sum()), squares + float((less**2).sum())
    return float(np.sqrt(max(squares / rows.size - (total / rows.size) ** 2, 0.0)))
