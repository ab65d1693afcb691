"""What a picture costs, part by part, and beside diffusers' own pipeline: `make bench`.

Prints tables for the machine it runs on and puts them into its part of docs/benchmarks.md. Ours and
theirs alternate in one run with the same latents, conditioning and threads, so that what else the
machine does falls on both.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from rtrecon.generators.compute import Compute
from tests.benchmarks import generator_models as models
from tests.benchmarks import generator_precision as precision
from tests.benchmarks import generator_window as window
from tests.benchmarks.document import machine, table, write
from tests.benchmarks.generator_models import Model
from tests.benchmarks.generator_timing import Beside, Timing, product_ms, timed

DOCUMENT = Path("docs/benchmarks.md")
STEPS = (1, 2, 4)
H100_TFLOPS = 790  # dense bfloat16, reached by large matrix products
VOXELS, VALUES = 15_000, (4 * 40 * 40, 77 * 768)  # Natural Scenes Dataset; Takagi & Nishimoto 2023
HEAD = [
    "model", "weights", "px", "decoder", "steps", "U-Net ms", "decoder ms", "overhead ms",
    "whole ms", "whole / modules alone", "first preview ms", "diffusers ms",
    "ours / diffusers (quartiles)", "arithmetic",
]  # fmt: skip


def _row(beside: Beside, steps: int, t: Timing) -> list[str]:
    model, whole = beside.model, float(np.median(t.whole))
    parts = (t.unet, t.decoder, t.whole - t.unet - t.decoder)
    shares = [f"{np.median(part):.1f} ({np.median(part / t.whole):.1%})" for part in parts]
    low, ratio, high = np.percentile(t.whole / t.theirs, (25, 50, 75))
    return [
        model.name, model.weights, str(beside.ours.size_px), model.decoder, str(steps),
        *shares, f"{whole:.1f}",
        f"{np.median(t.whole / t.alone):.2f}", f"{np.median(t.preview):.1f}" if steps > 1 else "",
        f"{np.median(t.theirs):.1f}", f"**{ratio:.2f}** ({low:.2f} to {high:.2f})",
        _arithmetic(model, steps, whole),
    ]  # fmt: skip


def _arithmetic(model: Model, steps: int, whole_ms: float) -> str:
    """How near a picture comes to what the card can multiply."""
    shape = model.shape
    decoder = shape and (shape.small_tflop if model.fast else shape.vae_tflop)
    if shape is None or shape.unet_tflop is None or decoder is None:
        return ""
    tflop = steps * shape.unet_tflop + decoder
    if torch.cuda.is_available() and "H100" in torch.cuda.get_device_name():
        return f"{whole_ms / (1e3 * tflop / H100_TFLOPS):.1f} x floor"
    return f"{1e3 * tflop / whole_ms:.0f} TFLOP/s"


def timings(beside: Beside, repeats: int) -> Iterator[list[str]]:
    """Rows of the first table: a model with 1, 2 and 4 steps."""
    for steps in STEPS:
        difference = np.abs(beside.picture(steps) - 255 * beside.their_picture(steps)).max()
        assert beside.compute.dtype != torch.float32 or difference <= 2, "another picture"
        yield _row(beside, steps, timed(beside, steps, repeats))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables and put them into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--window-s", type=float, default=20.0, help="a window is watched for")
    parser.add_argument("--threads", type=int, help="of a CPU; as a session has them by default")
    parser.add_argument("--document", type=Path, help=f"{DOCUMENT}, if everything is timed")
    parser.add_argument("--only", default="", help="a model; the rest is left out")
    parser.add_argument("--reduced", action="store_true", help=argparse.SUPPRESS)
    told = parser.parse_args(arguments)
    compute = Compute.best()
    if told.threads:
        torch.set_num_threads(told.threads)
    texts = []
    for text in _texts(compute, told):
        print(text, "\n", sep="", flush=True)
        texts.append(text)
    document = told.document or (None if told.only or told.reduced else DOCUMENT)
    if document is not None:
        write(document, compute.device.type, "\n\n".join(texts))
    return 0


def _texts(compute: Compute, told: argparse.Namespace) -> Iterator[str]:
    yield machine(compute)
    pictures, forms, gaps = [], [], []
    for model in _models(compute, told.reduced, told.only):
        for row in timings(Beside(model, compute), told.repeats):
            print(*row, sep=" | ", file=sys.stderr, flush=True)
            pictures.append(row)
        if not model.fast and not model.wide:
            forms += precision.rows(model, compute, -(-told.repeats // 2))
        torch.compiler.reset()  # what is compiled for a model would keep its memory
        gaps.append(window.row(model, compute, max(STEPS), told.window_s))
        torch.compiler.reset()
    yield table(HEAD, pictures)
    yield "Milliseconds of one call, not compiled (ratio to the first column):"
    yield table(precision.HEAD, forms)
    yield f"The operator's window for {told.window_s:g} s while a model draws without a pause:"
    yield table(window.HEAD, gaps)
    if told.only:
        return
    yield f"Pictures of the miniature from {precision.SCENES} scenes, against those in float32:"
    yield table(precision.QUALITY_HEAD, precision.quality(compute))
    if compute.queued or told.reduced:
        voxels, values = (150, 640) if told.reduced else (VOXELS, sum(VALUES))
        ms = product_ms(compute, voxels, values)
        yield f"Decoders, {voxels:,} voxels to {values:,} values, float32: {ms:.2f} ms a pattern."


def _models(compute: Compute, reduced: bool, only: str) -> Iterator[Model]:
    """What is timed on this kind of machine, one at a time on disk."""
    shapes = models.REAL if compute.queued or reduced else {"bigger toy": models.BIGGER_TOY}
    if not compute.queued and only in ("", "miniature"):
        yield models.miniature()
    for name, shape in shapes.items():
        if only in ("", name):
            with tempfile.TemporaryDirectory() as folder:
                shape = models.reduced(shape) if reduced else shape
                yield from models.variants(name, shape, Path(folder), compute.device)


if __name__ == "__main__":
    sys.exit(main())
