"""What walks through the rooms: frozen values whose arrays are read-only."""

from rtrecon.types.feedback import Block, Firing, Person, Score, Sent
from rtrecon.types.picture import Brain, Comparison, Decoded, Frame, Pattern
from rtrecon.types.screen import Painted, Presentation
from rtrecon.types.status import Arrival, Phase, Status, Trouble, VolumeCounts
from rtrecon.types.volume import UNMARKED, Event, Geometry, Marker, Times, Trial, Volume, read_only

__all__ = [
    "UNMARKED",
    "Arrival",
    "Block",
    "Brain",
    "Comparison",
    "Decoded",
    "Event",
    "Firing",
    "Frame",
    "Geometry",
    "Marker",
    "Painted",
    "Pattern",
    "Person",
    "Phase",
    "Presentation",
    "Score",
    "Sent",
    "Status",
    "Times",
    "Trial",
    "Trouble",
    "Volume",
    "VolumeCounts",
    "read_only",
]
