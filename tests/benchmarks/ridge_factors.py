"""Eigenvectors, or a Cholesky factor for each alpha: from how many alphas on do they pay?

The table behind `calibration.fitting.ridge_solver.FEW`: solving one fold of five, float64, processor time of
one thread.
"""

import sys
import time

import numpy as np
import torch

from calibration.fitting.ridge_solver import _Factors, _Products
from tests.benchmarks.document import seconds, table

SIZES = (250, 500, 1000, 2000)


def main() -> int:
    """Print the table."""
    torch.set_num_threads(1)
    rows = []
    for size in SIZES:
        X = torch.randn(size, 2 * size, dtype=torch.float64)
        gram, cross = X @ X.T, torch.randn(size // 4, size, dtype=torch.float64)
        eigen = _seconds(_Factors, gram, cross, 13)
        one, four = (_seconds(_Products, gram, cross, count) for count in (1, 4))
        each = (four - one) / 3
        rows.append([size, f"{1e3 * eigen:.0f}", f"{1e3 * each:.1f}", f"{eigen / each:.1f}"])
    print(table(("size", "eigenvectors ms", "Cholesky, each alpha ms", "pays from alphas"), rows))
    return 0


def _seconds(
    solve: type[_Factors | _Products], gram: torch.Tensor, cross: torch.Tensor, alphas: int
) -> float:
    grid = np.logspace(2, 5, alphas)
    return min(seconds(lambda: solve(gram, cross, grid), time.process_time) for _ in range(3))


if __name__ == "__main__":
    sys.exit(main())
