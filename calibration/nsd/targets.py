"""What a generator makes of the Natural Scenes Dataset's images and captions."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.data.samples import Samples
from calibration.fitting.fit import Targets
from calibration.nsd.person import NsdData
from rtrecon.generators import Generator

_BATCH = 64  # images in memory at once


def encode(data: NsdData, samples: Samples, generator: Generator) -> Targets:
    """Latents of the images shown, and the mean conditioning of each one's captions."""
    ids = [trial.number for trial in samples.shown]
    z, c = [], []
    with tqdm(total=len(ids), desc="targets", unit="image", disable=None) as progress:
        for batch in _batches(ids):
            z.append(generator.encode_images(list(data.images(batch))).reshape(len(batch), -1))
            c.append(_mean_conditioning([data.captions[n] for n in batch], generator))
            progress.update(len(batch))
    return Targets(np.concatenate(z), np.concatenate(c))


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]


def _mean_conditioning(
    captions: Sequence[Sequence[str]], generator: Generator
) -> NDArray[np.float32]:
    """(n_images, n_c): the mean over each image's captions."""
    flat = generator.encode_captions([text for texts in captions for text in texts])
    ends = np.cumsum([len(texts) for texts in captions])[:-1]
    parts = np.split(flat.reshape(len(flat), -1), ends)
    return np.stack([part.mean(axis=0) for part in parts])
