"""The miniature generative model: what it is made of, and how it was trained.

``pipeline/`` is an ordinary diffusers folder; nothing here is needed to use it:

    StableDiffusionPipeline.from_pretrained(FOLDER, dtype=torch.float32, local_files_only=True)
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "pipeline"
