"""What motion correction needs of its reference, worked out once: points in the head, and slopes."""

import numpy as np
from numpy.typing import NDArray

from rtrecon.errors import BadInput
from rtrecon.resample import CUBIC, LINEAR, Filter, sample

SMOOTHING_MM = 6.0  # full width at half maximum
MEASURED = 0.995  # share of the smoothing kernel that must fall on measured voxels
SPREAD = 0.5  # of a point within its voxel, in voxels
FEWEST = 100  # voxels to draw points from


class Smooth:
    """Makes volumes smooth, and remembers where they were measured at all.

    Near the border of the field of view, and near background that the scanner set to zero, the
    smoothing mixes in what is no tissue and does not move with the head: there, nothing counts.

    Parameters
    ----------
    shape : (int, int, int)
    size_mm : float64 (3,)
        Of a voxel.
    order : LINEAR or CUBIC
        Of the interpolation later on.
    """

    def __init__(self, shape: tuple[int, ...], size_mm: NDArray[np.floating], order: int) -> None:
        sd = SMOOTHING_MM / np.sqrt(8 * np.log(2)) / size_mm
        self._order = order
        self._values = Filter(shape, order, sd)
        self._measured = Filter(shape, LINEAR, sd, beyond="constant")

    def __call__(self, volume: NDArray[np.generic]) -> "Smoothed":
        """A volume (i, j, k), smoothed."""
        measured = self._measured(volume != 0) > MEASURED
        return Smoothed(self._values(volume), measured, self._order)


class Smoothed:
    """One smoothed volume. `measured`: bool (i, j, k), whether what was smoothed was measured."""

    def __init__(
        self, coefficients: NDArray[np.float32], measured: NDArray[np.bool_], order: int
    ) -> None:
        self._coefficients, self._order = coefficients, order
        self.measured = measured

    def at(self, positions: NDArray[np.float64]) -> NDArray[np.float32]:
        """Values (n,) at voxel positions (3, n)."""
        return sample(self._coefficients, positions, self._order)

    def counts(self, positions: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the voxels (n,) nearest to voxel positions (3, n) were measured."""
        last = np.array(self.measured.shape)[:, None] - 1
        i, j, k = np.clip(np.rint(positions), 0, last).astype(np.intp)
        return self.measured[i, j, k]


class Landmarks:
    """Random points in the head, and how the reference changes there with motion.

    Random also within their voxels: interpolation blurs most half-way between voxels, and points
    at one place in all voxels would see that blur come and go with the motion. For the same
    reason `values` are interpolated just as the volumes' will be.

    Parameters
    ----------
    at : float64 (3, n)
        The points, in voxels of the reference.
    values : float32 (n,)
        The smoothed reference there.
    slope : float64 (3, n)
        Its change per mm along x, y, z.
    affine : float64 (4, 4)
        Voxels to mm.
    """

    def __init__(
        self,
        at: NDArray[np.float64],
        values: NDArray[np.float32],
        slope: NDArray[np.float64],
        affine: NDArray[np.float64],
    ) -> None:
        self.values = values
        self.places_mm = places_mm(affine, at)  # (4, n)
        self.centre_mm = self.places_mm[:3].mean(axis=1)
        turn = np.cross(self.places_mm[:3] - self.centre_mm[:, None], slope, axis=0)
        self._columns = np.concatenate([slope, turn, values[None]])  # (7, n)

    def step(
        self, values: NDArray[np.float32], counts: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], float]:
        """The motion (6,) in mm and rad, and the change of scale, that explain `values` (n,)."""
        kept = self._columns * counts
        change = np.linalg.solve(kept @ self._columns.T, kept @ (values - self.values))
        return change[:6], float(change[6])

    def displacement_mm(self, pose: NDArray[np.float64]) -> float:
        """Root mean square of how far `pose` (4, 4) moves the points."""
        moved = pose @ self.places_mm - self.places_mm
        return float(np.sqrt((moved**2).sum(axis=0).mean()))


def draw(
    reference: NDArray[np.generic],
    affine: NDArray[np.float64],
    smooth: Smooth,
    counts: tuple[int, ...],
) -> list[Landmarks]:
    """Sets of `counts` landmarks in a reference (i, j, k), always the same ones.

    Raises
    ------
    BadInput
        There is no head in it.
    """
    size_mm = np.linalg.norm(affine[:3, :3], axis=0)
    smoothed = smooth(reference)
    exact = Smooth(reference.shape, size_mm, CUBIC)(reference)
    voxels = np.argwhere(_head(reference) & smoothed.measured)
    if len(voxels) < FEWEST:
        raise BadInput(
            f"motion correction: the reference has {len(voxels)} voxels in a head, it takes "
            f"{FEWEST}: use another reference volume"
        )
    random = np.random.default_rng(0)
    sets = []
    for count in counts:
        # one from each stretch of the list, which spreads them more evenly than chance does
        chosen = ((np.arange(count) + random.random(count)) * len(voxels) / count).astype(int)
        at = voxels[chosen].T + random.uniform(-SPREAD, SPREAD, (3, count))
        sets.append(Landmarks(at, smoothed.at(at), _slope(exact, at, affine), affine))
    return sets


def places_mm(affine: NDArray[np.float64], at: NDArray[np.generic]) -> NDArray[np.float64]:
    """Voxel positions (3, n) as homogeneous mm (4, n)."""
    return affine @ np.concatenate([at, np.ones((1, at.shape[1]))])


def _slope(
    smoothed: Smoothed, at: NDArray[np.float64], affine: NDArray[np.float64], by_mm: float = 0.1
) -> NDArray[np.float64]:
    """Change per mm along x, y, z (3, n)."""
    steps = by_mm * np.linalg.inv(affine)[:3, :3].T[:, :, None]  # (3, 3, 1): voxels, per direction
    return np.stack([smoothed.at(at + s) - smoothed.at(at - s) for s in steps]) / (2 * by_mm)


def _head(reference: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Voxels brighter than half of what is typical for bright ones."""
    bright = reference[reference > reference.mean()]
    return reference > 0.5 * np.median(bright) if len(bright) else np.zeros(reference.shape, bool)
