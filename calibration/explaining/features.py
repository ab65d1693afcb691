"""What a diffusion model makes of each stimulus: the features that voxels are explained by.

As in the encoding analysis of Takagi & Nishimoto (CVPR 2023), for which no code was published: the
latent z of the picture, the conditioning c of its caption, the latent z_c after noising z and
denoising it under c, z_c from several noise levels and after several steps of one run, and the
activations of each block of the U-Net early, in the middle and late in that run.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from calibration.explaining.denoiser import Denoiser, Moment, pooled
from calibration.explaining.feature_files import FeatureSet, Shelf, Space
from calibration.fitting.fit import Targets
from rtrecon.errors import BadGenerator
from rtrecon.generators import CONFIG, Generator, find_generator
from rtrecon.generators.compute import Compute
from rtrecon.generators.diffusion import Diffusion
from rtrecon.generators.presets import Preset

STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
# Of z_c and of the run whose steps and blocks are looked at, as in the paper's pictures.
STRENGTH = 0.8
LEAST_STEPS = 8  # of that run: a model that draws in two would have no middle
MOMENTS = 9  # of the run that z_c is kept at, the noised latent and the last step among them
STAGES = ("first step", "midway", "last step")
Z, C = Space("space", "z"), Space("space", "c")
_BATCH = 32
_ENCODED = 512  # stimuli whose pictures are in memory at once

Encode = Callable[[Generator, slice], Targets]


def diffusion_preset(name: str) -> Preset:
    """Where a diffusion model is.

    Raises
    ------
    BadGenerator
        Not there, or a generator that denoises nothing.
    """
    preset = find_generator(name)
    if (Path(preset.repository) / CONFIG).is_file():
        raise BadGenerator(
            f"generator '{name}' is adversarial and has no steps, noise or U-Net to explain "
            "a brain by: name a diffusion model with --generator"
        )
    return preset


def features_of(
    preset: Preset, name: str, encode: Encode, count: int, folder: Path
) -> list[FeatureSet]:
    """All features of stimuli in files, z, c and z_c first.

    z is that of the size which is drawn. Each stimulus is noised by noise of its own, so that what
    noise hides is hidden from the features, too.

    Parameters
    ----------
    encode : callable
        z and c of some of the stimuli.
    count : int
        Stimuli.
    folder : Path
        For the files.

    Raises
    ------
    BadGenerator
        Weights that are missing or damaged.
    """
    compute = replace(Compute.best(), backend="")  # hooks and compiled graphs do not go together
    generator = Diffusion(replace(preset, latent_px=None), name, compute)
    shelf = Shelf(folder, count)
    for part in _parts(count, _ENCODED):
        targets = encode(generator, part)
        assert targets.z is not None
        shelf.put(Z, part, targets.z)
        shelf.put(C, part, targets.c)
    z = shelf[Z].values.reshape(count, *generator.latent)
    c = shelf[C].values.reshape(count, *generator.conditioning)
    settings = replace(generator.defaults, strength=STRENGTH, by_evidence=False)
    settings = replace(settings, steps=max(settings.steps, LEAST_STEPS))
    size_px = generator.size_px
    del generator  # its weights are about to be loaded again, in a form that can be watched
    denoiser = Denoiser(preset, name, size_px, compute)
    total = count * len(STRENGTHS)
    with tqdm(total=total, desc="denoising", unit="picture", disable=None) as progress:
        for strength in STRENGTHS:
            at = replace(settings, strength=strength)
            for part in _parts(count, _BATCH):
                moments = denoiser(z[part], c[part], at, part.start)
                if strength == STRENGTH:
                    _keep_run(shelf, part, moments)
                else:
                    *_, last = moments
                    shelf.put(_noise(strength), part, _array(last.latents))
                progress.update(part.stop - part.start)
    return _sets(shelf)


def _keep_run(shelf: Shelf, part: slice, run: Iterator[Moment]) -> None:
    """z_c after several steps of one run, and all blocks at three of them."""
    moments = [
        (_array(one.latents), {k: _array(pooled(maps)) for k, maps in one.blocks.items()})
        for one in run
    ]
    last = len(moments) - 1
    for n in np.unique(np.linspace(0, last, MOMENTS).round().astype(int)).tolist():
        shelf.put(Space("step", str(n)), part, moments[n][0])
    for stage, n in zip(STAGES, (1, (1 + last) // 2, last), strict=True):
        for block, rows in moments[n][1].items():
            shelf.put(Space("block", block, stage), part, rows)


def _sets(shelf: Shelf) -> list[FeatureSet]:
    """z, c and z_c, then noise, blocks and steps; z_c is what the run's last step leaves."""
    steps, blocks = (
        [shelf[space] for space in shelf.files if space.family == family]
        for family in ("step", "block")
    )
    z_c = steps[-1].file
    noise = {_noise(s): z_c if s == STRENGTH else shelf.files[_noise(s)] for s in STRENGTHS}
    return [
        shelf[Z],
        shelf[C],
        FeatureSet("space", "z_c", z_c),
        *(FeatureSet(space.family, space.label, file) for space, file in noise.items()),
        *blocks,
        *steps,
    ]


def _noise(strength: float) -> Space:
    return Space("noise", f"{strength:g}")


def _parts(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.float().cpu().numpy()
