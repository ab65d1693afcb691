"""What stands beside a picture: made in spare time, of the same volume, and never in the way."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pylsl
import pytest
import torch
from diffusers import AutoencoderKL
from diffusers.image_processor import VaeImageProcessor
from numpy.typing import NDArray
from PIL import Image

from rtrecon.artifact import Artifact
from rtrecon.compare import NO_TIME, Compare
from rtrecon.config import Settings
from rtrecon.decode import Decode
from rtrecon.draw import Draw
from rtrecon.errors import BadInput, GeneratorLost
from rtrecon.generators import Aim, Step
from rtrecon.generators.adversarial import Adversarial
from rtrecon.generators.diffusion import Diffusion
from rtrecon.mailbox import Mailbox
from rtrecon.pipeline import CODED
from rtrecon.reconstruct import Reconstruct, noise_seed
from rtrecon.session_folder import open_session_folder
from rtrecon.sham import Coded
from rtrecon.types import Comparison, Decoded, Frame, Geometry, Pattern, Times, Trial
from tests import toy_models
from tests.live import Live
from tests.toy import artifact_for, send, toy_run

STEPS = Settings(steps=3, strength=0.6)


def pattern(artifact: Artifact, volume: int = 5, trial: int = 1) -> Pattern:
    voxels = np.random.default_rng(volume).normal(size=len(artifact.voxels)).astype(np.float32)
    now = pylsl.local_clock()
    return Pattern(Trial(trial, "dog", 0.0, 6.0), volume, 6.0, voxels, 0.5, Times(now, now))


class Kept:
    """What a `Compare` told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Comparison, Settings]] = []

    def __call__(self, what: str, comparison: Comparison, settings: Settings) -> None:
        self.told.append((what, comparison, settings))

    @property
    def whats(self) -> list[str]:
        return [what for what, _, _ in self.told]


def compare(
    generator: Any, artifact: Artifact, kept: Kept, interval_s: float = 600.0, waits: Any = None
) -> Compare:
    return Compare(generator, artifact, interval_s, waits or (lambda: False), kept)


def drawn(generator: Diffusion, decoded: Decoded, settings: Settings = STEPS) -> Frame:
    return list(Reconstruct(generator)(decoded, settings))[-1]


def test_z_only_is_diffusers_own_decoding_of_z(
    toy_generator: Diffusion, toy_folder: Path, toy_artifact: Artifact
) -> None:
    decoded = Decode(toy_artifact)(pattern(toy_artifact))
    kept = Kept()
    compare(toy_generator, toy_artifact, kept)(drawn(toy_generator, decoded), 0.1)
    vae = AutoencoderKL.from_pretrained(toy_folder / "vae")
    assert decoded.z is not None
    with torch.no_grad():
        pixels = vae.decode(torch.tensor(decoded.z)[None] / vae.config.scaling_factor).sample
    (wanted,) = VaeImageProcessor.numpy_to_pil(VaeImageProcessor().postprocess(pixels, "np"))
    got = kept.told[0][1].z_only
    assert got is not None
    assert np.abs(got.astype(int) - np.asarray(wanted).astype(int)).max() <= 1
    assert got.std() > 0


def test_the_control_is_the_null_decoders_picture_with_the_same_noise(
    toy_generator: Diffusion, toy_artifact: Artifact
) -> None:
    """Worked out anew: the null's products in numpy, then one call of the generator."""
    seen = pattern(toy_artifact, trial=7)
    kept = Kept()
    frame = drawn(toy_generator, Decode(toy_artifact)(seen))
    compare(toy_generator, toy_artifact, kept)(frame, 0.1)
    assert kept.whats == ["z_only", "control"]
    _, comparison, settings = kept.told[-1]
    null = toy_artifact.null
    assert null.z is not None

    def product(linear: Any) -> NDArray[np.float32]:
        read = seen.voxels[linear.voxels] - linear.x_mean
        return (read @ linear.weights + linear.y_mean).astype(np.float32)

    z = product(null.z).reshape(toy_generator.latent)
    c = product(null.c).reshape(toy_generator.conditioning)
    aim = Aim(z, c, frame.decoded.reliability)
    *_, last = toy_generator.images(aim, noise_seed(STEPS.seed, 7), replace(STEPS, preview=False))
    np.testing.assert_array_equal(comparison.control, last.images[0])
    assert (comparison.control != frame.image).any()
    assert comparison.decoded is frame.decoded
    assert comparison.z_only is kept.told[0][1].z_only
    assert settings is frame.settings


def test_of_several_samples_the_control_is_the_first(
    toy_generator: Diffusion, toy_artifact: Artifact
) -> None:
    decoded = Decode(toy_artifact)(pattern(toy_artifact))
    pictures = []
    for samples in (1, 3):
        kept = Kept()
        frame = drawn(toy_generator, decoded, replace(STEPS, samples=samples, preview=False))
        compare(toy_generator, toy_artifact, kept)(frame, 0.1)
        assert kept.told[-1][2].samples == samples
        pictures.append(kept.told[-1][1].control)
    np.testing.assert_array_equal(*pictures)


class Watching:
    """The toy generator; what it was asked to draw, step by step, in `events`."""

    def __init__(self, real: Diffusion) -> None:
        self._real, self.takes = real, real.takes
        self.decode_latents = real.decode_latents
        self.latent, self.conditioning = real.latent, real.conditioning
        self.events: list[tuple[int, int]] = []  # (which picture, steps done)
        self.after: dict[tuple[int, int], Any] = {}
        self._count = itertools.count(1)

    def images(self, *arguments: Any) -> Iterator[Step]:
        picture = next(self._count)
        for step in self._real.images(*arguments):
            self.events.append((picture, step.step))
            self.after.pop((picture, step.step), lambda: None)()
            yield step


@pytest.mark.parametrize("preview", [True, False])
def test_a_control_is_given_up_between_steps_for_a_newer_volume(
    toy_generator: Diffusion, toy_artifact: Artifact, preview: bool
) -> None:
    """The newer volume comes after the control's first of three steps, and is drawn next."""
    decode = Decode(toy_artifact)
    first, second = (decode(pattern(toy_artifact, volume)) for volume in (5, 6))
    newest: Mailbox[Decoded] = Mailbox()
    frames: Mailbox[Frame] = Mailbox()
    generator, kept = Watching(toy_generator), Kept()

    def newer_comes() -> None:
        newest.put(replace(second, times=Times(received=pylsl.local_clock())))
        newest.close()

    generator.after[2, 1] = newer_comes
    beside = compare(generator, toy_artifact, kept, waits=lambda: newest.peek() is not None)
    faults: list[Any] = []
    draw = Draw(
        generator, replace(STEPS, preview=preview), (), 60.0, newest, frames, faults.append,
        lambda *what: faults.append(what), lambda _: None, beside,
    )  # type: ignore[arg-type]  # fmt: skip
    newest.put(first)
    draw.until_closed()
    whole = [1, 2, 3] if preview else [3]
    events = [step for picture, step in generator.events if picture == 1]
    assert events == whole
    assert [e for e in generator.events if e[0] == 2] == [(2, 1)]  # given up
    assert [step for picture, step in generator.events if picture == 3] == whole  # the newer one
    assert kept.whats == ["z_only", "z_only", "control"]
    assert [told[1].decoded.volume for told in kept.told] == [5, 6, 6]
    assert faults == []


def test_nothing_is_begun_that_does_not_fit_before_the_next_volume(
    toy_generator: Diffusion, toy_artifact: Artifact
) -> None:
    """What it costs is not known yet: it is taken to cost what the picture did."""
    decoded = Decode(toy_artifact)(pattern(toy_artifact))
    generator, kept = Watching(toy_generator), Kept()
    frame = drawn(toy_generator, decoded)
    beside = compare(generator, toy_artifact, kept, interval_s=600.0)
    beside(frame, 7200.0)
    assert (generator.events, kept.told, beside.absent) == ([], [], NO_TIME)
    beside(frame, 720.0)  # time for z alone, a fourth of it
    assert (generator.events, kept.whats, beside.absent) == ([], ["z_only"], NO_TIME)
    beside(frame, 0.1)
    assert kept.whats == ["z_only", "z_only", "control"]
    assert beside.absent == ""
    beside(frame, 7200.0)  # what it costs is known by now
    assert kept.whats[-1] == "control"


def test_one_slow_moment_is_not_the_last_word(
    toy_generator: Diffusion, toy_artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control that once took longer than there is time is tried again, but not soon."""
    decoded = Decode(toy_artifact)(pattern(toy_artifact))
    kept = Kept()
    frame = drawn(toy_generator, decoded)
    beside = compare(toy_generator, toy_artifact, kept, interval_s=600.0)
    clock = itertools.chain([0.0, 0.01, 0.01, 900.01], itertools.count(901.0, 0.01))
    now = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr("rtrecon.compare.time", now)
    beside(frame, 0.1)
    assert kept.whats == ["z_only", "control"]
    tries = 0
    while kept.whats.count("control") < 2:
        assert tries < 100
        beside(frame, 0.1)
        tries += 1
        assert (beside.absent == NO_TIME) == (kept.whats.count("control") < 2)
    assert tries > 5


def test_a_comparison_that_fails_is_told_and_costs_no_picture(
    toy_generator: Diffusion, toy_artifact: Artifact, caplog: pytest.LogCaptureFixture
) -> None:
    generator, kept = Watching(toy_generator), Kept()

    def fails(z: NDArray[np.float32]) -> NDArray[np.uint8]:
        raise MemoryError("no room")

    generator.decode_latents = fails
    beside = compare(generator, toy_artifact, kept)
    for _ in range(2):
        beside(drawn(toy_generator, Decode(toy_artifact)(pattern(toy_artifact))), 0.1)
    assert kept.told == []
    assert beside.absent == "could not be drawn: no room"
    assert caplog.text.count("no comparisons from now on: MemoryError: no room") == 1


def test_a_generator_lost_over_a_comparison_is_told_and_not_lost_over_them_for_ever(
    toy_generator: Diffusion, toy_artifact: Artifact
) -> None:
    """Whoever draws has to know it; twice, and pictures are worth more than comparisons."""
    generator, kept = Watching(toy_generator), Kept()
    lost = 0

    def crashes(z: NDArray[np.float32]) -> NDArray[np.uint8]:
        nonlocal lost
        lost += 1
        raise GeneratorLost("the generator's process ended (signal 11)")

    generator.decode_latents = crashes
    beside = compare(generator, toy_artifact, kept)
    frame = drawn(toy_generator, Decode(toy_artifact)(pattern(toy_artifact)))
    for _ in range(2):
        with pytest.raises(GeneratorLost):
            beside(frame, 0.1)
    beside(frame, 0.1)
    assert lost == 2
    assert kept.told == []
    assert "the generator was lost" in beside.absent


def test_an_adversarial_generator_has_a_control_and_no_picture_of_its_code_alone(
    tmp_path: Path, toy_geometry: Geometry
) -> None:
    generator = Adversarial(toy_models.adversarial(tmp_path), "toy")
    artifact, kept = artifact_for(generator, toy_geometry), Kept()
    decoded = Decode(artifact)(pattern(artifact))
    frame = list(Reconstruct(generator)(decoded, generator.defaults))[-1]
    compare(generator, artifact, kept)(frame, 0.1)
    assert kept.whats == ["control"]
    assert kept.told[0][1].z_only is None


@pytest.mark.parametrize("wrong", ["shape", "nan"])
def test_a_latent_that_is_none_is_refused(toy_generator: Diffusion, wrong: str) -> None:
    z = np.zeros(toy_generator.latent, np.float32)
    z = z[:1] if wrong == "shape" else np.full_like(z, np.nan)
    with pytest.raises(BadInput):
        toy_generator.decode_latents(z)


def run(live: Live, geometry: Geometry) -> None:
    live.begin()
    send(live.outlet, toy_run(geometry, 20), pylsl.local_clock())
    live.finish()


def test_a_session_records_what_was_drawn_beside_its_pictures(
    going_live: Any, toy_geometry: Geometry, toy_generator: Diffusion
) -> None:
    """The last volume has all the time it wants. Its picture is that of its recorded z."""
    geometry = replace(toy_geometry, speed=1.0)
    live = going_live(geometry=geometry, compares=True)
    run(live, geometry)
    session = open_session_folder(live.folder)
    rows = session.table("comparisons.tsv")
    assert [int(row["comparison"]) for row in rows] == list(range(1, len(rows) + 1))
    assert [(row["volume"], row["what"]) for row in rows[-2:]] == [
        ("19", "z_only"),
        ("19", "control"),
    ]
    trials = session.table("trials.tsv")
    z = session.array("z")
    assert z is not None
    row = [int(trial["volume"]) for trial in trials].index(19)
    with Image.open(live.folder / "comparisons" / f"{len(rows) - 1:06d}.png") as picture:
        np.testing.assert_array_equal(
            np.asarray(picture), toy_generator.decode_latents(np.array(z[row], np.float32))
        )
    drawn_of = {row["volume"] for row in session.table("frames.tsv") if row["step"] == row["steps"]}
    assert {row["volume"] for row in rows} <= drawn_of
    assert {row["settings"] for row in rows} == {"0"}
    comparison = live.pipeline.comparison
    assert comparison is not None
    assert comparison.control is not None
    with Image.open(live.folder / "comparisons" / f"{len(rows):06d}.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), comparison.control)
    assert live.pipeline.uncompared == ""


def test_where_feedback_goes_by_a_code_nothing_is_drawn_beside_it(
    going_live: Any, toy_geometry: Geometry
) -> None:
    """Not even where the code stands for real feedback: that there is something would tell."""
    geometry = replace(toy_geometry, speed=1.0)
    live = going_live(geometry=geometry, compares=True, coded=Coded("P07", None))
    run(live, geometry)
    assert open_session_folder(live.folder).table("frames.tsv")
    assert open_session_folder(live.folder).table("comparisons.tsv") == []
    assert list((live.folder / "comparisons").iterdir()) == []
    assert live.pipeline.comparison is None
    assert live.pipeline.uncompared == CODED
