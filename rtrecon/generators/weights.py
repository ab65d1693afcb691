"""Where a model's weights are on this machine, and how they are loaded: never from the network."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
from diffusers import AutoencoderTiny, DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
from transformers.utils import logging as transformers_logging

from rtrecon.bounded import bounded_text
from rtrecon.errors import BadGenerator
from rtrecon.generators.presets import Preset

_NEEDED = ("unet", "vae", "text_encoder", "tokenizer")
# What defines the spaces of z and c.
_SPACES = ("vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
_UNUSED = ("safety_checker", "feature_extractor", "image_encoder")
_FILES = ("model_index.json", "*/*.json", "*/*.txt", "*/*.safetensors")
_HALF = ".fp16."
_LIBRARIES = ("diffusers", "transformers")

# What they say at load time is about parts that are not used here.
for chatter in (diffusers_logging, transformers_logging):
    chatter.set_verbosity_error()
    chatter.disable_progress_bar()


def locate(repository: str, name: str) -> Path:
    """The folder of a repository, given as a folder or by its hub id.

    Raises
    ------
    BadGenerator
        A hub id whose files are not on this machine; the line says how to fetch them.
    """
    if Path(repository).is_dir():
        return Path(repository)
    try:
        return Path(
            snapshot_download(repository, cache_dir=constants.HF_HUB_CACHE, local_files_only=True)
        )
    except (LocalEntryNotFoundError, ValueError) as error:
        raise BadGenerator(
            f"generator '{name}': the weights of {repository} are not on this machine: "
            f"fetch them before the session with: rtrecon fetch {name}"
        ) from error


def load_pipeline(preset: Preset, name: str) -> tuple[Any, str]:
    """The diffusers pipeline, its LoRA fused and its scheduler in place, and its identity.

    Raises
    ------
    BadGenerator
        Missing or damaged.
    """
    folder = locate(preset.repository, name)
    try:
        parts = json.loads(bounded_text(folder / "model_index.json"))
        if not isinstance(parts, dict):
            raise ValueError("model_index.json holds no table")
        if missing := [part for part in _NEEDED if part not in parts]:
            raise BadGenerator(
                f"generator '{name}' has no {missing[0]}: name a text-to-image pipeline"
            )
        _refuse_code(parts, name)
        half = _half(folder, preset)
        pipeline = DiffusionPipeline.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, variant="fp16" if half else None,
            **{part: None for part in _UNUSED if part in parts},
        )  # fmt: skip
        if preset.lora:
            _fuse(pipeline, *preset.lora, name)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadGenerator(
            f"generator '{name}' cannot be loaded from {folder} ({reason}): "
            "name the folder of a diffusers pipeline, or fetch its weights again"
        ) from error
    if pipeline.unet.config.time_cond_proj_dim is not None:
        raise BadGenerator(
            f"generator '{name}' takes its guidance as an input of the U-Net, which is not "
            "supported: use the model that it was distilled from with a LoRA (sd15-lcm)"
        )
    if preset.scheduler:
        scheduler = getattr(diffusers, preset.scheduler)
        pipeline.scheduler = scheduler.from_config(
            pipeline.scheduler.config, **dict(preset.schedule)
        )
    return pipeline, identity(folder, half)


def _refuse_code(parts: dict[str, Any], name: str) -> None:
    """Every part must be a class of the two libraries: diffusers would import anything named here.

    Raises
    ------
    BadGenerator
        A part brings code of its own, or another library's.
    """
    own = not isinstance(parts.get("_class_name"), str)
    for part, of in parts.items():
        if part.startswith("_") or part in _UNUSED or not isinstance(of, list):
            continue  # settings, and what is not loaded; a part is a pair
        own = own or not (len(of) == 2 and of[0] in (None, *_LIBRARIES))
    if own:
        raise BadGenerator(
            f"generator '{name}' brings code of its own, which is not run: name a pipeline made of "
            f"classes of {' and '.join(_LIBRARIES)} alone"
        )


def load_fast_decoder(preset: Preset, name: str) -> Any | None:
    """The small decoder, where one is known and on this machine: it is not needed.

    Raises
    ------
    BadGenerator
        It is there and cannot be loaded.
    """
    if not preset.fast_decoder:
        return None
    try:
        folder = locate(preset.fast_decoder, name)
    except BadGenerator:
        return None
    try:
        return AutoencoderTiny.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadGenerator(
            f"the small decoder in {folder} cannot be loaded ({str(error).splitlines()[0]}): "
            f"fetch it again with: rtrecon fetch {name}"
        ) from error


def fetch(preset: Preset, name: str) -> Iterator[Path]:
    """Download what a generator needs; yields each repository's folder.

    Raises
    ------
    BadGenerator
        The network or the hub refuses.
    """
    for repository in preset.repositories:
        if Path(repository).is_dir():
            yield Path(repository)
            continue
        wanted, unwanted = patterns(preset, repository)
        try:
            yield Path(
                snapshot_download(
                    repository, cache_dir=constants.HF_HUB_CACHE, allow_patterns=wanted,
                    ignore_patterns=unwanted,
                )
            )  # fmt: skip
        except (OSError, HfHubHTTPError, EntryNotFoundError, ValueError) as error:
            raise BadGenerator(
                f"generator '{name}': {repository} cannot be fetched "
                f"({str(error).splitlines()[0]}): see that this machine reaches the hub, or copy the "
                f"hub's cache ({constants.HF_HUB_CACHE}) from one that does"
            ) from error


def patterns(preset: Preset, repository: str) -> tuple[list[str], list[str]]:
    """Which files of a repository are fetched, and which of these are not, as globs.

    Repositories hold the same weights in several forms; a session reads one.
    """
    if preset.lora and repository == preset.lora[0]:
        return [preset.lora[1]], []
    if repository == preset.fast_decoder:
        return ["config.json", "diffusion_pytorch_model.safetensors"], []
    other = "*/*model.safetensors" if preset.variant == "fp16" else f"*{_HALF}safetensors"
    return list(_FILES), [*(f"{part}/*" for part in _UNUSED), "*non_ema*", other]


def _half(folder: Path, preset: Preset) -> bool:
    """Whether the half-precision files are wanted and there."""
    return preset.variant == "fp16" and any((folder / "unet").glob(f"*{_HALF}safetensors"))


def _fuse(pipeline: Any, repository: str, file: str, name: str) -> None:
    """Add a LoRA to the U-Net for good, so that it costs nothing per step."""
    local = Path(repository) / file
    if not local.is_file():
        try:
            local = Path(
                hf_hub_download(
                    repository, file, cache_dir=constants.HF_HUB_CACHE, local_files_only=True
                )
            )
        except (LocalEntryNotFoundError, ValueError) as error:
            raise BadGenerator(
                f"generator '{name}': {file} of {repository} is not on this machine: "
                f"fetch it before the session with: rtrecon fetch {name}"
            ) from error
    pipeline.load_lora_weights(
        local.parent, weight_name=file, local_files_only=True, use_safetensors=True
    )
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()


def identity(folder: Path, half: bool = False) -> str:
    """Hash of what defines the spaces of z and c: autoencoder, text towers and tokenizers.

    The U-Net and the scheduler are left out: a few-step variant of a model shares its spaces,
    and decoders fitted for one serve the other.
    """
    digest = hashlib.sha256()
    for part in _SPACES:
        for file in sorted((folder / part).glob("*")):
            weights = file.suffix == ".safetensors" and (_HALF in file.name) == half
            if weights or file.suffix == ".txt" or file.name in {"config.json", "vocab.json"}:
                digest.update(f"{part}/{file.name}".encode())
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
