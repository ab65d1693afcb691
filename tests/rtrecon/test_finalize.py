"""A session's folder, however it ended, becomes a valid BIDS data set that reads back the same."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pylsl
import pytest
from PIL import Image

from rtrecon.__main__ import main
from rtrecon.archive import finalize
from rtrecon.bids import load_run
from rtrecon.record import Recorder
from rtrecon.session_folder import open_session_folder
from rtrecon.types import Arrival, Decoded, Event, Frame, Geometry, Marker, Times, Trial, Volume
from tests.live import Live, rows
from tests.toy import send, toy_run, toy_volumes

RUN = "sub-01/func/sub-01_task-view_run-{}_{}"
ONLINE = "derivatives/rtrecon/sub-01/online"


def validated(dataset: Path) -> list[dict[str, object]]:
    """Errors of the official validator, in the derivatives too."""
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.is_file():
        pytest.skip("bids-validator-deno is not installed")
    found = []
    for part in (dataset, dataset / "derivatives" / "rtrecon"):
        told = subprocess.run(
            [validator, "--format", "json", "--max-rows", "-1", part], capture_output=True
        )
        found += json.loads(told.stdout)["issues"]["issues"]
    return [issue for issue in found if issue["severity"] == "error"]


def record(
    folder: Path, geometry: Geometry, runs: list[list[int]], promised: int | None = None
) -> np.ndarray:
    """A session by the real recorder: for each run the numbers of the volumes that came."""
    recorder = Recorder(folder, geometry, {"candidates": ["cat", "dog"], "stream": "toy"})
    data = toy_volumes(geometry, 12)
    data = data.astype(geometry.dtype)
    clock, serial = 100.0, 0
    for numbers in runs:
        clock += 1
        recorder.marker(Marker(Event.RUN_START, stamp=clock))
        for n in numbers:
            if n == 2:
                trial = Marker(Event.TRIAL, "dog", 4.5, 6.0, "../a dog.png", "a dog", stamp=clock)
                recorder.marker(trial)
                recorder.marker(Marker(Event.TRIGGER, stamp=clock + 0.01))
            times = Times(clock + 2, clock + 2.1, clock + 2.2, clock + 2.3, clock + 2.4)
            clock += 2
            recorder.volume(Volume(n, data[..., n], times))
            recorder.arrival(Arrival(n, times.received, (0.1 * n,) * 6, 0.2, 0.01 * n, 1.1))
            if n < 3:
                continue
            serial += 1
            scores = np.array([0.3, 0.7], np.float32)
            z, c = np.full((1, 2, 2), n, np.float32), np.full((2, 3), n, np.float32)
            seen = Trial(1, "dog", 4.5, 6.0, "../a dog.png", "a dog")
            decoded = Decoded(seen, n, 2.0 * n, z, c, scores, scores, "dog", 0.7, times)
            recorder.decoded(decoded)
            picture = np.full((1, 8, 8, 3), serial, np.uint8)
            recorder.frame(Frame(serial, picture, decoded, 1, 1, times))
        recorder.marker(Marker(Event.RUN_END, volumes=promised, stamp=clock))
    recorder.close()
    return data


@pytest.fixture
def geometry(toy_geometry: Geometry) -> Geometry:
    return replace(toy_geometry, dtype="int16", speed=1.0)


def read(dataset: Path, run: int = 1) -> nib.Nifti1Image:
    return nib.load(dataset / RUN.format(run, "bold.nii.gz"))


def test_a_live_session_becomes_a_valid_data_set_that_plays_the_same(
    live: Live, toy_geometry: Geometry, tmp_path: Path
) -> None:
    live.begin()
    send(live.outlet, toy_run(toy_geometry), pylsl.local_clock())
    live.finish()
    stimuli = tmp_path / "stimuli"
    stimuli.mkdir()
    for name in ("cat.png", "dog.png", "noise.png", "never shown.png"):
        Image.new("RGB", (4, 4)).save(stimuli / name)
    dataset = finalize(live.pipeline.folder, tmp_path / "bids", stimuli=stimuli)
    assert validated(dataset) == []
    sent = list(toy_run(toy_geometry))
    played = list(load_run(dataset / RUN.format(1, "bold.nii.gz")).walk())
    trials = [i for i in sent if isinstance(i, Marker) and i.event is Event.TRIAL]
    back = [i for i in played if isinstance(i, Marker) and i.event is Event.TRIAL]
    assert [replace(trial, stamp=0.0) for trial in back] == [replace(t, stamp=0.0) for t in trials]
    for one, other in zip(
        [i for i in sent if isinstance(i, Volume)],
        [i for i in played if isinstance(i, Volume)],
        strict=True,
    ):
        assert one.number == other.number
        np.testing.assert_array_equal(one.data, other.data)
    assert sorted(f.name for f in (dataset / "stimuli").iterdir()) == [
        "cat.png",
        "dog.png",
        "noise.png",
    ]
    pictures = {f.name: f.read_bytes() for f in (live.folder / "frames").iterdir()}
    kept = {f.name: f.read_bytes() for f in (dataset / ONLINE / "frames").iterdir()}
    assert pictures
    assert kept == pictures
    decoded = rows(dataset / ONLINE / "decoded.tsv")
    assert {row["run"] for row in decoded} == {"1"}
    np.testing.assert_array_equal(
        np.load(dataset / ONLINE / "z.npy"), np.load(live.folder / "z.npy")
    )
    assert len(decoded) == len(np.load(live.folder / "z.npy"))


def test_voxels_affine_and_times_are_exact_and_lost_volumes_keep_time(
    tmp_path: Path, geometry: Geometry
) -> None:
    data = record(tmp_path / "s", geometry, [[0, 1, 2, 3, 6, 7]], promised=9)
    before = {f: f.read_bytes() for f in (tmp_path / "s").rglob("*") if f.is_file()}
    dataset = finalize(tmp_path / "s")
    assert dataset == tmp_path / "s" / "bids"
    assert validated(dataset) == []
    assert {f: f.read_bytes() for f in before} == before
    image = read(dataset)
    assert image.get_data_dtype() == np.int16
    assert image.header.get_zooms()[3] == geometry.tr_s
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert int(image.header["sform_code"]) == int(image.header["qform_code"]) == 1
    np.testing.assert_array_equal(image.affine, geometry.affine)
    np.testing.assert_allclose(image.get_qform(), geometry.affine, atol=1e-5)
    voxels = np.asarray(image.dataobj)
    expected = np.where(np.isin(np.arange(9), [4, 5, 8]), 0, data[..., :9])
    np.testing.assert_array_equal(voxels, expected)
    sidecar = json.loads((dataset / RUN.format(1, "bold.json")).read_text())
    assert (sidecar["LostVolumes"], sidecar["RejectedVolumes"]) == ([4, 5, 8], [])
    derived = dataset / "derivatives" / "rtrecon" / RUN.format(1, "desc-confounds_timeseries.tsv")
    table = rows(derived)
    assert [row["lost"] for row in table] == list("000011001")
    moved = [float(row["framewise_displacement"]) for row in table if row["lost"] == "0"]
    assert moved == pytest.approx([0, 0.01, 0.02, 0.03, 0.06, 0.07])
    (event,) = rows(dataset / RUN.format(1, "events.tsv"))
    assert (float(event["onset"]), event["trial_type"]) == (4.5, "dog")
    assert event["stim_name"] == "../a dog.png"
    assert "stim_file" not in event
    (trigger,) = rows(
        derived.with_name(derived.name.replace("confounds_timeseries", "triggers_events"))
    )
    assert float(trigger["onset"]) == pytest.approx(4.01)  # volume 2 begins at 4 s


def test_slice_and_echo_times_reach_the_sidecar(tmp_path: Path, geometry: Geometry) -> None:
    timed = replace(geometry, slice_times_s=(0.0, 1.0, 0.5, 1.5), echo_times_s=(0.03,))
    record(tmp_path / "s", timed, [[0, 1, 2]])
    sidecar = json.loads((finalize(tmp_path / "s") / RUN.format(1, "bold.json")).read_text())
    assert (sidecar["SliceTiming"], sidecar["EchoTime"]) == ([0.0, 1.0, 0.5, 1.5], 0.03)


def test_rejected_volumes_are_zeros_with_their_reason(tmp_path: Path, geometry: Geometry) -> None:
    data = record(tmp_path / "s", geometry, [[0, 1, 2, 3]])
    table = rows(tmp_path / "s" / "volumes.tsv")
    lines = ["number\tacquired\treceived\tfault"] + [
        f"{r['number']}\t{r['acquired']}\t{r['received']}\t{'constant' if r['number'] == '1' else 'n/a'}"
        for r in table
    ]
    (tmp_path / "s" / "volumes.tsv").write_text("\n".join(lines) + "\n")
    dataset = finalize(tmp_path / "s")
    voxels = np.asarray(read(dataset).dataobj)
    assert not voxels[..., 1].any()
    np.testing.assert_array_equal(voxels[..., [0, 2, 3]], data[..., [0, 2, 3]])
    table = rows(dataset / "derivatives/rtrecon" / RUN.format(1, "desc-confounds_timeseries.tsv"))
    assert [(row["rejected"], row["fault"]) for row in table][:2] == [
        ("0", "n/a"),
        ("1", "constant"),
    ]


def test_every_start_that_volumes_follow_is_a_run(tmp_path: Path, geometry: Geometry) -> None:
    data = record(tmp_path / "s", geometry, [[0, 1, 2], [], [0, 1, 2, 3, 4]])
    dataset = finalize(tmp_path / "s", names=None)
    assert validated(dataset) == []
    assert len(list(dataset.rglob("*_bold.nii.gz"))) == 2
    np.testing.assert_array_equal(np.asarray(read(dataset, 1).dataobj), data[..., :3])
    np.testing.assert_array_equal(np.asarray(read(dataset, 2).dataobj), data[..., :5])
    assert [row["run"] for row in rows(dataset / ONLINE / "decoded.tsv")] == ["2", "2"]


def test_numbers_that_begin_again_are_a_run_without_any_marker(
    tmp_path: Path, geometry: Geometry
) -> None:
    record(tmp_path / "s", geometry, [[0, 1, 2, 3], [0, 1]])
    (tmp_path / "s" / "markers.jsonl").unlink()
    dataset = finalize(tmp_path / "s")
    assert [read(dataset, run).shape[3] for run in (1, 2)] == [4, 2]


def test_whatever_was_cut_off_what_is_whole_is_kept(tmp_path: Path, geometry: Geometry) -> None:
    data = record(tmp_path / "whole", geometry, [[*range(12)]])
    rng = np.random.default_rng(1)
    names = [
        f.name for f in (tmp_path / "whole").iterdir() if f.is_file() and f.name != "session.json"
    ]
    for attempt in range(25):
        cut = tmp_path / f"cut-{attempt}"
        shutil.copytree(tmp_path / "whole", cut)
        for name in rng.choice(names, 3, replace=False):
            size = (cut / name).stat().st_size
            # a volume at least is left: with none there is nothing to write
            least = {"volumes.npy": 128 + data[..., 0].nbytes, "volumes.tsv": 70}.get(name, 0)
            with (cut / name).open("r+b") as file:
                file.truncate(int(rng.integers(min(least, size), size + 1)))
        session = open_session_folder(cut)
        voxels = np.asarray(read(finalize(cut)).dataobj)
        came = len(session.rows)
        assert came >= 1
        np.testing.assert_array_equal(voxels[..., :came], data[..., :came])
        arrays = [np.load(f) for f in (cut / "bids" / ONLINE).glob("*.npy")]
        assert {len(a) for a in arrays} <= {len(rows(cut / "bids" / ONLINE / "decoded.tsv"))}
    assert validated(cut / "bids") == []


def test_the_checklist_says_what_the_record_knows(tmp_path: Path, geometry: Geometry) -> None:
    record(tmp_path / "s", geometry, [[0, 1, 2, 3, 6]])
    folder = finalize(tmp_path / "s") / "derivatives/rtrecon/sub-01"
    told = json.loads((folder / "sub-01_crednf.json").read_text())
    items = {item["item"]: item for item in told["items"]}
    assert len(items) == 23
    assert items["3d"]["recorded"]["volumes lost"] == 2
    latency = items["3d"]["recorded"]["latency (ms)"]
    assert latency["arrival to decoded"]["p50"] == pytest.approx(100, abs=0.01)
    assert latency["arrival to first picture"]["p95"] == pytest.approx(300, abs=0.01)
    assert items["5a"]["recorded"]["identified at their last volume"] == 1.0
    # volumes 3 and 6 of the trial from 4.5 to 10.5 s; 6 begins too late
    mean = items["3e"]["recorded"]["the same by condition (mm)"]["dog"]
    assert math.isclose(mean, 0.03, abs_tol=1e-9)
    assert items["2b"]["by_hand"] == "all of it"
    text = (folder / "sub-01_crednf.md").read_text()
    assert "arrival to decoded p50 100" in text
    assert text.count("to be filled in by hand:") == 23


def test_nothing_is_overwritten_and_bad_names_are_told(
    tmp_path: Path, geometry: Geometry, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "s", geometry, [[0, 1]])
    target = tmp_path / "there"
    target.mkdir()
    (target / "mine").write_text("precious")
    cases = {
        "exists and is never overwritten": ["--output", str(target)],
        "letters and digits": ["--subject", "../01"],
        "is no folder": ["--stimuli", str(tmp_path / "none")],
    }
    for told, options in cases.items():
        assert main(["finalize", str(tmp_path / "s"), *options]) == 1
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1
    assert [f.name for f in target.iterdir()] == ["mine"]
    assert not (tmp_path / "s" / "bids.part").exists()
    named = ["--subject", "07", "--task", "look", "--session", "b"]
    assert main(["finalize", str(tmp_path / "s"), *named]) == 0
    bold = tmp_path / "s/bids/sub-07/ses-b/func/sub-07_ses-b_task-look_run-1_bold.nii.gz"
    assert bold.is_file()
    assert validated(tmp_path / "s/bids") == []
    assert main(["finalize", str(tmp_path / "s")]) == 1  # a second time


def test_a_disk_that_refuses_leaves_no_half_data_set(tmp_path: Path, geometry: Geometry) -> None:
    record(tmp_path / "s", geometry, [[0, 1]])
    (tmp_path / "file").write_text("")
    assert main(["finalize", str(tmp_path / "s"), "--output", str(tmp_path / "file" / "bids")]) == 1
