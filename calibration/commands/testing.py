"""`evaluate`: a decoder's scores on what it was not fitted on."""

import argparse
import json
from typing import TYPE_CHECKING

from calibration.commands.options import refuse_bids_options, selection_of

if TYPE_CHECKING:
    from calibration.scoring.held_out import HeldOut
    from rtrecon.artifact import Artifact
    from rtrecon.generators import Generator


def evaluate(options: argparse.Namespace) -> None:
    """Print the scores of a decoder."""
    from calibration.nsd.files import is_nsd
    from calibration.scoring.evaluate import evaluate as scored
    from calibration.scoring.networks import local_networks
    from rtrecon.artifact import load_artifact
    from rtrecon.models import open_generator

    artifact = load_artifact(options.decoder)
    generator = open_generator(options.generator or artifact.generator.name, artifact)
    test = _test_nsd if is_nsd(options.dataset) else _test_bids
    held_out = test(options, artifact, generator)
    features, left_out = local_networks() if options.draw else ({}, {})
    scores = scored(artifact, held_out, generator, features, options.draw, left_out)
    print(json.dumps(scores, indent=1))


def _test_bids(
    options: argparse.Namespace, artifact: "Artifact", generator: "Generator"
) -> "HeldOut":
    from calibration.data.dataset import load_runs
    from calibration.scoring.held_out import held_out_runs

    runs = load_runs(options.dataset, select=selection_of(options))
    return held_out_runs(artifact, runs, generator)


def _test_nsd(
    options: argparse.Namespace, artifact: "Artifact", generator: "Generator"
) -> "HeldOut":
    from calibration.nsd.person import load_nsd
    from calibration.scoring.held_out import held_out_images

    refuse_bids_options(options)
    data = load_nsd(options.dataset, options.subject, options.sessions, decoder=artifact)
    return held_out_images(data, generator)
