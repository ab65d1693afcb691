"""An adversarial generator (VAE-GAN) from a folder: one forward pass makes the picture.

Its code z and its words c are what decoders predict, as VanRullen & Reddy (2019, Communications
Biology 2:193) reconstructed faces: linear from brain to code, then the generator alone.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from rtrecon.bounded import bounded_text
from rtrecon.config import Settings
from rtrecon.errors import BadGenerator
from rtrecon.generators import CONFIG, Aim, Newer, Step, check_aim
from rtrecon.generators.compute import Compute
from rtrecon.generators.dcgan import Down, Up, edge_px

FORMAT = "rtrecon-adversarial-1"
_FILES = {"generator": "generator.safetensors", "encoder": "encoder.safetensors"}
_BATCH = 32
_WORD = re.compile(r"[a-z][a-z-]*")


@dataclass(frozen=True)
class Plan:
    """What `generator.json` says.

    Attributes
    ----------
    latent : int
        Numbers of a code.
    channels : tuple of int
        Of the maps of 4, 8, 16 ... pixels; pictures have four times the last one's edge.
    size_px : int
        Edge of the pictures.
    words : tuple of str
        Those that c counts, in order; a caption's other words are ignored.
    about, licence : str
    """

    latent: int
    channels: tuple[int, ...]
    size_px: int
    words: tuple[str, ...]
    about: str = ""
    licence: str = ""

    def networks(self) -> tuple[Up, Down]:
        """Untrained networks of these sizes."""
        return (
            Up(self.latent, len(self.words), self.channels),
            Down(self.latent, self.channels),
        )


class Adversarial:
    """One folder of an adversarial generator and its encoder. Owned by one thread.

    Parameters
    ----------
    folder : Path
        `generator.json`, `generator.safetensors` and `encoder.safetensors`, see `save`.
    name : str
    compute : Compute, optional
        The best of this machine by default.

    Raises
    ------
    BadGenerator
        Not such a folder, or its parts do not fit together.
    """

    def __init__(self, folder: Path, name: str, compute: Compute | None = None) -> None:
        self.name = name
        plan = _read_plan(folder)
        up, down = plan.networks()
        self.compute = compute = compute or Compute.best()
        for part, module in (("generator", up), ("encoder", down)):
            _fill(module, folder, _FILES[part])
            compute.place(module, torch.float32)
        self._up, self._down = up, down
        self.identity = _identity(folder)
        self.latent, self.conditioning = (plan.latent, 1, 1), (1, len(plan.words))
        self.size_px = plan.size_px
        self.defaults, self.takes = Settings(steps=1, preview=False), frozenset({"seed"})
        self._place = {word: place for place, word in enumerate(plan.words)}

    @torch.inference_mode()
    def images(
        self, aim: Aim, seed: int, settings: Settings, newer: Newer | None = None
    ) -> Iterator[Step]:
        """Draw the one picture of z and c; without z its code is drawn by the seed.

        Raises
        ------
        BadInput
            z or c of another shape, or with values that are not numbers.
        """
        check_aim(aim, self)
        if aim.z is None:
            # On the CPU, so that a seed gives the same picture on every machine.
            source = torch.Generator("cpu").manual_seed(seed)
            z = torch.randn((1, *self.latent), generator=source).to(self.compute.device)
        else:
            z = self.compute.tensor(aim.z)[None]
        drawn = self._up(z.flatten(1), self.compute.tensor(aim.c))[0]  # (3, size_px, size_px)
        pixels = (drawn.permute(1, 2, 0) + 1) * 127.5
        yield Step(pixels.round().to(torch.uint8).cpu().numpy()[None], 1, 1)

    def decode_latents(self, z: NDArray[np.float32]) -> None:
        """None: it never drew a code without words, and what it made of one would say nothing."""

    def settle(self) -> None:
        """Nothing is compiled."""

    @torch.inference_mode()
    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Codes (n, *latent) of images (height, width, 3) of any size."""
        rows = [np.zeros((0, *self.latent), np.float32)]
        for start in range(0, len(images), _BATCH):
            pixels = np.stack([self._resized(image) for image in images[start : start + _BATCH]])
            batch = self.compute.tensor(pixels).permute(0, 3, 1, 2) / 127.5 - 1
            rows.append(self._down(batch)[0].cpu().numpy().reshape(-1, *self.latent))
        return np.concatenate(rows)

    def encode_captions(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """Conditionings (n, 1, n_words): 1 for each known word that a caption has."""
        known = np.zeros((len(captions), *self.conditioning), np.float32)
        for row, caption in zip(known, captions, strict=True):
            said = _WORD.findall(caption.lower())
            row[0, [self._place[word] for word in said if word in self._place]] = 1
        return known

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = (self.size_px, self.size_px)
        if image.shape[:2] == size:
            return image
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def save(folder: Path, plan: Plan, up: Up, down: Down) -> None:
    """Write what `Adversarial` loads, weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"format": FORMAT} | asdict(plan), indent=1)
    (folder / CONFIG).write_text(content + "\n", encoding="utf-8")
    for part, module in (("generator", up), ("encoder", down)):
        tensors = {
            name: tensor.half().contiguous()
            for name, tensor in module.state_dict().items()
            if tensor.is_floating_point()
        }
        save_file(tensors, folder / _FILES[part])


def _read_plan(folder: Path) -> Plan:
    file = folder / CONFIG
    try:
        said = json.loads(bounded_text(file))
        kind = said.pop("format")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadGenerator(
            f"generator '{folder}': {CONFIG} cannot be read ({_reason(error)}): copy the folder anew"
        ) from error
    if kind != FORMAT:
        raise BadGenerator(f"generator '{folder}' has the format {kind!r}, known is {FORMAT!r}")
    try:
        plan = Plan(**said | {name: tuple(said[name]) for name in ("channels", "words")})
    except (KeyError, TypeError) as error:
        raise BadGenerator(
            f"generator '{folder}': {CONFIG} is incomplete or too long ({_reason(error)}): "
            "copy the folder anew"
        ) from error
    _check_plan(folder, plan)
    return plan


def _check_plan(folder: Path, plan: Plan) -> None:
    sizes = (plan.latent, *plan.channels)
    if not all(isinstance(size, int) and 1 <= size <= 4096 for size in sizes):
        what = f"sizes {sizes}: whole numbers from 1 to 4096 wanted"
    elif not 2 <= len(plan.channels) <= 8 or plan.size_px != edge_px(plan.channels):
        what = (
            f"{plan.size_px} px from {len(plan.channels)} maps: 32 px take two, each more doubles"
        )
    elif len(set(plan.words)) != len(plan.words) or not all(map(_is_word, plan.words)):
        what = f"words {plan.words[:3]}...: different ones in lower case wanted"
    else:
        return
    raise BadGenerator(f"generator '{folder}': {CONFIG} has {what}")


def _is_word(word: object) -> bool:
    return isinstance(word, str) and _WORD.fullmatch(word) is not None


def _fill(module: nn.Module, folder: Path, file: str) -> None:
    try:
        tensors = load_file(folder / file)
    except (OSError, SafetensorError) as error:
        raise BadGenerator(
            f"generator '{folder}': {file} cannot be read ({_reason(error)}): copy the folder anew"
        ) from error
    wanted = {n: t for n, t in module.state_dict().items() if t.is_floating_point()}
    for name in sorted({*wanted, *tensors}):
        have, want = (tuple(t[name].shape) if name in t else None for t in (tensors, wanted))
        if have != want:
            raise BadGenerator(
                f"generator '{folder}': {name} in {file} is {have or 'missing'}, {CONFIG} "
                f"asks for {want or 'none'}: take both from one folder"
            )
        if not torch.isfinite(tensors[name]).all():
            raise BadGenerator(
                f"generator '{folder}': {name} in {file} has values that are no numbers: "
                "copy the folder anew"
            )
    module.load_state_dict(tensors, strict=False)  # all but the counts of batches seen


def _identity(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in (CONFIG, *_FILES.values()):
        digest.update(file.encode() + (folder / file).read_bytes())
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
