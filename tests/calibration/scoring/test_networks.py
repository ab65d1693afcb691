"""Features of networks: from weights that are here, and from nothing but safetensors."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPVisionModelWithProjection

from calibration.scoring.metrics import correlations, two_way
from calibration.scoring.networks import (
    IMAGENET,
    NETWORKS,
    ClipFeatures,
    LayerFeatures,
    load_network,
    local_networks,
)
from rtrecon.errors import BadInput
from rtrecon.generators import find_generator
from simulator.scenes import SCENES

SIZE_PX = 32


def pictures(count: int = 5, size_px: int = SIZE_PX) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, size_px, size_px, 3), dtype=np.uint8)


def test_without_any_cache_the_miniature_clip_is_there_and_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("calibration.scoring.networks.CLIP", str(tmp_path / "clip"))
    found, absent = local_networks()
    assert list(found) == ["miniature_clip"]
    assert set(absent) == {"alexnet2", "alexnet5", "inception", "effnet", "swav", "clip"}
    assert str(tmp_path) in absent["swav"]


def test_the_miniature_clip_tells_scenes_apart() -> None:
    rng = np.random.default_rng(0)
    shown = [SCENES.sample(rng, kind) for kind in SCENES.kinds]
    originals = np.stack([SCENES.draw(one, size_px=128) for one in shown])
    noisy = np.clip(originals + rng.normal(0, 20, originals.shape), 0, 255).astype(np.uint8)
    clip = local_networks()[0]["miniature_clip"]
    assert two_way(correlations(clip(noisy), clip(originals))).value > 0.95


def test_clip_features_are_those_of_pixels_scaled_by_hand() -> None:
    folder = Path(find_generator("miniature").repository)
    model = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder").float()
    some = pictures(3, 128)
    pixels = torch.from_numpy(some.transpose(0, 3, 1, 2) / 127.5 - 1).float()
    with torch.inference_mode():
        wanted = model(pixel_values=pixels).image_embeds.numpy()
    np.testing.assert_allclose(ClipFeatures(str(folder))(some), wanted, atol=1e-4)


def test_a_layer_is_that_of_pictures_resized_and_normalised() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU(), torch.nn.Flatten())
    some = pictures(20)  # more than a batch
    mean, sd = (np.array(values) for values in IMAGENET)
    scaled = torch.from_numpy(((some / 255 - mean) / sd).transpose(0, 3, 1, 2)).float()
    with torch.inference_mode():
        wanted = model[1](model[0](scaled)).flatten(1).numpy()
    np.testing.assert_allclose(LayerFeatures(model, "1", SIZE_PX)(some), wanted, atol=1e-5)
    halves = [Image.fromarray(one).resize((16, 16), Image.Resampling.BILINEAR) for one in some]
    small = LayerFeatures(model, "1", 16)(np.stack([np.asarray(half) for half in halves]))
    # Pillow rounds to whole grey levels.
    np.testing.assert_allclose(LayerFeatures(model, "1", 16)(some), small, atol=0.03)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.builder)
def test_torchvisions_networks_give_their_layers(network, tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    options = {"init_weights": False} if network.builder == "inception_v3" else {}
    made = getattr(models, network.builder)(weights=None, **options)
    state = {key: value.contiguous() for key, value in made.state_dict().items()}
    if network.weights.startswith("swav"):
        state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    save_file(state, tmp_path / "a.safetensors")
    model = load_network(network, tmp_path / "a.safetensors")
    for key, value in state.items():
        assert torch.equal(model.state_dict()[key], value)
    for layer in network.layers.values():
        assert len(LayerFeatures(model, layer, network.size_px)(pictures(2))) == 2
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "b.safetensors")
    with pytest.raises(BadInput, match=f"it is not of {network.builder}"):
        load_network(network, tmp_path / "b.safetensors")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    file = tmp_path / "a.safetensors"
    file.write_bytes(pickle.dumps({"features.0.weight": np.zeros(3)}))
    with pytest.raises(BadInput, match="cannot be read"):
        load_network(NETWORKS[0], file)


def test_what_is_not_there_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"docs/metrics\.md says how to make it"):
        load_network(NETWORKS[0], tmp_path / "a.safetensors")
