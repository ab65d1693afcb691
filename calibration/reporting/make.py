"""From a study to its report: scores, controls, what speaks for and against, pictures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.cluster import Where, fan_out
from calibration.data.regions import Region
from calibration.explaining.explain import RESULTS
from calibration.reporting.nulls import null_scores
from calibration.reporting.pictures import Drawn, beside
from calibration.reporting.report import write_report
from calibration.reporting.report_of import report_of
from calibration.scoring.ceiling import ceilings
from calibration.scoring.evaluate import newest_of, scored
from calibration.scoring.kinds import held_out_kinds
from calibration.scoring.learning import default_counts, learning_curve
from calibration.scoring.networks import local_networks
from calibration.scoring.reconstructions import drawn
from calibration.study import Study
from rtrecon.artifact import save_artifact
from rtrecon.errors import BadDataset
from rtrecon.generators import Generator

DECODER = "decoder"  # below the report's folder
_LEAST_KINDS = 4  # of which some are left out


def report(
    study: Study,
    generator: Generator,
    folder: Path,
    figures: Mapping[str, bytes] | None = None,
    where: Where | None = None,
) -> Path:
    """Score a study and write its page, its data and its decoder; returns the page.

    Parameters
    ----------
    study : Study
    generator : Generator
    folder : Path
    figures : mapping of caption to PNG, optional
        More figures for the page, as `figures_of` reads them.
    where : Where, optional
        Decoders of fewer runs are fitted here, or on a cluster.
    """
    save_artifact(study.artifact, folder / DECODER)
    with tqdm(total=4, desc="report", unit="part", disable=None) as progress:
        held_out, control = study.held_out, study.artifact.control()
        decoded = held_out.decoded(study.artifact)
        newest = newest_of(decoded)
        features, left_out = local_networks()
        pictures = None if held_out.shown.pictures is None else drawn(newest, generator)
        progress.update()
        evaluation = scored(study.artifact, decoded, held_out, pictures, features, left_out)
        progress.update()
        page = report_of(
            study.artifact, evaluation, _trust(study), _learning(study, where),
            ceilings(study.showings, _regions(study.region)),
        )  # fmt: skip
        progress.update()
        shown: list[Drawn] = []
        if pictures is not None and held_out.shown.pictures is not None:
            controls = drawn(held_out.newest.decoded(control), generator)
            shown = beside(
                newest, held_out.shown.pictures, pictures, controls, study.artifact.candidates
            )
        progress.update()
    return write_report(folder, page, shown, figures)


def _regions(region: Region) -> dict[str, NDArray[np.bool_]]:
    """Early and ventral, where they are two."""
    if np.array_equal(region.early, region.ventral):
        return {"all": region.early}
    return {"early": region.early, "ventral": region.ventral}


def _trust(study: Study) -> dict[str, Any]:
    """Kinds that were never met, where runs have kinds; and the null decoders' scores."""
    found: dict[str, Any] = {"null": null_scores(study)}
    samples = study.samples
    kinds = np.array([samples.shown[trial].trial_type for trial in samples.trials])
    several = len(np.unique(samples.runs)) > 1
    if several and _LEAST_KINDS <= len(np.unique(kinds)) <= len(samples.shown) / 2:
        X = samples.patterns[:, study.region.ventral][
            :, study.artifact.c.voxels[study.region.ventral]
        ]
        C = study.targets.c[samples.trials]
        rng = np.random.default_rng(0)
        result = held_out_kinds(X, C, samples.trials, samples.runs, kinds, rng)
        found["held_out_kinds"] = result.as_json()
    return found


def _scores_of(task: tuple[Study, NDArray[np.bool_]]) -> Mapping[str, Any]:
    """Scores of a study's test by decoders of some of its samples."""
    study, some = task
    artifact = study.artifact if some.all() else study.refitted(some)
    newest = study.held_out.newest
    found = scored(artifact, newest.decoded(artifact), newest)["scores"]
    return {name: found[name] for name in ("c_two_way", "z_two_way") if name in found}


def _learning(study: Study, where: Where | None) -> list[dict[str, Any]]:
    """Scores of decoders of the first runs or sessions, by how many there were."""
    runs = np.unique(study.samples.runs)
    if len(runs) < 2:
        return []

    counted = default_counts(len(runs))[1:]
    tasks = [(study, np.isin(study.samples.runs, runs[:count])) for count in counted]
    scores = dict(zip(counted, fan_out(_scores_of, tasks, where), strict=True))
    curves = learning_curve(scores.__getitem__, counted)
    counts = next(iter(curves.values()))["runs"]
    return [
        {"runs": count} | {name: curve["scores"][n] for name, curve in curves.items()}
        for n, count in enumerate(counts)
    ]


def figures_of(explained: Path | None) -> dict[str, bytes]:
    """Figures by what they show (PNG), as `explain` left them in a folder.

    Raises
    ------
    BadDataset
        No such folder, or not all in it.
    """
    if explained is None:
        return {}
    try:
        said = json.loads((explained / RESULTS).read_text(encoding="utf-8"))
        return {
            f["caption"]: (explained / Path(f["file"]).name).read_bytes() for f in said["figures"]
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadDataset(
            f"--explained {explained}: {RESULTS} or a figure it names cannot be read ({error!r}): "
            "name the folder that explain wrote"
        ) from error
