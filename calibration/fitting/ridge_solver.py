"""All that ridge needs of X, made once; targets then come in batches of any size.

What a split predicts at a strength is linear in the targets it was fitted on, so that one matrix,
made once for all targets, predicts them: from `Y[train]` in the dual, from `X[train].T @ Y[train]` in
the primal, whichever is smaller. Matrices that are decomposed are float64, products over targets
float32. On a GPU where there is one.
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
# What a batch of targets may take: so much, or this share of what the splits take (samples are gathered
# once a batch, which must cost less than products).
BATCH_BYTES, BATCH_SHARE = 2**28, 1 / 8
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

    Without splits there is nothing to search by; weights can be asked for at known alphas.

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
        smallest = min((len(train) for train, _ in splits), default=len(X))

        def read(inputs: NDArray[np.int64] | slice) -> _Read:
            return _Read(X[:, inputs], smallest, self.device)

        self._all = read(slice(None) if choice is None else self.inputs)
        self.x_mean = self._all.x_mean
        self.alphas = reaching(self._all.norm) if alphas is None else np.array(alphas, float)
        self._parts = []
        for train, test in tqdm(splits, "ridge, splits", unit="split", leave=False, disable=None):
            of = self._all if choice is None else read(choice(train))
            self._parts.append(_Part(of, train, test, self.alphas))

    def targets(
        self, Y: NDArray[np.floating], which: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[slice | NDArray[np.int64], Tensor]]:
        """Y (n_samples, n_targets) on the device, as many targets at a time as memory bears.

        Parameters
        ----------
        which : int64 (n,), optional
            Some of the targets; default: all.

        Raises
        ------
        BadDataset
            A value of them is not finite.
        """
        count = Y.shape[1] if which is None else len(which)
        with tqdm(total=count, desc="ridge", unit="target", leave=False, disable=None) as bar:
            for some in _slices(count, self._at_once):
                of = some if which is None else which[some]
                y = np.ascontiguousarray(Y[:, of], dtype=np.float32)
                if not np.isfinite(y).all():
                    row, column = np.argwhere(~np.isfinite(y))[0]
                    where = f"sample {row}, target {np.arange(Y.shape[1])[of][column]}"
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
    """A split, solved: from the targets fitted on to predictions of those tested, at each alpha."""

    def __init__(
        self, of: _Read, train: NDArray[np.int64], test: NDArray[np.int64], alphas: NDArray
    ) -> None:
        device = of.X.device
        self.of, self.test = of, torch.from_numpy(test).to(device)
        fitted = torch.from_numpy(train).to(device)
        self._n_fitted = len(train)
        solve = _Products if _few(alphas, of.norm) else _Factors
        if of.primal:
            rest = np.setdiff1d(np.arange(len(of.X)), train)
            self._rows = torch.from_numpy(rest).to(device)
            self._x_mean = of.X[fitted].mean(dim=0)
            self._slopes = solve(*_primal(of, fitted, self._rows, self.test), alphas)
        else:
            self._rows = fitted
            self._slopes = solve(*_dual(of.gram, fitted, self.test), alphas)

    @property
    def bytes(self) -> int:
        """What it takes to predict."""
        return self._slopes.bytes

    def predict(self, Y: Tensor, total: Tensor) -> Tensor:
        """Predictions (n_alphas, n_test, n_targets), of centred targets (n_samples, n_targets)."""
        if not self.of.primal:
            fitted = Y[self._rows]
            return self._slopes(fitted) + fitted.mean(dim=0)
        moments = total - self.of.with_one[self._rows].T @ Y[self._rows]
        sums = moments[-1]
        return self._slopes(moments[:-1].addr(self._x_mean, sums, alpha=-1)) + sums / self._n_fitted


def _primal(of: _Read, train: Tensor, rest: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Moments (n_inputs, n_inputs) of what is fitted on, and tested inputs (n_test, n_inputs)."""
    mean = of.X[train].mean(dim=0).double()
    gram = _add_product(of.gram.clone(), of.X[rest].T, -1).addr_(mean, mean, alpha=-len(train))
    return gram, of.X[test].double() - mean


def _dual(kernel: Tensor, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Products of what is fitted on (n_train, n_train), and of what is tested with it."""
    gram, cross = kernel[train][:, train], kernel[test][:, train]
    mean = gram.mean(dim=0)
    cross += mean.mean() - cross.mean(dim=1, keepdim=True) - mean
    gram += mean.mean() - mean[:, None] - mean
    return gram, cross


def _few(alphas: NDArray, norm: float) -> bool:
    return len(alphas) <= FEW and bool(alphas.min() > _EXACT * norm)


class _Products:
    """Of cross (n_test, n) and inverse(gram + alpha), for each of few alphas by a Cholesky factor."""

    def __init__(self, gram: Tensor, cross: Tensor, alphas: NDArray) -> None:
        self._made = torch.empty((len(alphas), *cross.shape)).to(gram.device)
        for n, alpha in enumerate(alphas):
            shifted = gram.clone()
            shifted.diagonal().add_(alpha)
            self._made[n] = torch.cholesky_solve(cross.T, torch.linalg.cholesky(shifted)).T

    @property
    def bytes(self) -> int:
        return int(self._made.nbytes)

    def __call__(self, to: Tensor) -> Tensor:
        """Times (n, n_targets): (n_alphas, n_test, n_targets)."""
        return (self._made.flatten(0, 1) @ to).unflatten(0, self._made.shape[:2])


class _Factors:
    """As `_Products`, for many alphas: eigenvectors, which take less memory than a product each."""

    def __init__(self, gram: Tensor, cross: Tensor, alphas: NDArray) -> None:
        self._values, vectors = _eigen(gram)
        self._rows, self._back = (cross @ vectors).float(), vectors.T.float()
        self._alphas = torch.from_numpy(alphas).to(self._values)

    @property
    def bytes(self) -> int:
        return int(self._rows.nbytes + self._back.nbytes)

    def __call__(self, to: Tensor) -> Tensor:
        low = self._back @ to
        size = (len(self._alphas), len(self._rows), to.shape[1])
        made = torch.empty(size, dtype=to.dtype, device=to.device)
        for n, alpha in enumerate(self._alphas):
            torch.matmul(self._rows / (self._values + alpha), low, out=made[n])
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
