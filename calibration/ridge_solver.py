"""All that ridge needs of X, made once; targets then come in batches of any size.

What a split predicts at a strength is linear in the targets it was fitted on, so that one matrix,
made once for all targets, predicts them: `operator @ Y[train]` in the dual, `operator @ (X[train].T
@ Y[train])` in the primal, whichever is smaller. Matrices that are decomposed are float64, products
over targets float32. On a GPU where there is one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from tqdm import tqdm

from rtrecon.errors import BadDataset

ALPHAS = np.logspace(0, 6, 13)
FEW = 8  # alphas: up to so many, a Cholesky factor for each costs less than eigenvectors (docs/ridge.md)
BATCH_BYTES = 2**28  # what a batch of targets may take: so much, or this share of the operators,
BATCH_SHARE = (
    1 / 8
)  # since samples are gathered once a batch, and that must cost less than products
_EXACT = 1e-12  # of a matrix's norm: below that an alpha is lost in a Cholesky factor
_COLUMNS = 4096  # that are float64 at a time

Split = tuple[NDArray[np.int64], NDArray[np.int64]]  # samples to fit on, samples to test on
Choice = Callable[[NDArray[np.int64]], NDArray[np.int64]]  # samples to fit on -> inputs to read


@dataclass(frozen=True)
class Found:
    """The best alphas of some targets and what they reached; tensors, arrays as in `Fitted`."""

    alphas: Tensor
    held_out: Tensor
    residual_variance: Tensor
    predicted_variance: Tensor


class Solver:
    """All that ridge needs of X, made once; targets then come in batches of any size.

    Attributes
    ----------
    inputs, x_mean :
        As in `Fitted`.
    alphas : float64 (n_alphas,)
    device : torch.device
    """

    def __init__(
        self,
        X: NDArray[np.floating],
        splits: Sequence[Split],
        choice: Choice | None = None,
        alphas: ArrayLike | None = None,
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        everything = np.arange(len(X))
        self.inputs = np.arange(X.shape[1]) if choice is None else choice(everything)
        smallest = min(len(train) for train, _ in splits)

        def read(inputs: NDArray[np.int64] | slice) -> _Read:
            return _Read(X[:, inputs], smallest, self.device)

        self._all = read(slice(None) if choice is None else self.inputs)
        self.x_mean = self._all.x_mean
        self.alphas = reaching(self._all.norm) if alphas is None else np.array(alphas, float)
        self._parts = []
        for train, test in tqdm(splits, "ridge, splits", unit="split", leave=False, disable=None):
            of = self._all if choice is None else read(choice(train))
            self._parts.append(_Part(of, train, test, self.alphas))

    def targets(self, Y: NDArray[np.floating]) -> Iterator[tuple[slice, Tensor]]:
        """Y (n_samples, n_targets) on the device, as many targets at a time as memory bears.

        Raises
        ------
        BadDataset
            A value of them is not finite.
        """
        with tqdm(total=Y.shape[1], desc="ridge", unit="target", leave=False, disable=None) as bar:
            for of in _slices(Y.shape[1], self._at_once):
                y = np.ascontiguousarray(Y[:, of], dtype=np.float32)
                if not np.isfinite(y).all():
                    row, column = np.argwhere(~np.isfinite(y))[0]
                    where = f"sample {row}, target {of.start + column}"
                    raise BadDataset(f"Y: {where} is {y[row, column]}: leave it out")
                yield of, torch.from_numpy(y).to(self.device)
                bar.update(y.shape[1])

    def search(self, Y: Tensor) -> Found:
        """Each target's best alpha, of targets (n_samples, n_targets)."""
        y_mean = Y.mean(dim=0)
        centred = Y - y_mean
        totals: dict[_Read, Tensor] = {}  # shared by the splits that read the same inputs
        predicted = []
        for part in self._parts:
            if part.of not in totals:
                totals[part.of] = part.of.total(centred)
            predicted.append(part.predict(centred, totals[part.of]))  # (n_alphas, n_test, n)
        errors = torch.stack(
            [
                torch.linalg.vector_norm(one - centred[part.test], dim=1).double() ** 2
                for part, one in zip(self._parts, predicted, strict=True)
            ]
        ).sum(dim=0)
        least, best = errors.min(dim=0)
        held_out = torch.full_like(Y, torch.nan)
        for part, one in zip(self._parts, predicted, strict=True):
            held_out[part.test] = one.gather(0, best.expand(1, one.shape[1], -1))[0] + y_mean
        tested = torch.cat([part.test for part in self._parts])
        return Found(
            torch.from_numpy(self.alphas).to(self.device)[best],
            held_out,
            (least / len(tested)).float(),
            held_out[tested.unique()].var(dim=0, correction=0),
        )

    def weights(self, Y: Tensor, alphas: Tensor) -> Tensor:
        """Weights (n_read, n_targets) on all samples, at one alpha a target."""
        left, values, right = self._basis
        return left @ ((right @ (Y - Y.mean(dim=0))) / (values[:, None] + alphas.float()))

    @cached_property
    def _basis(self) -> tuple[Tensor, Tensor, Tensor]:
        """So that weights are left @ (right @ Y / (values + alpha))."""
        X = self._all.X
        values, vectors = _eigen(self._all.gram)
        single = vectors.float()
        if self._all.primal:
            return single, values, (X @ single).T
        # X.T @ vectors is small where the alpha matters most, and rounded by the size of X.
        some = (X[:, of].T.double() @ vectors for of in _slices(X.shape[1], _COLUMNS))
        return torch.cat([one.float() for one in some]), values, single.T

    @property
    def _at_once(self) -> int:
        """Targets a batch: their predictions at all alphas, copies of them, moments, weights."""
        n, p = self._all.X.shape
        bound = max(BATCH_BYTES, BATCH_SHARE * sum(part.bytes for part in self._parts))
        return max(1, int(bound / (4 * (n * (len(self.alphas) + 4) + 4 * p))))


class _Read:
    """Inputs that are read, centred, and the matrix behind every fit on them."""

    def __init__(self, X: NDArray[np.floating], smallest: int, device: torch.device) -> None:
        self.x_mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        with_one = np.ones((len(X), X.shape[1] + 1), np.float32)  # so that means come along
        np.subtract(X, self.x_mean, out=with_one[:, :-1], casting="same_kind")
        self.with_one = torch.from_numpy(with_one).to(device)
        self.X = self.with_one[:, :-1]
        self.primal = X.shape[1] < smallest
        factor = self.X.T if self.primal else self.X
        empty = torch.zeros(2 * factor.shape[:1], dtype=torch.float64, device=device)
        self.gram = _add_product(empty, factor)
        self.norm = float(torch.linalg.matrix_norm(self.gram))

    def total(self, Y: Tensor) -> Tensor:
        """What a part predicts from, before the samples that it left out are taken from it."""
        return self.with_one.T @ Y if self.primal else Y


class _Part:
    """A split, solved: at each alpha one matrix from the targets fitted on to those tested."""

    def __init__(
        self, of: _Read, train: NDArray[np.int64], test: NDArray[np.int64], alphas: NDArray
    ) -> None:
        device = of.X.device
        self.of, self.test = of, torch.from_numpy(test).to(device)
        fitted = torch.from_numpy(train).to(device)
        if of.primal:
            rest = np.setdiff1d(np.arange(len(of.X)), train)
            self._rows = torch.from_numpy(rest).to(device)
            self._operator = _primal(of, fitted, self._rows, self.test, alphas)
        else:
            self._rows = fitted
            self._operator = _dual(of.gram, fitted, self.test, alphas)

    @property
    def bytes(self) -> int:
        """What the operator takes."""
        return int(self._operator.nbytes)

    def predict(self, Y: Tensor, total: Tensor) -> Tensor:
        """Predictions (n_alphas, n_test, n_targets), of centred targets (n_samples, n_targets)."""
        fitted = Y[self._rows]
        if self.of.primal:
            fitted = total - self.of.with_one[self._rows].T @ fitted
        return (self._operator.flatten(0, 1) @ fitted).unflatten(0, self._operator.shape[:2])


def _primal(of: _Read, train: Tensor, rest: Tensor, test: Tensor, alphas: NDArray) -> Tensor:
    """From moments and sums of targets, (n_alphas, n_test, n_inputs + 1)."""
    mean = of.X[train].mean(dim=0).double()
    gram = _add_product(of.gram.clone(), of.X[rest].T, -1).addr_(mean, mean, alpha=-len(train))
    slopes = _operator(gram, of.X[test].double() - mean, alphas)
    of_sum = 1 / len(train) - slopes @ mean.float()
    return torch.cat([slopes, of_sum[:, :, None]], dim=2)


def _dual(kernel: Tensor, train: Tensor, test: Tensor, alphas: NDArray) -> Tensor:
    """From targets, (n_alphas, n_test, n_train)."""
    gram, cross = kernel[train][:, train], kernel[test][:, train]
    mean = gram.mean(dim=0)
    cross += mean.mean() - cross.mean(dim=1, keepdim=True) - mean
    gram += mean.mean() - mean[:, None] - mean
    return _operator(gram, cross, alphas) + 1 / len(train)


def _operator(gram: Tensor, cross: Tensor, alphas: NDArray) -> Tensor:
    """Product of cross and inverse(gram + alpha), float32 (n_alphas, n_test, n)."""
    made = torch.empty((len(alphas), *cross.shape), dtype=torch.float32, device=gram.device)
    if len(alphas) <= FEW and alphas.min() > _EXACT * torch.linalg.matrix_norm(gram):
        for n, alpha in enumerate(alphas):
            shifted = gram.clone()
            shifted.diagonal().add_(alpha)
            made[n] = torch.cholesky_solve(cross.T, torch.linalg.cholesky(shifted)).T
        return made
    values, vectors = _eigen(gram)
    rows, back = (cross @ vectors).float(), vectors.T.float()
    for n, alpha in enumerate(alphas):
        torch.matmul(rows / (values + np.float32(alpha)), back, out=made[n])
    return made


def _add_product(to: Tensor, A: Tensor, times: float = 1) -> Tensor:
    """Add A @ A.T in float64, of which only some columns are float64 at a time."""
    for of in _slices(A.shape[1], _COLUMNS):
        some = A[:, of].double()
        to.addmm_(some, some.T, alpha=times)
    return to


def _eigen(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues in float32, none below 0, and eigenvectors in float64."""
    values, vectors = torch.linalg.eigh(gram)
    return values.clamp(min=0).float(), vectors


def _slices(count: int, at_once: int) -> Iterator[slice]:
    for begin in range(0, count, at_once):
        yield slice(begin, min(begin + at_once, count))


def reaching(norm: float) -> NDArray[np.float64]:
    """`ALPHAS`, continued in their own steps until they reach the norm of X.T @ X.

    With the strongest of them every target can be shrunk to nearly its mean.
    """
    step = ALPHAS[-1] / ALPHAS[-2]
    more = max(0, int(np.ceil(np.log(max(norm, 1) / ALPHAS[-1]) / np.log(step))))
    return np.concatenate([ALPHAS, ALPHAS[-1] * step ** np.arange(1, more + 1)])
