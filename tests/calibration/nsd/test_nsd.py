"""The Natural Scenes Dataset's layout: nothing is off by one, mirrored, rescaled or leaked."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from calibration.__main__ import main
from calibration.data.atlas import Area
from calibration.data.regions import Areas
from calibration.nsd.betas import open_betas
from calibration.nsd.files import Folder, load_design
from calibration.nsd.person import NsdData, load_nsd
from calibration.nsd.samples import averaged
from calibration.nsd.targets import encode
from calibration.scoring.held_out import held_out_images
from rtrecon.artifact import Artifact, load_artifact
from rtrecon.errors import BadDataset, Mismatch
from rtrecon.generators.diffusion import Diffusion
from simulator.scenes import render
from tests.nsd import (
    AFFINE,
    DEAD,
    IMAGES,
    OWN,
    SESSIONS,
    SHAPE,
    SHARED,
    SIZE_PX,
    SUBJECT,
    TRIALS,
    Person,
    captions_of,
    person,
    write_betas,
    write_design,
    write_table,
)  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Person:
    return person(tmp_path_factory.mktemp("nsd") / "nifti")


@pytest.fixture(scope="module")
def data(written: Person) -> NsdData:
    return load_nsd(written.root, SUBJECT)


def ids(samples: object) -> np.ndarray:
    """The image id of each sample."""
    return np.array([samples.shown[n].number for n in samples.trials])  # type: ignore[attr-defined]


def z_scored(written: Person, voxels: np.ndarray) -> np.ndarray:
    """Betas of voxels (n_trials, n_voxels), worked out from what was written."""
    at = np.unravel_index(voxels, SHAPE, order="F")
    rows = written.betas[:, *at].astype(float)
    for start in range(0, len(rows), TRIALS):
        part = rows[start : start + TRIALS]
        own = part[~np.isin(written.image[start : start + TRIALS], written.shared)]
        part[:] = (part - own.mean(axis=0)) / own.std(axis=0)
    return rows


def test_every_trial_has_its_own_image_and_pattern(written: Person, data: NsdData) -> None:
    early = np.flatnonzero((written.streams == 1).ravel(order="F"))
    dead = np.ravel_multi_index(DEAD, SHAPE, order="F")
    np.testing.assert_array_equal(data.region.voxels[data.region.early], early[early != dead])
    rows, images = z_scored(written, data.region.voxels), written.image
    own = ~np.isin(images, written.shared)
    np.testing.assert_array_equal(ids(data.train), images[own])
    np.testing.assert_allclose(data.train.patterns, rows[own], atol=0.02)  # rounded to 1/300 %
    assert data.train.patterns.dtype == np.float32
    assert {trial.number for trial in data.test.shown} == set(written.shared.tolist())
    np.testing.assert_array_equal(ids(data.test), images[~own])
    np.testing.assert_allclose(data.test.patterns, rows[~own], atol=0.02)
    means = np.stack([rows[images == trial.number].mean(axis=0) for trial in data.test.shown])
    np.testing.assert_allclose(averaged(data.test).patterns, means, atol=0.02)
    assert "less 1 without variance" in data.region.chosen_by


def test_a_later_session_alone_begins_where_its_trials_do(written: Person) -> None:
    data = load_nsd(written.root, "subj02", ["3-4", 2])
    assert data.sessions == (2, 3, 4)
    some = load_nsd(written.root, "2", [3])
    images = written.image[2 * TRIALS : 3 * TRIALS]
    np.testing.assert_array_equal(ids(some.train), images[~np.isin(images, written.shared)])
    # The dead voxel is dead in session 2 only.
    assert len(some.region.voxels) == len(data.region.voxels) + 1


def test_no_shared_image_comes_into_training_or_its_scaling(
    written: Person, data: NsdData, tmp_path: Path
) -> None:
    other = person(tmp_path / "other")
    shared = np.isin(other.image, other.shared)
    betas = np.where(shared[:, None, None, None], 50 - 20 * other.betas, other.betas)
    for session in range(1, SESSIONS + 1):
        write_betas(other, session, False, betas)
    spoilt = load_nsd(other.root, SUBJECT)
    assert not set(ids(data.train)) & set(written.shared.tolist())
    assert len(data.train.patterns) + 3 * SHARED == SESSIONS * TRIALS
    np.testing.assert_array_equal(spoilt.train.patterns, data.train.patterns)
    assert np.abs(spoilt.test.patterns - data.test.patterns).max() > 10


def test_betas_are_in_per_cent(written: Person) -> None:
    betas = open_betas(Folder(written.root, SUBJECT).betas[2])
    assert (betas.shape, betas.trials) == (SHAPE, TRIALS)
    voxels = np.array([0, 5, 17, 300])
    found = np.concatenate(list(betas.blocks(voxels)))
    at = np.unravel_index(voxels, SHAPE, order="F")
    np.testing.assert_allclose(
        found, written.betas[TRIALS : 2 * TRIALS, *at], atol=0.5 / 300 + 1e-6
    )


def test_hdf5_and_matlab_7_3_give_the_same_samples(data: NsdData, tmp_path: Path) -> None:
    other = person(tmp_path / "hdf5", hdf5=True)
    folder = Folder(other.root, SUBJECT)
    assert {file.suffix for file in folder.betas.values()} == {".hdf5"}
    design = load_design(folder)
    own = np.stack([np.r_[other.shared, np.arange(OWN)]] * 3)
    own[SUBJECT - 1] = list(dict.fromkeys([*other.shared.tolist(), *other.image.tolist()]))
    index = {int(image): n for n, image in enumerate(own[SUBJECT - 1])}
    order = np.array([index[int(image)] for image in other.image])
    write_design(other.root, own + 1, order + 1, other.shared + 1, hdf5=True)
    np.testing.assert_array_equal(load_design(folder).image, design.image)
    again = load_nsd(other.root, SUBJECT)
    np.testing.assert_array_equal(again.train.patterns, data.train.patterns)
    np.testing.assert_array_equal(again.test.patterns, data.test.patterns)
    np.testing.assert_array_equal(ids(again.train), ids(data.train))
    np.testing.assert_array_equal(again.region.voxels, data.region.voxels)


def test_repeats_can_be_averaged(written: Person, data: NsdData) -> None:
    mean = load_nsd(written.root, SUBJECT, average_repeats=True).train
    assert len(mean.patterns) == len(mean.shown) == OWN
    of_one = data.train.patterns[ids(data.train) == mean.shown[5].number]
    np.testing.assert_allclose(mean.patterns[5], of_one.mean(axis=0), atol=1e-5)
    assert mean.variances[5] == pytest.approx(1 / len(of_one))


def test_images_and_the_mean_of_all_captions_belong_to_the_id(
    written: Person, data: NsdData, toy_generator: Diffusion
) -> None:
    one = data.train.shown[7].number
    np.testing.assert_array_equal(
        next(data.images([one])), render(written.scenes[one], SIZE_PX).image
    )
    assert data.captions[one] == captions_of(written.scenes[one])
    targets = encode(data, data.train, toy_generator)
    alone = toy_generator.encode_captions(list(captions_of(written.scenes[one]))).mean(axis=0)
    np.testing.assert_allclose(targets.c[7], alone.ravel(), atol=1e-5)
    picture = toy_generator.encode_images([render(written.scenes[one], SIZE_PX).image])
    assert targets.z is not None
    np.testing.assert_allclose(targets.z[7], picture.ravel(), atol=1e-3)


def test_ids_that_are_off_by_one_are_refused(tmp_path: Path) -> None:
    bad = person(tmp_path / "bad")
    own = np.array(list(dict.fromkeys([*bad.shared.tolist(), *bad.image.tolist()])))
    index = {int(image): n for n, image in enumerate(own)}
    order = np.array([index[int(image)] for image in bad.image])
    own = np.stack([own] * 3)
    for images, trials, shared, said in (
        (own, order + 1, bad.shared, "does not count from 1|names"),
        (own + 1, order, bad.shared + 1, "does not count from 1"),
        (own + 1, order + 1, bad.shared, "are not those of sharedix"),
        (own + 2, order + 1, bad.shared + 2, "names other images as shared"),
    ):
        write_design(bad.root, images, trials, shared)
        with pytest.raises(BadDataset, match=said):
            load_nsd(bad.root, SUBJECT)
    write_design(bad.root, own + 1, np.roll(order, 1) + 1, bad.shared + 1)
    with pytest.raises(BadDataset, match=r"names image \d+ in trial \d+"):
        load_nsd(bad.root, SUBJECT)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    bad = person(tmp_path / "bad")
    stimuli = bad.root / "nsddata_stimuli" / "stimuli" / "nsd"
    (stimuli / "nsd_stimuli.hdf5").write_bytes(b"no HDF5")
    (stimuli / "annotations" / "captions_val2017.json").unlink()
    betas = Folder(bad.root, SUBJECT).betas
    nib.save(nib.Nifti1Image(np.zeros((5, 5, 5, TRIALS), np.int16), AFFINE), betas[3])
    with pytest.raises(BadDataset) as refused:
        load_nsd(
            bad.root, SUBJECT, areas=Areas(mask=Area(Folder(bad.root, SUBJECT).streams, ("9",)))
        )
    head, *lines = str(refused.value).splitlines()
    assert head.endswith("has 4 problems:")
    for said in ("no label 9: it has 1, 5", "(5, 5, 5) voxels", "nsd_stimuli.hdf5", "val2017.json"):
        assert sum(said in line for line in lines) == 1
    with pytest.raises(BadDataset, match="for session 9: it has 1, 2, 3, 4"):
        load_nsd(bad.root, SUBJECT, [1, 9])
    with pytest.raises(BadDataset, match="of subj01"):
        load_nsd(bad.root, 1)
    with pytest.raises(BadDataset, match="name one person"):
        load_nsd(bad.root, None)


def test_images_without_captions_are_counted(tmp_path: Path) -> None:
    bad = person(tmp_path / "bad")
    with (bad.root / "nsddata/experiments/nsd/nsd_stim_info_merged.csv").open(newline="") as file:
        rows = [{k: v for k, v in row.items() if k} for row in csv.DictReader(file)]
    assert len(rows) == IMAGES
    for row in rows:
        row["cocoId"] = str(int(row["cocoId"]) + (int(row["nsdId"]) == bad.shared[0]))
    write_table(bad.root, rows)  # type: ignore[arg-type]
    with pytest.raises(BadDataset, match=rf"has no captions of 1 images: {bad.shared[0]}$"):
        load_nsd(bad.root, SUBJECT)


def test_decoders_fitted_by_the_program_know_unseen_shared_images(
    written: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decoder = tmp_path / "decoder"
    arguments = ["fit", written.root, "--subject", SUBJECT, "--output", decoder]
    assert main([str(a) for a in arguments]) == 0
    assert "held-out c r = " in capsys.readouterr().out
    about = load_artifact(decoder).about
    assert about["held_out_correlation"]["c"] > 0.1
    assert about["region"].startswith("early and ventral of the atlas streams")
    evaluate = ["evaluate", str(decoder), str(written.root), "--subject"]
    assert main([*evaluate, str(SUBJECT)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["trials"], found["pictures"]) == (SHARED, SHARED)
    assert found["scores"]["z_two_way"]["value"] > 0.9  # chance .50; of noise .34 to .68 here
    assert found["scores"]["c_two_way"]["value"] > 0.9
    assert found["repeats"]["c"]["n"] == SHARED  # first with second of three showings
    assert found["repeats"]["c"]["value"] > 0.7
    for arguments, said in (
        ([*evaluate, str(SUBJECT), "--runs", "1"], "--runs is for a BIDS dataset"),
        ([*evaluate, str(SUBJECT), "--sessions", "9"], "for session 9"),
    ):
        assert main(arguments) == 1
        assert said in capsys.readouterr().err


def test_the_test_is_the_mean_of_each_shared_images_showings(
    data: NsdData, toy_generator: Diffusion
) -> None:
    test = held_out_images(data, toy_generator)
    assert [one.trial.number for one in test.patterns] == list(test.shown.trials)
    rows = data.test.patterns[ids(data.test) == test.patterns[3].trial.number]
    assert len(rows) == 3
    np.testing.assert_allclose(test.patterns[3].voxels, rows.mean(axis=0), atol=1e-5)
    assert test.patterns[3].variance == pytest.approx(1 / 3)
    assert (len(test.patterns), len(test.showings.pictures)) == (SHARED, 3 * SHARED)


def test_another_persons_decoder_is_refused(
    written: Person, toy_artifact: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(Mismatch, match="not fitted on subj02 of the Natural Scenes Dataset"):
        load_nsd(written.root, SUBJECT, decoder=toy_artifact)
