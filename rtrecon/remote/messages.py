"""What a session tells its views: the contract of docs/wire.md, "The view stream"."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rtrecon.config import Settings
from rtrecon.errors import BadStream
from rtrecon.remote.plain import plain, understood
from rtrecon.types import Comparison, Decoded, Frame, Presentation, Status

MOST_CHARACTERS = 8 << 20  # of one message
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_NO_C = np.zeros(0, np.float32)


@dataclass(frozen=True)
class State:
    """Everything beside pictures.

    Attributes
    ----------
    status : Status
    presentation : Presentation
        Without its frame.
    presented : int
        The serial number of that frame; 0: there is none.
    stimulus : int
        The trial whose stimulus is sent as well; -1: none.
    ended : bool
    decoded : Decoded or None
        Without z, c and pattern.
    settings : Settings
    candidates : tuple of str
    stream_text, decoder_text, generator_text : str
    tr_s, speed : float
    uncompared : str
        Why nothing stands beside the picture.
    """

    status: Status
    presentation: Presentation
    presented: int = 0
    stimulus: int = -1
    ended: bool = False
    decoded: Decoded | None = None
    settings: Settings = field(default_factory=Settings)
    candidates: tuple[str, ...] = ()
    stream_text: str = ""
    decoder_text: str = ""
    generator_text: str = ""
    tr_s: float = 1.0
    speed: float = 1.0
    uncompared: str = ""


@dataclass(frozen=True)
class Stimulus:
    """What was presented in a trial. `image`: uint8 (height, width, 3)."""

    trial: int
    image: NDArray[np.uint8]


Message: TypeAlias = State | Frame | Stimulus | Comparison
KINDS: Mapping[str, type] = {
    "state": State, "frame": Frame, "stimulus": Stimulus, "comparison": Comparison,
}  # fmt: skip


def text_of(message: Message) -> str:
    """A message as it is sent: one JSON object, `kind` first."""
    kind = next(name for name, cls in KINDS.items() if isinstance(message, cls))
    return json.dumps({"kind": kind, **plain(_without_arrays(message))}, allow_nan=False)


def message_of(text: str, shift_s: float = 0.0, kinds: frozenset[str] = frozenset(KINDS)) -> Any:
    """A message read and checked; None where it is of another kind than asked for.

    Parameters
    ----------
    text : str
        As it came: anything.
    shift_s : float
        From the sender's clock to ours.
    kinds : frozenset of str
        Those worth reading.

    Raises
    ------
    BadStream
        Anything but such a message.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadStream(f"a view's message has {len(text):,} characters: too many")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadStream(f"a view's message is not JSON: {error}") from error
    kind = given.get("kind") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadStream(
            f"a view's message is of kind {repr(kind)[:60]}, none of {', '.join(KINDS)}"
        )
    if kind not in kinds:
        return None
    message = understood(KINDS[kind], given, shift_s)
    if problem := _problem(message):
        raise BadStream(f"a view's message of kind {kind}: {problem}")
    return message


def _without_arrays(message: Message) -> Message:
    """What is decoded as a view needs it: without what is large."""
    if isinstance(message, State):
        bare = replace(message.presentation, frame=None)
        return replace(message, presentation=bare, decoded=_bare(message.decoded))
    if isinstance(message, Frame | Comparison):
        return replace(message, decoded=_bare(message.decoded))  # type: ignore[arg-type]
    return message


def _bare(decoded: Decoded | None) -> Decoded | None:
    return decoded and replace(decoded, z=None, c=_NO_C, pattern=None)


def _problem(message: Message) -> str:
    """What each field alone does not tell."""
    if isinstance(message, State):
        return _problem_of_state(message)
    if isinstance(message, Frame):
        if message.images.ndim != 4 or not 1 <= message.step <= message.steps:
            return "no samples, or a step that is none of its steps"
        return _problem_of_decoded(message.decoded)
    if isinstance(message, Stimulus):
        return "" if message.image.ndim == 3 else "several pictures"
    pictures = [one for one in (message.z_only, message.control) if one is not None]
    return "" if all(one.ndim == 3 for one in pictures) else "several pictures"


def _problem_of_state(state: State) -> str:
    if not (0.001 <= state.tr_s <= 1e4 and 1e-4 <= state.speed <= 1e5):
        return f"a TR of {state.tr_s} s at a speed of {state.speed}"
    if not all(_COLOUR.fullmatch(person.colour) for person in state.presentation.people):
        return "a colour that is not #rrggbb"
    if state.decoded is None:
        return ""
    if len(state.decoded.probabilities) != len(state.candidates):
        return (
            f"{len(state.decoded.probabilities)} probabilities, {len(state.candidates)} candidates"
        )
    return _problem_of_decoded(state.decoded)


def _problem_of_decoded(decoded: Decoded) -> str:
    if len(decoded.scores) != len(decoded.probabilities):
        return "scores of another length than probabilities"
    return "" if np.isfinite(decoded.probabilities).all() else "probabilities that are no numbers"
