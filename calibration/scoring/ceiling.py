"""How good could it be: noise ceilings from pictures that were shown more than once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.scoring.metrics import correlations, two_way
from calibration.scoring.statistics import Score, Table, score
from rtrecon.artifact import Artifact
from rtrecon.types import Trial

Array = NDArray[np.float64]

WORTH = 0.1  # of the variance: voxels with a higher ceiling are counted
_EXCHANGES = 20
EDGES = np.linspace(0, 1, 21)  # of the histogram


@dataclass(frozen=True)
class Showings:
    """Responses to single showings of pictures.

    Attributes
    ----------
    responses : float32 (n_showings, n_voxels)
    pictures : int64 (n_showings,)
        Showings of one picture have one number.
    source : str
        Where they are from, for people.
    averaged : int or None
        How many showings of a picture a prediction is held against; None: all of them.
    """

    responses: NDArray[np.float32]
    pictures: NDArray[np.int64]
    source: str
    averaged: int | None = 1

    @property
    def repeated(self) -> int:
        """How many pictures were shown more than once."""
        return int((np.unique(self.pictures, return_counts=True)[1] > 1).sum())


def showings_of(
    responses: NDArray[np.float32], trials: Sequence[Trial], source: str, averaged: int | None = 1
) -> Showings:
    """Showings of the pictures that trials name; a trial that names none is like no other."""
    names = [trial.stim_file or f"trial {n} of no picture" for n, trial in enumerate(trials)]
    pictures = np.unique(np.array(names, dtype=str), return_inverse=True)[1]
    return Showings(responses, pictures, source, averaged)


def noise_ceiling(
    responses: NDArray[np.floating], pictures: NDArray[np.int64], averaged: int | None = None
) -> Array:
    """Share of each voxel's variance (n_voxels,), 0 to 1, that any model could explain.

    As the Natural Scenes Dataset defines it (Allen et al., 2022), there in per cent: the noise's
    variance is that across repeats of a picture, the signal's what remains of the whole (not less
    than 0), and their ratio is taken for the mean of as many trials as each picture has. What
    remains is set right for few pictures, whose repeats vary less than as many trials of different
    ones would: a factor of 1.0001 in the Natural Scenes Dataset, 1.15 of 6 pictures shown 4 times.

    Parameters
    ----------
    responses : float (n_trials, n_voxels)
    pictures : int64 (n_trials,)
        Trials of one picture have one number.
    averaged : int, optional
        Trials that predictions are held against the mean of; without it, each picture's repeats.

    Raises
    ------
    ValueError
        No picture was shown twice.
    """
    _, of, counts = np.unique(pictures, return_inverse=True, return_counts=True)
    n, freedom = len(of), len(of) - len(counts)
    if freedom < 1:
        raise ValueError("no picture was shown twice: a noise ceiling needs repeats")
    values = responses.astype(np.float64)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, of, values)
    noise = ((values - (sums / counts[:, None])[of]) ** 2).sum(axis=0) / freedom
    few = (n - 1) / max(n - (counts**2).sum() / n, 1e-12)
    signal = few * np.maximum(values.var(axis=0, ddof=1) - noise, 0)
    share = 1 / averaged if averaged else float(np.mean(1 / counts))
    ceiling: Array = signal / np.maximum(signal + noise * share, 1e-12)
    return ceiling


def ceilings(showings: Showings, regions: Mapping[str, NDArray[np.bool_]]) -> dict[str, Any] | None:
    """Noise ceilings of the voxels of some regions; None where no picture was shown twice.

    Of few showings a voxel's ceiling is uncertain, and half of the voxels that know nothing have
    one above 0. So the same is told of the showings with their pictures exchanged, the mean of
    some exchanges.

    Parameters
    ----------
    showings : Showings
    regions : mapping of name to bool (n_voxels,)

    Returns
    -------
    dict
        Ready for JSON: `source`; `showings` (how many) and `pictures` (those shown more than once);
        `averaged`, as of `noise_ceiling`; `edges` of the histograms; `regions`: by name `voxels`
        (how many), `median`, `above` (share of voxels above `WORTH`), `histogram` (voxels between
        the edges), and `median_exchanged` and `above_exchanged`.
    """
    if not showings.repeated:
        return None
    rng = np.random.default_rng(0)
    exchanged = [rng.permutation(showings.pictures) for _ in range(_EXCHANGES)]
    true, *chance = (
        noise_ceiling(showings.responses, pictures, showings.averaged)
        for pictures in (showings.pictures, *exchanged)
    )
    return {
        "source": showings.source,
        "showings": len(showings.pictures),
        "pictures": showings.repeated,
        "averaged": showings.averaged,
        "edges": EDGES.tolist(),
        "regions": {
            name: {
                "voxels": int(of.sum()),
                "median": float(np.median(true[of])),
                "above": float((true[of] > WORTH).mean()),
                "median_exchanged": float(np.mean([np.median(one[of]) for one in chance])),
                "above_exchanged": float(np.mean([one[of] > WORTH for one in chance])),
                "histogram": np.histogram(true[of], EDGES)[0].tolist(),
            }
            for name, of in regions.items()
            if of.any()
        },
    }


def decoded_repeats(
    artifact: Artifact, showings: Showings, rng: np.random.Generator
) -> dict[str, Any]:
    """How well c and z decoded of one showing identify another of the same picture, as JSON."""
    found = {}
    for name, linear in (("c", artifact.c), ("z", artifact.z)):
        if linear is not None and showings.repeated > 1:
            decoded = (showings.responses[:, linear.voxels] - linear.x_mean) @ linear.weights
            found[name] = repeat_identification(decoded, showings.pictures, rng)
    return {name: one.as_json() for name, one in found.items() if one is not None}


def repeat_identification(
    decoded: NDArray[np.floating], pictures: NDArray[np.int64], rng: np.random.Generator
) -> Score | None:
    """How well what was decoded from one repeat identifies another of the same picture, two-way.

    What identification of originals could be expected to reach if nothing but noise stood in its
    way, and if an original were as noisy as a showing. It is not, so that a decoder that misses
    nothing scores higher than this. Repeats are taken in turn: first with second, third with
    fourth. None where fewer than two pictures were repeated.

    Parameters
    ----------
    decoded : float (n_trials, n_values)
    pictures : int64 (n_trials,)
    """
    one: list[int] = []
    other: list[int] = []
    for picture in np.unique(pictures):
        trials = np.flatnonzero(pictures == picture)
        pairs = len(trials) // 2
        one += trials[: 2 * pairs : 2].tolist()
        other += trials[1 : 2 * pairs : 2].tolist()
    units = pictures[one]
    if len(np.unique(units)) < 2:
        return None
    similarity = correlations(decoded[one], decoded[other])
    both = [two_way(similarity, fixed, units) for fixed in ("original", "reconstruction")]
    pairs, wins = (np.mean([getattr(t, name) for t in both], axis=0) for name in ("pairs", "wins"))
    return score(Table(pairs, wins, units), rng)
