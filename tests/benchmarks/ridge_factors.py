"""One eigendecomposition or a Cholesky factor for each alpha: from how many alphas on does it pay?

The table behind `calibration.ridge_solver.FEW`: the operators of one fold of five, float64,
processor time of one thread.
"""

import sys
import time

import numpy as np
import torch

from calibration import ridge_solver
from tests.benchmarks.document import seconds, table

SIZES = (250, 500, 1000, 2000)
MANY = 13


def main() -> int:
    """Print the table."""
    torch.set_num_threads(1)
    rows = []
    for size in SIZES:
        X = torch.randn(size, 2 * size, dtype=torch.float64)
        gram, cross = X @ X.T, torch.randn(size // 4, size, dtype=torch.float64)
        one, few = (_seconds(gram, cross, count, count) for count in (1, 4))
        eigen_1, eigen_many = (_seconds(gram, cross, count, 0) for count in (1, MANY))
        each, each_eigen = (few - one) / 3, (eigen_many - eigen_1) / (MANY - 1)
        pays = (eigen_1 - each_eigen) / (each - each_eigen)
        rows.append([size, f"{1e3 * eigen_1:.0f}", f"{1e3 * each_eigen:.1f}",
                     f"{1e3 * each:.1f}", f"{pays:.1f}"])  # fmt: skip
    head = ("size", "eigenvectors ms", "and each alpha", "Cholesky, each alpha", "pays from alphas")
    print(table(head, rows))
    return 0


def _seconds(gram: torch.Tensor, cross: torch.Tensor, alphas: int, few: int) -> float:
    ridge_solver.FEW = few
    grid = np.logspace(2, 5, alphas)
    return min(
        seconds(lambda: ridge_solver._operator(gram, cross, grid), time.process_time)
        for _ in range(3)
    )


if __name__ == "__main__":
    sys.exit(main())
