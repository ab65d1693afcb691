"""Full-screen screens for people without a keyboard: the participant's and the spectators'."""

from rtrecon.display.screens.beside import Beside, Screens, participant_screen, read_screens
from rtrecon.display.screens.canvas import Canvas
from rtrecon.display.screens.participant import Participant

__all__ = ["Beside", "Canvas", "Participant", "Screens", "participant_screen", "read_screens"]
