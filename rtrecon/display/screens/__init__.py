"""Full-screen screens for people without a keyboard: the participant's and the spectators'."""

from rtrecon.display.screens.beside import (
    Beside,
    Screens,
    application,
    participant_screen,
    read_screens,
    run_screen,
    spectators_screen,
)
from rtrecon.display.screens.canvas import Canvas
from rtrecon.display.screens.participant import Participant
from rtrecon.display.screens.spectators import Spectators, Stimulus

__all__ = [
    "Beside", "Canvas", "Participant", "Screens", "Spectators", "Stimulus", "application",
    "participant_screen", "read_screens", "run_screen", "spectators_screen",
]  # fmt: skip
