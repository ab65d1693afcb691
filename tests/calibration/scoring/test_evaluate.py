"""Scores against a five-line reference, and of a whole toy session."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calibration.data.leakage import picture_hashes
from calibration.scoring.evaluate import evaluate, two_way
from calibration.scoring.held_out import held_out_runs
from rtrecon.artifact import Artifact
from rtrecon.bids import Run
from rtrecon.errors import BadDataset
from rtrecon.generators.diffusion import Diffusion
from rtrecon.types import Event, Geometry, Marker
from tests.toy import NAMES, toy_volumes


def test_two_way_identification_is_that_of_a_plain_loop() -> None:
    similarity = np.random.default_rng(0).normal(size=(12, 12))
    wins = [
        similarity[original, original] > similarity[other, original]
        for original in range(12)
        for other in range(12)
        if other != original
    ]
    assert two_way(similarity) == pytest.approx(np.mean(wins))


def test_two_way_identification_has_its_known_answers() -> None:
    assert two_way(np.eye(5)) == 1.0
    assert two_way(1 - np.eye(5)) == 0.0
    assert two_way(np.ones((5, 5))) == 0.5


def toy_session(folder: Path, geometry: Geometry, trials: int = 8) -> Run:
    """A run of pictures all different, with nothing of them in the volumes."""
    folder.mkdir()
    data = toy_volumes(geometry, 6 + 5 * trials)
    rng = np.random.default_rng(1)
    markers = []
    for n in range(trials):
        file = f"{n}.png"
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / file)
        onset_s, name = (3 + 5 * n) * geometry.tr_s, NAMES[n % 3]
        markers.append(Marker(Event.TRIAL, name, onset_s, 6.0, file, f"a {name} {n}"))
    return Run("run-2", geometry, data, tuple(markers), folder)


def test_scores_of_a_session_are_complete_and_plain_json(
    tmp_path: Path, toy_artifact: Artifact, toy_generator: Diffusion, toy_geometry: Geometry
) -> None:
    run = toy_session(tmp_path / "stimuli", toy_geometry)

    def colour(pictures: np.ndarray) -> np.ndarray:
        return pictures.reshape(len(pictures), -1, 3)[:, ::500].reshape(len(pictures), -1)

    found = evaluate(
        toy_artifact, held_out_runs(toy_artifact, [run], toy_generator), toy_generator,
        {"colour": colour, "swav": colour}, draw=True, left_out={"clip": "not here"},
    )  # fmt: skip
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    directions = ("two_way", "two_way_of_originals")
    wanted = {f"{space}_{way}" for space in ("c", "z", "pixels", "colour") for way in directions}
    wanted |= {f"{space}_{what}" for space in "cz" for what in ("correlation", "retrieval")}
    wanted |= {"kind_top1", "kind_two_way", "pixcorr", "ssim", "swav"}
    assert set(found["scores"]) == set(found["family_p"]) == wanted
    for score in found["scores"].values():
        assert set(score) == {"value", "chance", "null", "p", "interval", "n"}
        assert score["interval"][0] - 1e-9 <= score["value"] <= score["interval"][1] + 1e-9
        assert score["null"][0] <= score["chance"] <= score["null"][1]
        assert score["n"] == 8
    assert found["scores"]["z_two_way"]["chance"] == pytest.approx(0.5)
    assert found["nothing_decoded"] is True
    assert found["left_out"] == {"clip": "not here"}
    assert (found["trials"], found["pictures"], found["candidates"]) == (8, 8, 3)
    assert found["repeats"] == {}
    assert "10" in found["by_age_s"]["c_two_way"]
    assert sum(row["n"] for row in found["reliability"]["bins"]) == 8


def test_pictures_of_the_fitting_are_refused(
    tmp_path: Path, toy_artifact: Artifact, toy_generator: Diffusion, toy_geometry: Geometry
) -> None:
    run = toy_session(tmp_path / "stimuli", toy_geometry, 3)
    about = {"runs": ["run-1"], "stimuli": {"old.png": picture_hashes([run])["1.png"]}}
    with pytest.raises(BadDataset, match=r"1 pictures: 1.png \(fitted as old.png\)"):
        held_out_runs(replace(toy_artifact, about=about), [run], toy_generator)
    one = replace(run, trials=run.trials[:1])
    with pytest.raises(BadDataset, match="1 trial in the runs"):
        evaluate(toy_artifact, held_out_runs(toy_artifact, [one], toy_generator), toy_generator)
