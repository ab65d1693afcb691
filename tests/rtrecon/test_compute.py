"""Compiled or not, on a device or not: the same numbers, and nothing compiled during a scan."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rtrecon.artifact import LinearMap
from rtrecon.config import Settings
from rtrecon.decode import OnDevice, placed
from rtrecon.generators import Aim
from rtrecon.generators.compute import Compiled, Compute, Transfer, bfloat16_pays
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import Preset

SETTINGS = Settings(steps=2, strength=0.6, preview=False)


def test_a_compiled_model_draws_the_same_and_compiles_nothing_once_settled(
    toy_folder: Path, toy_generator: Diffusion
) -> None:
    """Through PyTorch's own capture and lowering; only the code generator is left out for speed."""
    compute = Compute(torch.device("cpu"), backend="aot_eager")
    compiled = Diffusion(Preset(str(toy_folder)), "toy", compute)
    rng = np.random.default_rng(0)
    aim = Aim(*(rng.normal(size=s).astype(np.float32) for s in ((4, 4, 4), compiled.conditioning)))

    def pictures(generator: Diffusion, samples: int) -> np.ndarray:
        settings = replace(SETTINGS, samples=samples)
        return list(generator.images(aim, 7, settings))[-1].images.astype(int)

    assert np.abs(pictures(compiled, 1) - pictures(toy_generator, 1)).max() <= 1
    assert compiled._unet.batches == {1}
    compiled.settle()
    assert np.abs(pictures(compiled, 3) - pictures(toy_generator, 3)).max() <= 1
    assert compiled._unet.batches == {1}


def test_what_cannot_be_compiled_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    call = Compiled(lambda x: x + 1, "")
    assert call(torch.ones(1)).item() == 2
    call._fast = lambda x: 1 / 0
    assert call(torch.ones(1)).item() == 2
    assert "runs uncompiled and slower: division by zero" in caplog.text
    assert call._fast is None


def test_out_of_memory_while_compiling_is_not_taken_for_a_compilers_fault() -> None:
    call = Compiled(lambda x: x, "")

    def full(x: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("no room")

    call._fast = full
    with pytest.raises(torch.OutOfMemoryError):
        call(torch.ones(1))


def test_half_precision_costs_no_more_than_rounding(toy_folder: Path) -> None:
    exact, half = (
        Diffusion(Preset(str(toy_folder)), "toy", Compute(torch.device("cpu"), dtype))
        for dtype in (torch.float32, torch.bfloat16)
    )
    rng = np.random.default_rng(0)
    aim = Aim(*(rng.normal(size=s).astype(np.float32) for s in ((4, 4, 4), exact.conditioning)))
    one, other = (list(g.images(aim, 7, SETTINGS))[-1].images.astype(int) for g in (exact, half))
    assert 0 < np.abs(one - other).mean() < 2
    picture = [np.full((8, 8, 3), 90, np.uint8)]
    np.testing.assert_allclose(exact.encode_images(picture), half.encode_images(picture), rtol=1e-5)


def test_pictures_come_over_as_they_are() -> None:
    pictures = torch.arange(48, dtype=torch.uint8).reshape(1, 4, 4, 3)
    np.testing.assert_array_equal(Transfer(pictures).wait(), pictures.numpy())


def test_the_choice_of_precision_is_a_measured_one() -> None:
    assert bfloat16_pays() in (True, False)
    best = Compute.best()
    assert best.dtype in (torch.float32, torch.bfloat16, torch.float16)
    assert best.queued == (best.device.type == "cuda")


def test_a_product_on_a_device_is_the_maps_own() -> None:
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=30), rng.normal(size=(30, 500)), rng.normal(size=500)
    linear = LinearMap(rng.permutation(np.arange(50) < 30), *(a.astype(np.float32) for a in arrays))
    pattern = rng.normal(size=50).astype(np.float32)
    moved = OnDevice(linear, "cpu")(pattern)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, linear(pattern), rtol=1e-4, atol=1e-4)
    assert placed(linear) is linear


def test_what_decides_the_last_bit_is_recorded_and_set_again() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        told = Compute(torch.device("cpu"), torch.bfloat16).told()
        assert told == {"device": "cpu", "dtype": "bfloat16", "threads": 2}
        torch.set_num_threads(1)
        assert Compute.recorded(told) == Compute(torch.device("cpu"), torch.bfloat16)
        assert torch.get_num_threads() == 2
        for wrong in ({"device": "tpu"}, {"dtype": "int8"}, {"threads": "many"}):
            assert Compute.recorded(told | wrong) is None
    finally:
        torch.set_num_threads(before)
