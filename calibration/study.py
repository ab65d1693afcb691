"""A person's decoders, what they were fitted on, and trials to test them that they never met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.data.leakage import picture_hashes, refuse_leakage
from calibration.data.regions import Region
from calibration.data.samples import Samples
from calibration.fitting.banded import Strength
from calibration.fitting.fit import Method, Targets, fit_known, fit_samples
from calibration.nsd.fit import EVERY, fit_nsd_known
from calibration.nsd.person import NsdData
from calibration.scoring.ceiling import Showings, showings_of
from calibration.scoring.held_out import HeldOut, held_out_images, held_out_runs
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.generators import Generator

_SOURCE = "what was fitted on"


@dataclass(frozen=True)
class Study:
    """What a report is written from.

    Attributes
    ----------
    artifact : Artifact
    region : Region
    samples : Samples
        That it was fitted on.
    targets : Targets
        A row for each of what the samples showed.
    groups : int64 (n_samples,) or None
        As of `fit_samples`.
    method : Method
    strengths : mapping of "z" and "c" to Strength
        Of the ridge.
    held_out : HeldOut
        The test.
    showings : Showings
        The test's if pictures repeat there, else those of what was fitted on.
    """

    artifact: Artifact
    region: Region
    samples: Samples
    targets: Targets
    groups: NDArray[np.int64] | None
    method: Method
    strengths: Mapping[str, Strength]
    held_out: HeldOut
    showings: Showings

    def refitted(self, rows: NDArray[np.bool_]) -> Artifact:
        """The same decoder fitted on some of the samples alone."""
        groups = None if self.groups is None else self.groups[rows]
        samples = self.samples.of(rows)
        decoders = fit_samples(samples, self.targets, self.region, self.method, groups)
        return replace(self.artifact, **decoders.fields())


def study_runs(
    runs: Sequence[Run],
    tested: Sequence[Run],
    region: Region,
    generator: Generator,
    name: str,
    realign: bool,
    method: Method,
) -> Study:
    """Fit on some runs to test on others.

    Raises
    ------
    BadDataset
        Pictures of the test were fitted on; or as `fit`.
    Mismatch
        Runs of the test that the decoder does not fit.
    """
    refuse_leakage(picture_hashes(runs), [run.name for run in runs], tested)
    artifact, samples, targets, decoders = fit_known(runs, region, generator, name, realign, method)
    held_out = held_out_runs(artifact, tested, generator)
    newest = np.append(np.diff(samples.trials) != 0, True)
    trials = [samples.shown[trial] for trial in samples.trials[newest]]
    fitted_on = showings_of(samples.patterns[newest], trials, _SOURCE)
    return Study(
        artifact, region, samples, targets, None, method, decoders.strengths, held_out,
        _repeated(held_out, fitted_on),
    )  # fmt: skip


def study_nsd(
    data: NsdData, generator: Generator, name: str | None = None, method: Method = EVERY
) -> Study:
    """Fit on a person's own images of the Natural Scenes Dataset to test on the shared ones."""
    artifact, targets, decoders = fit_nsd_known(data, generator, name, method)
    held_out, train = held_out_images(data, generator), data.train
    fitted_on = Showings(train.patterns, train.trials, _SOURCE)
    return Study(
        artifact, data.region, train, targets, train.trials, method, decoders.strengths, held_out,
        _repeated(held_out, fitted_on),
    )  # fmt: skip


def _repeated(held_out: HeldOut, fitted_on: Showings) -> Showings:
    return held_out.showings if held_out.showings.repeated else fitted_on
