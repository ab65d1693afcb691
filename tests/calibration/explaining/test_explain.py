"""From a dataset to maps, figures and numbers; and what is found in a simulated visual cortex."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from calibration.__main__ import main
from calibration.data.atlas import Area
from calibration.data.dataset import load_runs
from calibration.data.regions import Region, load_region
from calibration.explaining.by_region import models_of, numbers
from calibration.explaining.encoding_scores import score_all
from calibration.explaining.evoked import regions_of
from calibration.explaining.feature_files import FeatureSet
from calibration.explaining.responses import Responses
from rtrecon.generators import load_generator
from rtrecon.types import Trial
from simulator.scenes import SCENES
from simulator.vision import EarlyVision, VentralVision
from tests import nsd
from tests.calibration.data.test_dataset import AFFINE, SHAPE, write_dataset

STIMULI, VOXELS = 150, 150


@pytest.fixture(scope="module")
def simulated(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Responses, dict[str, np.ndarray], list[FeatureSet]]:
    """What a simulated visual cortex evokes, with noise, and features of the same scenes.

    c is that of the kind alone: the scenes' own captions say so much of where things are and of
    their colours that they foretell the latents.
    """
    rng = np.random.default_rng(0)
    scenes = [SCENES.sample(rng) for _ in range(STIMULI)]
    pictures = np.stack([SCENES.draw(scene, 128) for scene in scenes])
    at_mm = rng.uniform(-20, 20, (VOXELS, 3)).astype(np.float32)
    early = EarlyVision(at_mm, SCENES, rng)(pictures)
    evoked = np.hstack([early, VentralVision(at_mm, SCENES, rng)(scenes)])
    share = rng.beta(2.2, 6.0, 2 * VOXELS)  # of variance, as in the simulated person
    signal = np.sqrt(share) * (evoked - evoked.mean(axis=0)) / evoked.std(axis=0)
    patterns = signal + np.sqrt(1 - share) * rng.normal(size=signal.shape)
    generator = load_generator("miniature")
    z = generator.encode_images(list(pictures)).reshape(STIMULI, -1)
    c = generator.encode_captions([scene.kind for scene in scenes]).reshape(STIMULI, -1)
    shown = tuple(Trial(n, scene.kind, 0.0, 6.0) for n, scene in enumerate(scenes))
    responses = Responses(
        patterns.astype(np.float32), np.arange(STIMULI) // 30, shown, np.ones(STIMULI, np.int64)
    )
    folder = tmp_path_factory.mktemp("features")
    np.save(folder / "z.npy", z)
    np.save(folder / "c.npy", c)
    spaces = {"z": "z", "c": "c", "z_c": "z"}
    features = [FeatureSet("space", label, folder / f"{f}.npy") for label, f in spaces.items()]
    is_early = np.arange(2 * VOXELS) < VOXELS
    return responses, {"early": is_early, "ventral": ~is_early}, features


def test_z_explains_early_cortex_and_c_ventral_cortex(
    simulated: tuple[Responses, dict[str, np.ndarray], list[FeatureSet]],
) -> None:
    responses, regions, features = simulated
    file = features[0].file.with_name("responses.npz")
    responses.save(file)
    models = score_all(models_of(features), file, regions)
    results = numbers(features, models, responses, regions)
    intervals = {
        (feature["label"], region): feature["regions"][region]["interval_stimuli"]
        for feature in results["features"]
        for region in regions
    }
    assert intervals["z", "early"][0] > intervals["c", "early"][1]
    assert intervals["c", "ventral"][0] > intervals["z", "ventral"][1]
    assert results["differences"]["early"]["z - c"]["interval_stimuli"][0] > 0
    assert results["differences"]["ventral"]["z - c"]["interval_stimuli"][1] < 0
    assert results["unique"]["z"]["early"]["interval_stimuli"][0] > 0
    assert results["unique"]["c"]["ventral"]["interval_stimuli"][0] > 0
    assert results["best"]["ventral"]["c"] > results["best"]["ventral"]["z"]
    json.dumps(results, allow_nan=False)


def with_pictures(folder: Path) -> Path:
    """A made-up dataset, each of whose trials shows a picture of its own."""
    dataset, rng = write_dataset(folder, runs=3), np.random.default_rng(0)
    for events in sorted(dataset.glob("sub-01/func/*_events.tsv")):
        header, *rows = events.read_text().splitlines()
        for n, row in enumerate(rows):
            name = f"{events.stem}-{n}.png"
            picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(picture).save(dataset / "stimuli" / name)
            rows[n] = "\t".join([*row.split("\t")[:-1], name])
        events.write_text("\n".join([header, *rows]) + "\n")
    return dataset


def test_the_command_leaves_numbers_maps_and_figures(
    tmp_path: Path, toy_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, output = with_pictures(tmp_path / "data"), tmp_path / "explained"
    arguments = ["--mask", dataset / "mask.nii.gz", "--generator", toy_folder, "--no-realign"]
    assert main([str(a) for a in ("explain", dataset, "--output", output, *arguments)]) == 0
    results = json.loads((output / "explain.json").read_text())
    assert (results["stimuli"], results["left_out"], results["template_space"]) == (24, "runs", False)  # fmt: skip
    said = capsys.readouterr().out
    assert "maps are on slices alone" in said
    assert "mask, 120 voxels: mean r of z" in said
    assert {p.name for p in output.glob("*.png")} == {f"{n}.png" for n in (
        "spaces", "noise", "steps", "blocks", "map_spaces", "map_noise", "map_steps", "map_blocks")}  # fmt: skip
    assert not list(output.glob("features-*"))
    r = np.asarray(nib.load(output / "maps" / "c_r.nii.gz").dataobj)
    (c,) = (f for f in results["features"] if f["label"] == "c")
    assert r.mean() == pytest.approx(c["regions"]["mask"]["r"], abs=1e-5)
    assert c["regions"]["mask"]["r"] > 0.5  # every voxel knows a cat from a dog
    assert c["regions"]["mask"]["significant"] > 0.9


def test_every_label_of_an_atlas_is_a_region(tmp_path: Path) -> None:
    runs = load_runs(write_dataset(tmp_path / "data", runs=2))
    labels = np.zeros(SHAPE, np.int16)
    labels[:2], labels[4:] = 3, 7
    atlas = tmp_path / "visual_dseg.nii.gz"
    nib.Nifti1Image(labels, AFFINE).to_filename(atlas)
    (tmp_path / "visual_dseg.tsv").write_text("index\tname\n3\tV1\n")

    def found(area: Area) -> tuple[Region, dict[str, np.ndarray]]:
        region = load_region(runs, area)
        return region, dict(regions_of(region, area, runs[0].geometry))

    region, regions = found(Area(atlas))
    assert list(regions) == ["V1", "7"]
    np.testing.assert_array_equal(labels.ravel(order="F")[region.voxels[regions["V1"]]], 3)
    assert sum(map(np.sum, regions.values())) == len(region.voxels) == (labels > 0).sum()
    region, regions = found(Area.parse(f"{atlas}:V1"))
    assert list(regions) == ["V1"]
    assert len(region.voxels) == (labels == 3).sum()


def test_regions_are_called_by_how_their_voxels_were_chosen(tmp_path: Path) -> None:
    runs = load_runs(write_dataset(tmp_path / "data", runs=2))
    back = load_region(runs)
    assert list(regions_of(back, None, runs[0].geometry)) == ["posterior third"]
    few = replace(back, chosen_by="reliable over 9 repeated stimuli (false discovery rate 0.01)")
    assert list(regions_of(few, None, runs[0].geometry)) == ["reliable voxels"]
    half = replace(back, early=np.arange(len(back.voxels)) < 5)
    assert list(regions_of(half, None, runs[0].geometry)) == ["early", "ventral"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--atlas", "a.nii", "--mask", "b.nii"], "an --atlas has its own regions"),
        (["--early", "a.nii"], "name one --mask, or both --early and --ventral"),
        (["--sessions", "9"], "has no session 9: it has runs without a session"),
        (["--space", "T1w"], "in space T1w"),
        (["--subject", "4"], "has no subject 4"),
        ([], "no trial names a stim_file"),
    ],
)
def test_what_cannot_be_explained_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    dataset = write_dataset(tmp_path / "data", pictures=False)
    given = ["explain", str(dataset), "--output", str(tmp_path / "out"), "--no-realign"]
    assert main([*given, *more]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()


def test_a_natural_scenes_folder_is_explained(
    tmp_path: Path,
    toy_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for what, value in (
        ("encoding.NULLS", 100),
        ("features.STRENGTHS", (0.6, 0.8)),
        ("features.MOMENTS", 3),
    ):
        monkeypatch.setattr(f"calibration.explaining.{what}", value)  # toy size
    written, output = nsd.person(tmp_path / "nsd"), tmp_path / "explained"
    given = ["explain", str(written.root), "--output", str(output), "--generator", str(toy_folder)]
    given += ["--workers", "1"]
    assert main([*given, "--conditions", "--subject", "2"]) == 1
    assert main(given) == 1
    said = capsys.readouterr().err.splitlines()
    assert "--conditions is for a BIDS dataset" in said[0]
    assert "no --subject: name one person" in said[1]
    assert main([*given, "--subject", str(nsd.SUBJECT)]) == 0
    results = json.loads((output / "explain.json").read_text())
    assert (results["stimuli"], results["left_out"]) == (nsd.OWN, "stimuli")
    assert results["trials"] == nsd.OWN * nsd.REPEATS
    assert list(results["regions"]) == ["early", "ventral"]
    z = results["features"][0]
    assert z["regions"]["early"]["interval_stimuli"][0] > 0  # early voxels are linear in pixels
