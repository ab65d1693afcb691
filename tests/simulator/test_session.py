"""The BIDS dataset that a simulated session leaves."""

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from rtrecon.bids import load_run
from rtrecon.bids_files import find_runs
from rtrecon.errors import BadConfig, BadDataset
from rtrecon.types import Event, Marker, Volume
from simulator import scenes
from simulator.__main__ import main
from simulator.plan import Design, write_script
from simulator.session import write_session

SMALL = Design(runs=1, trials=3, test_runs=1, test_trials=2, noise_trials=1, trial_s=8.0, seed=4)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session") / "data"
    write_session(folder, SMALL, processes=1, quiet=True)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_runs_read_back(dataset: Path) -> None:
    runs = [load_run(path) for path in find_runs(dataset)]
    assert [run.name for run in runs] == [f"sub-01_task-view_run-0{n}" for n in (1, 2)]
    for run, script in zip(runs, write_script(SMALL), strict=True):
        assert run.geometry.tr_s == 2.0
        assert run.geometry.shape == (64, 64, 34)
        assert run.data.dtype == np.int16
        assert run.n_volumes == script.n_volumes
        assert tuple(trial.onset_s for trial in run.trials) == script.onsets_s
        assert [trial.trial_type for trial in run.trials] == [s.kind for s in script.shown]
        assert [trial.duration_s for trial in run.trials] == [6.0] * len(script.shown)
        items = list(run.walk())
        assert sum(isinstance(item, Volume) for item in items) == script.n_volumes
        markers = [item.event for item in items if isinstance(item, Marker)]
        assert markers == [Event.RUN_START, *[Event.TRIAL] * len(script.shown), Event.RUN_END]


def test_stimuli_are_the_pictures_that_the_events_and_scenes_tell_of(dataset: Path) -> None:
    for path in find_runs(dataset):
        run = load_run(path)
        truth = dataset / "derivatives" / "simulation" / "sub-01" / "func"
        described = json.loads((truth / f"{run.name}_scenes.json").read_text())
        assert list(described) == [trial.stim_file for trial in run.trials]
        for trial in run.trials:
            scene = scenes.Scene(**described[trial.stim_file])
            with Image.open(run.stimuli / trial.stim_file) as picture:
                np.testing.assert_array_equal(picture, scenes.render(scene, 128).image)
            assert trial.caption == scenes.caption(scene)
            assert trial.trial_type == scene.kind


def test_masks_lie_on_the_volumes_and_apart(dataset: Path) -> None:
    masks = dataset / "derivatives" / "masks" / "sub-01" / "func"
    early, ventral = (
        nib.load(masks / f"sub-01_task-view_desc-{name}_mask.nii.gz")
        for name in ("early", "ventral")
    )
    bold = nib.load(find_runs(dataset)[0])
    np.testing.assert_allclose(early.affine, bold.affine, atol=1e-4)
    assert early.shape == ventral.shape == bold.shape[:3]
    a, b = (np.asarray(mask.dataobj) > 0 for mask in (early, ventral))
    assert a.sum() > 1500
    assert b.sum() > 1500
    assert not (a & b).any()
    mean = np.asarray(bold.dataobj).mean(-1)
    assert np.percentile(mean[a | b], 5) > 500


def test_descriptions_say_what_made_the_data(dataset: Path) -> None:
    for folder in (dataset, dataset / "derivatives/masks", dataset / "derivatives/simulation"):
        about = json.loads((folder / "dataset_description.json").read_text())
        assert about["GeneratedBy"][0]["Name"] == "rtrecon-simulate"
        assert about["BIDSVersion"]
    session = json.loads((dataset / "derivatives/simulation/session.json").read_text())
    assert session["test"] == ["run-02"]
    assert session["calibration"] == ["run-01"]
    assert Design(**session["design"]) == SMALL
    sidecar = json.loads(find_runs(dataset)[0].with_suffix("").with_suffix(".json").read_text())
    assert len(sidecar["SliceTiming"]) == 34
    assert 0 < min(sidecar["SliceTiming"]) < max(sidecar["SliceTiming"]) < 2.0


def test_true_motion_has_a_row_a_volume(dataset: Path) -> None:
    truth = dataset / "derivatives" / "simulation" / "sub-01" / "func"
    for path, script in zip(sorted(truth.glob("*_motion.tsv")), write_script(SMALL), strict=True):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert len(rows) == script.n_volumes
        assert list(rows[0]) == ["trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"]


def test_the_same_bytes_however_many_processes(dataset: Path, tmp_path: Path) -> None:
    write_session(tmp_path / "again", SMALL, processes=2, quiet=True)
    assert contents(tmp_path / "again") == contents(dataset)


def test_at_effect_0_other_pictures_make_the_same_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = replace(SMALL, effect=0.0, runs=1, test_runs=0, trials=2)
    scripts = write_script(design)
    rng = np.random.default_rng(99)
    swapped = tuple(scenes.sample_scene(rng) for _ in scripts[0].shown)
    write_session(tmp_path / "a", design, processes=1, quiet=True)
    monkeypatch.setattr(
        "simulator.session.write_script", lambda _: [replace(scripts[0], shown=swapped)]
    )
    write_session(tmp_path / "b", design, processes=1, quiet=True)
    (a,), (b,) = (find_runs(tmp_path / name) for name in "ab")
    assert load_run(a).trials != load_run(b).trials
    assert a.read_bytes() == b.read_bytes()


def test_kinds_are_balanced_and_no_scene_comes_twice() -> None:
    scripts = write_script(Design())
    assert [script.test for script in scripts] == [False] * 12 + [True]
    calibration = Counter(s.kind for script in scripts[:-1] for s in script.shown)
    assert calibration.pop(scenes.NOISE) == 24
    assert set(calibration.values()) == {28}
    test = Counter(s.kind for s in scripts[-1].shown)
    assert test.pop(scenes.NOISE) == 2
    assert set(test.values()) <= {1, 2}
    assert len(test) == 12
    things = [s for script in scripts for s in script.shown if s.kind != scenes.NOISE]
    assert len({replace(s, flip=False, seed=0) for s in things}) == len(things)


def test_pictures_of_the_test_can_repeat() -> None:
    design = Design(runs=2, test_trials=6, test_repeats=3)
    scripts, plain = write_script(design), write_script(replace(design, test_repeats=1))
    assert scripts[:2] == plain[:2]  # nothing else changes
    test = scripts[2]
    assert set(test.shown) == set(plain[2].shown)
    assert set(Counter(test.shown).values()) == {3}
    assert len(test.onsets_s) == len(test.stim_files) == 18
    names = dict(zip(test.stim_files, test.shown, strict=True))
    assert len(names) == 6
    assert [names[name] for name in test.stim_files] == list(test.shown)
    halves = [Counter(test.shown[start : start + 6]) for start in (0, 6, 12)]
    assert any(set(half.values()) != {1} for half in halves)  # not round after round
    assert max(test.onsets_s) + design.trial_s <= test.n_volumes * design.tr_s


def test_repeated_pictures_are_one_file_and_one_response(tmp_path: Path) -> None:
    design = replace(SMALL, test_repeats=2)
    write_session(tmp_path, design, processes=1, quiet=True)
    run = load_run(find_runs(tmp_path)[1])
    assert set(Counter(trial.stim_file for trial in run.trials).values()) == {2}
    assert len(list((tmp_path / "stimuli").glob("run-02*"))) == SMALL.test_trials
    about = json.loads((tmp_path / "derivatives/simulation/session.json").read_text())
    assert Design(**about["design"]) == design


def test_onsets_fall_anywhere_within_a_tr_and_pictures_never_overlap() -> None:
    for script in write_script(Design()):
        onsets_s = np.array(script.onsets_s)
        assert np.diff(onsets_s).min() >= 11
        assert onsets_s[0] >= 10
        assert onsets_s[-1] + 12 <= script.n_volumes * 2.0
        assert np.std(onsets_s % 2.0) > 0.2


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        ({"runs": 0, "test_runs": 0}, "--runs"),
        ({"trials": 0}, "--trials"),
        ({"test_repeats": 0}, "--test-repeats"),
        ({"stimulus_s": 12.0}, "--stimulus-s"),
    ],
)
def test_impossible_designs_name_the_way_out(wrong: dict[str, float], way_out: str) -> None:
    with pytest.raises(BadConfig, match=way_out):
        Design(**wrong)


def test_a_folder_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["session", str(tmp_path)]) == 1
    assert "--overwrite" in capsys.readouterr().err
    with pytest.raises(BadDataset, match="no simulated session"):
        write_session(tmp_path, SMALL, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_overwriting_leaves_nothing_of_the_old_session(tmp_path: Path) -> None:
    design = replace(SMALL, trials=1, test_trials=1, noise_trials=0)
    write_session(tmp_path, design, processes=1, quiet=True)
    write_session(tmp_path, replace(design, test_runs=0), 1, overwrite=True, quiet=True)
    assert len(find_runs(tmp_path)) == 1
    assert len(list((tmp_path / "stimuli").iterdir())) == 1


def test_bad_usage_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["session"], ["session", "x", "--runs", "-1"], ["session", "x", "--tr", "0"]):
        with pytest.raises(SystemExit) as stopped:
            main(argv)
        assert stopped.value.code == 2
    assert "0.1 to 1000" in capsys.readouterr().err
