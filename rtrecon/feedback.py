"""What was decoded, sent on over LSL as it is known: for the program that shows the stimuli."""

import json

import pylsl

from rtrecon.network import expose
from rtrecon.types import Decoded

FEEDBACK_TYPE = "Feedback"


def feedback_stream(name: str) -> str:
    """Name of the feedback stream that belongs to the volume stream `name`."""
    return f"{name}-feedback"


class Feedback:
    """The outlet of docs/wire.md, "The feedback stream". Exists as long as its session.

    Parameters
    ----------
    name : str
        Of the volume stream.
    candidates : tuple of str
        What is decided between, in the order of `Decoded.probabilities`.
    """

    def __init__(self, name: str, candidates: tuple[str, ...]) -> None:
        self._candidates = candidates
        stream = feedback_stream(name)
        info = pylsl.StreamInfo(
            stream, FEEDBACK_TYPE, 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, f"rtrecon-{stream}"
        )
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info)
        expose(stream, "what was decoded of the person, as probabilities")

    def send(self, decoded: Decoded) -> None:
        """Send what one volume was decoded to. Returns at once, whoever listens; any thread."""
        outlet = self._outlet  # which another thread may close
        if outlet is not None:
            text = feedback_of(decoded, self._candidates)
            outlet.push_sample([text], decoded.times.decoded)

    def close(self) -> None:
        """Take the stream off the network: nothing is sent any more. Any thread."""
        self._outlet = None


def feedback_of(decoded: Decoded, candidates: tuple[str, ...]) -> str:
    """One decoded volume as the JSON object that is sent."""
    trial = decoded.trial
    probabilities = (round(float(p), 6) for p in decoded.probabilities)
    told = {
        "trial": trial.number,
        "trial_type": trial.trial_type,
        "onset_s": trial.onset_s,
        "volume": decoded.volume,
        "age_s": round(decoded.age_s, 6),
        "predicted": decoded.predicted,
        "confidence": round(float(decoded.confidence), 6),
        "chance": round(1 / len(candidates), 6),
        "probabilities": dict(zip(candidates, probabilities, strict=True)),
    }
    return json.dumps(told)
