"""The miniature generative model: what it is made of, and how it was trained.

``pipeline/`` is an ordinary diffusers folder; nothing here is needed to use it:

    StableDiffusionPipeline.from_pretrained(FOLDER, dtype=torch.float32, local_files_only=True)
"""

from pathlib import Path

from rtrecon.config import Settings
from rtrecon.generators.presets import Preset

FOLDER = Path(__file__).parent / "pipeline"
# Among the best that were measured, and of these not the dearest (docs/reconstruction.md).
PRESET = Preset(str(FOLDER), "BSD-3-Clause", Settings(steps=2, strength=0.75, guidance=2.0))
