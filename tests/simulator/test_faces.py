"""Faces: how they are drawn, who sees them, and what the network makes of them."""

import csv
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from calibration.scoring.evaluate import two_way
from rtrecon.bids import load_run
from rtrecon.bids_files import find_runs
from rtrecon.errors import BadConfig
from rtrecon.generators import Aim, Generator, load_generator
from simulator.__main__ import main
from simulator.brain import Brain
from simulator.faces import FACES, JUDGE
from simulator.faces.drawing import render
from simulator.faces.face import (
    CLOTHES,
    HAIRS,
    KINDS,
    MOUTHS,
    PLACES,
    SKINS,
    VOCABULARY,
    Face,
    caption,
    hairs,
    properties,
    sample,
    words,
)
from simulator.judge import Judge
from simulator.plan import Design, write_script
from simulator.scoring import pixel_correlation
from simulator.session import write_session

PLAIN = Face("woman", "pale", "brown-haired", "smiling", "blue", "sky", False, 7)


@pytest.fixture(scope="module")
def unseen() -> list[Face]:
    rng = np.random.default_rng(20240905)
    return [sample(rng, kind) for kind in 4 * KINDS]


@pytest.fixture(scope="module")
def pictures(unseen: list[Face]) -> NDArray[np.uint8]:
    return np.stack([render(face) for face in unseen])


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("faces")


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load(JUDGE)


def drawn(
    generator: Generator, z: NDArray[np.float32] | None, c: NDArray[np.float32], seed: int = 0
) -> NDArray[np.uint8]:
    (step,) = generator.images(Aim(z, c), seed, generator.defaults)
    return step.images[0]


def test_a_face_is_the_same_picture_whenever_it_is_drawn() -> None:
    again = render(replace(PLAIN))
    assert again.shape == (128, 128, 3)
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(render(PLAIN), again)
    halved = render(PLAIN, 64).astype(float)
    coarse = again.reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(halved - coarse).mean() < 2.5


@pytest.mark.parametrize(
    ("field", "values", "least"),
    [
        ("kind", KINDS, 0.02),
        ("skin", SKINS, 0.02),
        ("hair", HAIRS, 0.02),
        ("mouth", MOUTHS, 0.002),
        ("clothes", CLOTHES, 0.02),
        ("place", PLACES, 0.1),
        ("glasses", (False, True), 0.01),
        ("seed", (7, 8, 9), 0.05),
    ],
)
def test_each_attribute_shows(field: str, values: tuple, least: float) -> None:
    shown = [render(replace(PLAIN, **{field: value})).astype(int) for value in values]
    for n, one in enumerate(shown):
        for other in shown[:n]:
            assert (np.abs(one - other).max(axis=2) > 24).mean() > least


def test_clothes_do_not_change_what_is_above_them() -> None:
    blue, red = (render(replace(PLAIN, clothes=colour)) for colour in ("blue", "red"))
    np.testing.assert_array_equal(blue[:64], red[:64])
    assert (blue[-1] != red[-1]).any()


def test_faces_are_balanced_and_hair_is_that_of_the_kind() -> None:
    rng = np.random.default_rng(1)
    faces = [sample(rng) for _ in range(1500)]
    assert all(face.hair in hairs(face.kind) for face in faces)
    for field, values in (
        ("kind", KINDS), ("skin", SKINS), ("mouth", MOUTHS), ("clothes", CLOTHES),
        ("place", PLACES),
    ):  # fmt: skip
        counts = Counter(getattr(face, field) for face in faces)
        assert set(counts) == set(values)
        assert min(counts.values()) > 0.6 * len(faces) / len(values), field
    assert 0.28 < np.mean([face.glasses for face in faces]) < 0.42


def test_a_caption_says_all_that_words_say_and_each_word_one_thing(generator: Generator) -> None:
    assert caption(PLAIN) == "a smiling pale brown-haired woman dressed in blue before sky"
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    rng = np.random.default_rng(2)
    faces = [sample(rng) for _ in range(50)]
    counted = generator.encode_captions([caption(face) for face in faces])[:, 0]
    said = [[word in words(face) for word in VOCABULARY] for face in faces]
    np.testing.assert_array_equal(counted, said)


def test_properties_are_those_of_the_description_alone() -> None:
    np.testing.assert_array_equal(properties(PLAIN), properties(replace(PLAIN, seed=8)))
    for field, value in asdict(replace(PLAIN, kind="man", skin="tanned", hair="blond",
                                       mouth="serious", clothes="red", place="night",
                                       glasses=True)).items():  # fmt: skip
        if field != "seed":
            other = properties(replace(PLAIN, **{field: value}))
            assert np.abs(other - properties(PLAIN)).sum() > 0.5, field


def test_early_voxels_see_pixels_alone_and_ventral_voxels_words_alone() -> None:
    brain = Brain(0, gallery=FACES)
    rng = np.random.default_rng(3)
    shown = [sample(rng) for _ in range(6)]
    images = np.stack([render(face, 64) for face in shown])
    first = brain.responses(shown, images)
    other_faces, other_pixels = (
        brain.responses(shown[::-1], images),
        brain.responses(shown, images[::-1]),
    )
    early, ventral = np.s_[:, : brain.n_early], np.s_[:, brain.n_early :]
    np.testing.assert_array_equal(first[early], other_faces[early])
    np.testing.assert_array_equal(first[ventral], other_pixels[ventral])
    assert np.abs(first[early] - other_pixels[early]).mean() > 0.1
    assert np.abs(first[ventral] - other_faces[ventral]).mean() > 0.1
    np.testing.assert_array_equal(
        first[ventral], brain.responses([replace(f, seed=0) for f in shown], images)[ventral]
    )


def test_a_session_of_faces_reads_back(tmp_path: Path) -> None:
    design = Design(runs=1, trials=2, test_runs=1, test_trials=2, trial_s=8.0, pictures="faces")
    write_session(tmp_path / "data", design, processes=1, quiet=True)
    runs = [load_run(path) for path in find_runs(tmp_path / "data")]
    truth = tmp_path / "data" / "derivatives" / "simulation" / "sub-01" / "func"
    for run, script in zip(runs, write_script(design), strict=True):
        assert run.n_volumes == script.n_volumes
        described = json.loads((truth / f"{run.name}_faces.json").read_text())
        for trial, face in zip(run.trials, script.shown, strict=True):
            assert Face(**described[trial.stim_file]) == face
            assert (trial.trial_type, trial.caption) == (face.kind, caption(face))
            with Image.open(run.stimuli / trial.stim_file) as picture:
                np.testing.assert_array_equal(picture, render(face))
    about = json.loads((truth.parents[1] / "session.json").read_text())
    assert about["design"]["pictures"] == "faces"


def test_kinds_of_faces_are_balanced_and_none_is_shown_twice() -> None:
    scripts = write_script(Design(pictures="faces"))
    calibration = Counter(f.kind for script in scripts[:-1] for f in script.shown)
    assert calibration == dict.fromkeys(KINDS, 36)
    everything = [words(face) for script in scripts for face in script.shown]
    assert len(set(everything)) == len(everything)
    with pytest.raises(BadConfig, match="pictures 'cars' are unknown: .*scenes, faces"):
        Design(pictures="cars")


def test_the_program_takes_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["session", str(tmp_path / "data"), "--pictures", "cars"])
    assert "invalid choice: 'cars'" in capsys.readouterr().err
    size = ("--runs", "0", "--test-runs", "1", "--test-trials", "1", "--trial-s", "8")
    assert main(["session", str(tmp_path / "data"), "--pictures", "faces", *size,
                 "--processes", "1", "--quiet"]) == 0  # fmt: skip
    with next((tmp_path / "data").rglob("*_events.tsv")).open() as file:
        assert [row["trial_type"] in KINDS for row in csv.DictReader(file, delimiter="\t")] == [
            True
        ]


def test_codes_and_captions_identify_unseen_faces(
    generator: Generator, judge: Judge, unseen: list[Face], pictures: NDArray[np.uint8]
) -> None:
    z = generator.encode_images(list(pictures))
    c = generator.encode_captions([caption(face) for face in unseen])
    made = np.stack([drawn(generator, *both) for both in zip(z, c, strict=True)])
    assert two_way(pixel_correlation(made, pictures)) >= 0.98
    error = np.abs(made.astype(float) - pictures).mean()
    shuffled = np.abs(made.astype(float) - np.roll(pictures, 1, axis=0)).mean()
    assert error < 0.35 * shuffled
    kinds = zip(judge.classify(made)["kind"], unseen, strict=True)
    assert np.mean([name == face.kind for name, face in kinds]) >= 0.9


def test_codes_alone_and_words_alone_say_something(
    generator: Generator, judge: Judge, unseen: list[Face], pictures: NDArray[np.uint8]
) -> None:
    z = generator.encode_images(list(pictures))
    c = generator.encode_captions([caption(face) for face in unseen])
    no_words = np.stack([drawn(generator, code, c.mean(0)) for code in z])
    assert two_way(pixel_correlation(no_words, pictures)) >= 0.9
    no_code = np.stack([drawn(generator, None, said, n) for n, said in enumerate(c)])
    kinds = zip(judge.classify(no_code)["kind"], unseen, strict=True)
    assert np.mean([name == face.kind for name, face in kinds]) >= 0.4  # chance .1


def test_codes_are_standard(generator: Generator, pictures: NDArray[np.uint8]) -> None:
    codes = generator.encode_images(list(pictures)).reshape(len(pictures), -1)
    assert np.abs(codes.mean(0)).mean() < 0.3
    assert codes.std(0).mean() == pytest.approx(1, abs=0.15)


def test_edges_are_as_crisp_as_in_true_pictures(
    generator: Generator, unseen: list[Face], pictures: NDArray[np.uint8]
) -> None:
    """A plain autoencoder's pictures are blurred; this is what the critic is for."""
    z = generator.encode_images(list(pictures))
    c = generator.encode_captions([caption(face) for face in unseen])
    made = np.stack([drawn(generator, *both) for both in zip(z, c, strict=True)])
    true, ours = (np.abs(np.diff(x.astype(float), axis=2)).mean() for x in (pictures, made))
    assert 0.6 < ours / true < 1.6


def test_the_judge_knows_true_faces(
    judge: Judge, unseen: list[Face], pictures: NDArray[np.uint8]
) -> None:
    said = judge.classify(pictures)
    for name in said:
        right = np.mean([v == getattr(f, name) for v, f in zip(said[name], unseen, strict=True)])
        assert right >= 0.85, name
