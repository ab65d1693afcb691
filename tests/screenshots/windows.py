"""Every window and when it is worth a picture: one function each, a few lines long.

A scene begins what its window shows, and hands each picture to `studio.take` under a name of
`WINDOWS`. `SCENES` are made in their order.
"""

from rtrecon.display import OperatorWindow
from rtrecon.types import Phase
from tests.screenshots.studio import Studio, drawn_of

WINDOWS = (
    "setup-red", "setup-green",
    "operator-live", "operator-paused", "operator-ended",
    "participant", "spectator", "eeg", "remote",
)  # fmt: skip
"""Names of all pictures; what no scene has taken is told at the end."""


def operator(studio: Studio) -> None:
    """A run from its first picture to its end."""
    with studio.session() as pipeline, studio.shown(OperatorWindow(pipeline)) as window:
        window.start()
        studio.until(lambda: drawn_of(4, 10.0)(pipeline.frames.newest))
        studio.take("operator-live", window)
        pipeline.stop()
        studio.until(lambda: pipeline.status.phase is Phase.ENDED)
        studio.take("operator-ended", window)


SCENES = (operator,)
