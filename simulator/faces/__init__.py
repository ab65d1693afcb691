"""Drawn faces, and the small generative adversarial network that was trained on them.

``model/`` is the folder that ``--generator faces`` loads.
"""

from pathlib import Path

from rtrecon.generators.presets import Preset
from simulator.faces.drawing import render
from simulator.faces.face import KINDS, caption, properties, sample, words
from simulator.gallery import Gallery

FACES = Gallery("faces", KINDS, (), sample, render, caption, properties, words)
PRESET = Preset(str(Path(__file__).parent / "model"), "BSD-3-Clause")
JUDGE = Path(__file__).with_name("judge.safetensors")
