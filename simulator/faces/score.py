"""What the faces' network is worth: the table in README.md, ``python -m simulator.faces.score``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.scoring.evaluate import two_way
from rtrecon.generators import Aim, Generator
from rtrecon.generators.adversarial import Adversarial
from simulator.faces import JUDGE, PRESET
from simulator.faces.drawing import render
from simulator.faces.face import KINDS, Face, caption, sample
from simulator.judge import Judge
from simulator.scoring import pixel_correlation

SEED = 20240905  # of faces that nothing was trained on
DECODED = 0.55  # correlation of decoded z and c with the true ones, about as the brain's

Array = NDArray[np.float32]
Pictures = NDArray[np.uint8]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="simulator.faces.score", description=__doc__)
    parser.add_argument("--model", type=Path, default=Path(PRESET.repository))
    parser.add_argument("--each", type=int, default=20, help="faces of each kind [20]")
    options = parser.parse_args()
    generator, judge = Adversarial(options.model, "faces"), Judge.load(JUDGE)
    rng = np.random.default_rng(SEED)
    faces = [sample(rng, kind) for kind in options.each * KINDS]
    true = np.stack([render(face) for face in tqdm(faces, "faces")])
    names = list(judge.network.values)
    print("| from | two-way |", " | ".join(names), "| edges |")
    print("|---" * (len(names) + 3) + "|")
    for name, made in {"the true picture": true, **drawn(generator, faces, true, rng)}.items():
        cells = [two_way(pixel_correlation(made, true)), *named(judge, faces, made)]
        cells.append(edges(made) / edges(true))
        print(f"| {name} | {' | '.join(f'{cell:.2f}' for cell in cells)} |", flush=True)


def drawn(
    generator: Generator, faces: Sequence[Face], true: Pictures, rng: np.random.Generator
) -> dict[str, Pictures]:
    """What the network makes of whole and of damaged codes."""
    z = generator.encode_images(list(true))
    c = generator.encode_captions([caption(face) for face in faces])
    noise = rng.standard_normal(z.shape).astype(np.float32)
    rest, middle = np.float32(np.sqrt(1 - DECODED**2)), c.mean(0)
    mixed = mixture(c - middle, rng)
    both = DECODED * z + rest * noise, middle + DECODED * (c - middle) + rest * mixed
    pairs = {
        "z and c": (z, c),
        "z, mean c": (z, np.broadcast_to(middle, c.shape)),
        "c, random z": (noise, c),
        f"z and c as decoders give them (r = {DECODED:g})": both,
    }
    return {name: pictures(generator, *pair) for name, pair in pairs.items()}


def mixture(rows: Array, rng: np.random.Generator) -> Array:
    """Errors as decoders make them: like each other face a little, with the rows' own spread."""
    mixed = np.einsum("ij,j...->i...", rng.standard_normal((len(rows), len(rows))), rows)
    return (mixed * rows.std() / mixed.std()).astype(np.float32)


def pictures(generator: Generator, z: Array, c: Array) -> Pictures:
    """A picture of each pair: (n, size, size, 3)."""
    aims = (Aim(*pair) for pair in zip(z, c, strict=True))
    return np.stack([next(generator.images(a, 0, generator.defaults)).images[0] for a in aims])


def named(judge: Judge, faces: Sequence[Face], made: Pictures) -> list[float]:
    """How often the judge names each attribute rightly."""
    said = judge.classify(made)
    return [
        float(np.mean([a == getattr(f, name) for a, f in zip(values, faces, strict=True)]))
        for name, values in said.items()
    ]


def edges(made: Pictures) -> float:
    """Mean step between neighbouring pixels."""
    return float(np.abs(np.diff(made.astype(np.float32), axis=2)).mean())


if __name__ == "__main__":
    main()
