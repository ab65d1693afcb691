"""What decoders are tested with: trials that they were not fitted on, and what these showed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.data.leakage import refuse_leakage
from calibration.data.samples import patterns_of
from calibration.nsd.person import NsdData
from calibration.nsd.samples import averaged
from calibration.nsd.targets import encode
from calibration.scoring.ceiling import Showings, showings_of
from calibration.scoring.truth import Shown, shown_in
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.compatibility import check_stream
from rtrecon.decode import Decode
from rtrecon.generators import Generator
from rtrecon.types import Decoded, Pattern

SOURCE = "the test"


@dataclass(frozen=True)
class HeldOut:
    """A test.

    Attributes
    ----------
    patterns : sequence of Pattern
        In the order in which they came.
    shown : Shown
        In their trials.
    names : sequence of str
        Runs or sessions they are from.
    showings : Showings
        Single ones, where patterns are means over repeats, too.
    """

    patterns: Sequence[Pattern]
    shown: Shown
    names: Sequence[str]
    showings: Showings

    @property
    def newest(self) -> "HeldOut":
        """The same with each trial's last pattern alone."""
        return replace(self, patterns=newest_patterns(self.patterns))

    def decoded(self, artifact: Artifact) -> list[Decoded]:
        """All patterns by a decoder."""
        decode = Decode(artifact)
        return [decode(pattern) for pattern in self.patterns]


def held_out_runs(artifact: Artifact, runs: Sequence[Run], generator: Generator) -> HeldOut:
    """Runs that a decoder was not fitted on, each as a live session would have met it.

    Raises
    ------
    BadDataset
        Runs and pictures that the decoder was fitted on, or as `load_stimuli`.
    Mismatch
        A run that the decoder was not fitted for.
    """
    about = artifact.about
    refuse_leakage(about.get("stimuli", {}), about.get("runs", ()), runs)
    patterns = patterns_in(artifact, runs)
    newest = newest_patterns(patterns)
    trials = [one.trial for one in newest]
    rows = np.stack([one.voxels for one in newest]) if newest else np.zeros((0, 1), np.float32)
    return HeldOut(
        patterns, shown_in(runs, trials, generator), [run.name for run in runs],
        showings_of(rows, trials, SOURCE),
    )  # fmt: skip


def held_out_images(data: NsdData, generator: Generator) -> HeldOut:
    """The images of the Natural Scenes Dataset that all people saw, repeats averaged.

    Raises
    ------
    BadDataset
        Images that cannot be read.
    """
    mean, truth = averaged(data.test), encode(data, data.test, generator)
    rows = zip(mean.trials, mean.ages_s, mean.patterns, mean.variances, strict=True)
    patterns = [
        Pattern(mean.shown[trial], n, age_s, row, variance)
        for n, (trial, age_s, row, variance) in enumerate(rows)
    ]
    numbers = [trial.number for trial in mean.shown]
    shown = Shown(
        numbers,
        [trial.trial_type for trial in mean.shown],
        [data.captions[number][0] for number in numbers],
        list(data.images(numbers)),
        truth.z,
        truth.c,
    )
    names = [f"shared images of session {session}" for session in data.sessions]
    showings = Showings(data.test.patterns, data.test.trials, SOURCE, averaged=None)
    return HeldOut(patterns, shown, names, showings)


def decode_runs(artifact: Artifact, runs: Sequence[Run]) -> list[Decoded]:
    """Everything a live session would have decoded in these runs, each its own session.

    Raises
    ------
    Mismatch
        A run that the decoder was not fitted for.
    """
    decode = Decode(artifact)
    return [decode(pattern) for pattern in patterns_in(artifact, runs)]


def patterns_in(artifact: Artifact, runs: Sequence[Run]) -> list[Pattern]:
    """Every pattern that a live session would have made of these runs, each its own session.

    Raises
    ------
    Mismatch
        A run that the decoder was not fitted for.
    """
    preprocess = artifact.preprocess(runs[0].geometry.affine)
    patterns = []
    for run in runs:
        check_stream(artifact, run.geometry, run.name)
        patterns += patterns_of(run, preprocess)
    return patterns


def newest_patterns(patterns: Sequence[Pattern]) -> list[Pattern]:
    """Each trial's last."""
    return list({pattern.trial.number: pattern for pattern in patterns}.values())
