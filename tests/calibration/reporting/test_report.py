"""One command from files to a page that stands by itself."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from calibration.__main__ import main
from calibration.reporting.report import DATA, PAGE
from calibration.reporting.report_of import verdict
from rtrecon.artifact import load_artifact
from tests import nsd
from tests.calibration.data.test_dataset import AFFINE, SHAPE

KINDS = ("cat", "dog", "car", "boat")


class Page(HTMLParser):
    """The text of a page, its pictures, and whatever it would have to fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.pictures: list[str] = []
        self.fetched: list[str] = []
        self.feed(text.split("<body>")[1])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href"):
                inside = (value or "").startswith("data:image/png;base64,")
                (self.pictures if inside else self.fetched).append(value or "")
        if tag in ("script", "link", "iframe"):
            self.fetched.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def write_person(folder: Path, effect: float, runs: int = 4, repeat: bool = False) -> Path:
    """Runs of four kinds; every picture is another one, unless the last run repeats its own."""
    rng = np.random.default_rng(0)
    func, stimuli = folder / "sub-01" / "func", folder / "stimuli"
    func.mkdir(parents=True)
    stimuli.mkdir()
    signature = {name: rng.normal(0, effect, SHAPE) for name in KINDS}
    for run in range(1, runs + 1):
        data = rng.normal(600, 4, (*SHAPE, 70))
        lines = ["onset\tduration\ttrial_type\tcaption\tstim_file"]
        for trial, name in enumerate(rng.permutation(2 * KINDS)):
            first = 6 + 8 * trial
            file = f"{run}-{name if repeat and run == runs else trial}.png"
            grey = 60 * KINDS.index(name)
            pixels = np.clip(rng.normal(grey, 10, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(stimuli / file)
            lines.append(f"{first * 2.0}\t6\t{name}\ta {name}\t{file}")
            data[..., first + 2 : first + 6] += signature[name][..., None]
        stem = func / f"sub-01_task-view_run-{run}"
        nib.Nifti1Image(data.astype(np.int16), AFFINE).to_filename(f"{stem}_bold.nii.gz")
        Path(f"{stem}_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
        Path(f"{stem}_events.tsv").write_text("\n".join(lines) + "\n")
    nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE).to_filename(folder / "mask.nii.gz")
    return folder


def reported(dataset: Path, output: Path, toy_folder: Path, *more: str) -> tuple[Page, dict]:
    arguments = ["report", str(dataset), "--output", str(output), "--generator", str(toy_folder)]
    assert main([*arguments, *more]) == 0
    page = Page((output / PAGE).read_text(encoding="utf-8"))
    assert page.fetched == []
    return page, json.loads((output / DATA).read_text(encoding="utf-8"))


def test_a_report_stands_by_itself(tmp_path: Path, toy_folder: Path) -> None:
    dataset = write_person(tmp_path / "data", effect=25.0)
    mask = ("--mask", str(dataset / "mask.nii.gz"), "--no-realign")
    page, data = reported(dataset, tmp_path / "report", toy_folder, *mask)
    first = next(line.strip() for line in page.said if len(line.strip()) > 40)
    assert first == data["verdict"]
    assert first.startswith("Decoded: ")
    assert not data["nothing_decoded"]
    assert data["scores"]["kind, named first"]["value"] > 0.8  # chance .25
    assert len(data["learning"]) == 2  # of 2 and of 3 runs
    assert any(line.startswith("Kinds never met") for line in data["trust"])
    (told,) = (line for line in data["trust"] if line.startswith("Null decoder, c"))
    null = data["null"]["c, two-way"]
    assert f"{null['shipped']:.2f}; of 20 other shuffles {null['mean']:.2f} on average" in told
    assert 0.35 < null["mean"] < 0.65
    assert null["range"][0] < null["mean"] < null["range"][1]
    assert data["ceiling"] is None
    assert data["limits"][0].startswith("No picture was shown twice")
    assert any("No picture was shown twice" in line for line in page.said)
    assert len(data["pictures"]) == 8
    # four charts, and two pictures in three rows of three groups
    assert len(page.pictures) == 4 + 2 * 3 * 3
    assert "sub-01_task-view_run-4" in data["about"]
    artifact = load_artifact(tmp_path / "report" / "decoder")
    assert artifact.about["trials"] == 3 * 8


def test_where_nothing_is_decoded_the_first_line_says_so(tmp_path: Path, toy_folder: Path) -> None:
    dataset = write_person(tmp_path / "data", effect=0.0, runs=2)
    mask = ("--mask", str(dataset / "mask.nii.gz"), "--no-realign")
    page, data = reported(dataset, tmp_path / "report", toy_folder, *mask)
    assert data["nothing_decoded"]
    first = next(line.strip() for line in page.said if len(line.strip()) > 40)
    assert first.startswith("Nothing was decoded")


def test_repeated_pictures_show_how_good_it_could_be(tmp_path: Path, toy_folder: Path) -> None:
    dataset = write_person(tmp_path / "data", effect=25.0, runs=3, repeat=True)
    mask = ("--mask", str(dataset / "mask.nii.gz"), "--no-realign")
    page, data = reported(dataset, tmp_path / "report", toy_folder, *mask)
    ceiling = data["ceiling"]
    assert (ceiling["source"], ceiling["pictures"], ceiling["showings"]) == ("the test", 4, 8)
    assert list(ceiling["regions"]) == ["all"]
    every = ceiling["regions"]["all"]
    assert every["median"] > 0.7  # an effect of 25 in noise of 4
    assert every["median_exchanged"] < 0.3
    assert data["repeats"]["c, two-way"]["value"] > 0.8
    assert any(line.startswith("all voxels") for line in data["limits"])
    shown = sum(line.strip().startswith("What is decoded of") for line in page.said)
    assert shown == len(data["repeats"]) == 2


def test_the_verdict_is_that_of_the_scores() -> None:
    def told(nothing: bool = False, **p: float) -> str:
        scores = {
            "c_two_way": {"value": 0.9, "chance": 0.5, "interval": [0.8, 0.95]},
            "z_two_way": {"value": 0.95, "chance": 0.5, "interval": [0.4, 1.0]},
            "ssim": {"value": 0.3, "null": [0.1, 0.2], "interval": [0.2, 0.4]},
        }
        return verdict({"nothing_decoded": nothing, "scores": scores, "family_p": p})

    line = told(c_two_way=0.01, z_two_way=0.02, ssim=0.5)
    assert re.search("found in 90 % .80 % to 95 %; chance 50 %., from c", line)
    assert re.search("found in 95 % .40 % to 100 %", told(c_two_way=0.2, z_two_way=0.04, ssim=0.5))
    line = told(c_two_way=0.2, z_two_way=0.3, ssim=0.01)
    assert re.search("not told apart; only structural similarity is 0.30, where 0.10 to 0.20", line)
    assert "Nothing" in told(nothing=True, c_two_way=0.2, z_two_way=0.3, ssim=0.5)


def test_a_natural_scenes_folder_becomes_a_report(tmp_path: Path, toy_folder: Path) -> None:
    nsd.person(tmp_path / "nsd")
    page, data = reported(
        tmp_path / "nsd", tmp_path / "report", toy_folder, "--subject", str(nsd.SUBJECT)
    )
    assert data["scores"]["c, two-way"]["n"] == nsd.SHARED
    assert not any(line.startswith("Kinds never met") for line in data["trust"])
    ceiling = data["ceiling"]
    assert (ceiling["pictures"], ceiling["showings"]) == (nsd.SHARED, 3 * nsd.SHARED)
    assert ceiling["averaged"] is None  # three showings, as predictions are scored
    early = ceiling["regions"]["early"]
    assert early["median"] == pytest.approx(
        0.75, abs=0.12
    )  # as much noise as signal, a third of it
    assert early["above_exchanged"] < early["above"]
    assert set(data["repeats"]) == {"c, two-way", "z, two-way"}
    assert len(page.pictures) > 10


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--test-runs", "9"), "--test-runs 9: the runs are 1, 2"),
        (("--test-runs", "1", "2"), "no run is left to fit on"),
        (("--explained", "nowhere"), "--explained nowhere: explain.json .* cannot be read"),
    ],
)
def test_what_cannot_be_reported_is_told_in_one_line(
    tmp_path: Path,
    toy_folder: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    said: str,
) -> None:
    dataset = write_person(tmp_path / "data", effect=25.0, runs=2)
    arguments = ("--generator", str(toy_folder), "--mask", str(dataset / "mask.nii.gz"))
    output = ("--output", str(tmp_path / "report"), "--no-realign")
    assert main(["report", str(dataset), *arguments, *output, *more]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert re.search(said, lines[-1])
