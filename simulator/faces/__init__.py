"""Drawn faces, and the small generative adversarial network that was trained on them.

``model/`` is the folder that ``--generator faces`` loads.
"""

from pathlib import Path

from simulator.faces.drawing import render
from simulator.faces.face import KINDS, caption, properties, sample, words
from simulator.gallery import Gallery

FACES = Gallery("faces", KINDS, (), sample, render, caption, properties, words)
FOLDER = Path(__file__).parent / "model"
JUDGE = Path(__file__).with_name("judge.safetensors")
