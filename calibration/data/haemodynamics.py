"""A person's own haemodynamic response: the one under which the calibration's volumes are likeliest.

No class and no target comes in, only when something was shown.
"""

from dataclasses import replace
from itertools import product
from math import log

import numpy as np
from numpy.typing import NDArray

from calibration.data.tape import Tape
from rtrecon.evidence import Evidence, Model
from rtrecon.response import Response

USUAL_DELAY_S, USUAL_STRETCH = 1.0, 0.2
"""By how much people differ from the canonical response (SD, of the stretch's logarithm)."""
RESPONDING = 500  # voxels that the response is seen in best
DELAYS_S = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
STRETCHES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4)
_INDEPENDENT = 3.0  # voxels that all of them together count for: neighbours and a region agree


def fit_response(
    canonical: Response, tape: Tape, sd: NDArray[np.float32], model: Model
) -> Response:
    """The likeliest delay and stretch of a grid.

    The fewer volumes there are, the more has to speak for an unusual response. Voxels that respond
    to nothing would only prefer whatever response is the smallest, so they have no say; where no
    voxel responds, the canonical response stays.

    Parameters
    ----------
    sd : float32 (n_voxels,)
        Noise of the tape's voxels.
    """

    def likelihood(
        response: Response, columns: NDArray[np.int64] | slice = slice(None), trials: bool = True
    ) -> NDArray[np.float64]:
        evidence = Evidence(sd[columns], response, model)
        runs = [evidence.log_likelihood for _ in tape.tell(evidence, columns, trials)]
        return np.mean(runs, axis=0)

    gained = likelihood(canonical) - likelihood(canonical, trials=False)
    best = np.argsort(-gained)[:RESPONDING]
    responding = best[gained[best] > 0]
    if not len(responding):
        return canonical

    def judged(response: Response) -> float:
        unusual = (response.delay_s / USUAL_DELAY_S) ** 2
        unusual += (log(response.stretch) / USUAL_STRETCH) ** 2
        doubt = unusual / (2 * _INDEPENDENT * tape.volumes)
        return float(likelihood(response, responding).mean()) - doubt

    grid = (
        replace(canonical, delay_s=delay_s, stretch=stretch)
        for delay_s, stretch in product(DELAYS_S, STRETCHES)
    )
    return max(grid, key=judged)
