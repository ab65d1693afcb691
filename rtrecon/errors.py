"""What can go wrong, as one tree. Each message is one line: the thing, the value, the way out.

Error                 anything rtrecon says about itself; the command line prints it and exits with 1
├── BadInput          a file, option, stream or prediction that cannot be used
│   ├── BadConfig     the session's settings
│   ├── BadArtifact   a decoder folder that is damaged, foreign or of another format
│   ├── BadGenerator  a generative model's folder that cannot be loaded
│   ├── BadDataset    calibration data
│   └── BadStream     a stream whose description or samples break the wire contract
├── GeneratorLost     the process that draws has ended; the next picture may be drawn again
├── Mismatch          two things that are fine alone and do not fit each other
└── StreamMissing     no such stream on the network within the time given
"""

from collections.abc import Callable, Sequence


class Error(Exception):
    """Anything that rtrecon says about itself."""


class BadInput(Error):
    """A file, option, stream or prediction that cannot be used."""


class BadConfig(BadInput):
    """The session's settings cannot be used."""


class BadArtifact(BadInput):
    """A decoder folder is damaged, foreign or of another format."""


class BadGenerator(BadInput):
    """A generative model's folder cannot be loaded."""


class BadDataset(BadInput):
    """Calibration data cannot be used."""

    @classmethod
    def listing(cls, dataset: object, problems: Sequence[str]) -> "BadDataset":
        """All that is wrong with a dataset: one line each, and a head line where they are several."""
        if len(problems) == 1:
            return cls(problems[0])
        return cls("\n- ".join([f"{dataset} has {len(problems)} problems:", *problems]))


class BadStream(BadInput):
    """A stream's description or samples break the wire contract (docs/wire.md)."""


class GeneratorLost(Error):
    """The process that draws has ended or was ended.

    Attributes
    ----------
    again : callable
        Begins it anew, where that is done, and returns once it can draw or cannot, or once its
        argument says that nobody waits for it any more. Never raises. For the thread that draws.
    """

    def __init__(
        self, text: str, again: Callable[[Callable[[], bool]], None] = lambda over: None
    ) -> None:
        super().__init__(text)
        self.again = again


class Mismatch(Error):
    """Two things that are fine alone do not fit each other."""


class StreamMissing(Error):
    """No such stream on the network within the time given."""
