"""A person's decoders, what they were fitted on, and trials to test them that they never met."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calibration.fit import Targets, fit_known, fit_samples
from calibration.leakage import refuse_leakage
from calibration.nsd import NsdData
from calibration.nsd_fit import encode, fit_nsd
from calibration.regions import Region
from calibration.samples import Samples, patterns_of
from calibration.truth import Shown, shown_in
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.compatibility import check_stream
from rtrecon.decode import Decode
from rtrecon.generators import Generator
from rtrecon.types import Decoded, Pattern


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
    voxels : int or None
        As of `fit_samples`.
    patterns : sequence of Pattern
        Of the test, in the order in which they came.
    shown : Shown
        In the test's trials.
    names : sequence of str
        Runs or sessions of the test.
    """

    artifact: Artifact
    region: Region
    samples: Samples
    targets: Targets
    groups: NDArray[np.int64] | None
    voxels: int | None
    patterns: Sequence[Pattern]
    shown: Shown
    names: Sequence[str]

    def decoded(self, artifact: Artifact | None = None) -> list[Decoded]:
        """The test by this decoder, or by another one of the same patterns."""
        decode = Decode(artifact or self.artifact)
        return [decode(pattern) for pattern in self.patterns]

    def refitted(self, rows: NDArray[np.bool_]) -> Artifact:
        """The same decoder fitted on some of the samples alone."""
        samples = replace(
            self.samples,
            **{
                name: getattr(self.samples, name)[rows]
                for name in ("patterns", "ages_s", "variances", "trials", "runs")
            },
        )
        groups = None if self.groups is None else self.groups[rows]
        decoders = fit_samples(samples, self.targets, self.region, self.voxels, groups)
        return replace(self.artifact, **(vars(decoders) | {"about": self.artifact.about}))


def study_runs(
    runs: Sequence[Run],
    tested: Sequence[Run],
    region: Region,
    generator: Generator,
    name: str,
    realign: bool,
    voxels: int,
) -> Study:
    """Fit on some runs to test on others.

    Raises
    ------
    BadDataset
        Pictures of the test were fitted on; or as `fit`.
    Mismatch
        Runs of the test that the decoder does not fit.
    """
    artifact, samples, targets = fit_known(runs, region, generator, name, realign, voxels)
    refuse_leakage(artifact.about["stimuli"], artifact.about["runs"], tested)
    preprocess = artifact.preprocess(tested[0].geometry.affine)
    patterns = []
    for run in tested:
        check_stream(artifact, run.geometry, run.name)
        patterns += patterns_of(run, preprocess)
    trials = list({one.trial.number: one.trial for one in patterns}.values())
    shown = shown_in(tested, trials, generator)
    names = [run.name for run in tested]
    return Study(artifact, region, samples, targets, None, voxels, patterns, shown, names)


def study_nsd(
    data: NsdData, generator: Generator, name: str | None = None, voxels: int | None = None
) -> Study:
    """Fit on a person's own images of the Natural Scenes Dataset to test on the shared ones."""
    artifact = fit_nsd(data, generator, name, voxels)
    test = data.test
    patterns = [
        Pattern(test.shown[trial], n, age_s, row, variance)
        for n, (trial, age_s, row, variance) in enumerate(
            zip(test.trials, test.ages_s, test.patterns, test.variances, strict=True)
        )
    ]
    truth, targets = encode(data, test, generator), encode(data, data.train, generator)
    numbers = [trial.number for trial in test.shown]
    shown = Shown(
        numbers,
        [trial.trial_type for trial in test.shown],
        [data.captions[number][0] for number in numbers],
        list(data.images(numbers)),
        truth.z,
        truth.c,
    )
    sessions = [f"shared images of session {session}" for session in data.sessions]
    return Study(
        artifact, data.region, data.train, targets, data.train.trials, voxels, patterns, shown,
        sessions,
    )  # fmt: skip
