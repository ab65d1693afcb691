"""Every window and when it is worth a picture: one function each, a few lines long.

A scene begins what its window shows, and hands each picture to `studio.take` under a name of
`WINDOWS`. The scenes are taken in their order; each imports what it shows, so that one that is not
there costs its own picture alone.
"""

from contextlib import closing
from pathlib import Path

from rtrecon.config import Session
from tests.screenshots.studio import Studio, drawn_of

WINDOWS = (
    "setup-red", "setup-green", "operator-live", "operator-paused", "operator-ended",
    "participant", "participant-score", "spectators",
    "view-operator", "eeg-operator", "eeg-spectators",
)  # fmt: skip
"""Names of all pictures; what no scene has taken is told at the end."""


def visit(studio: Studio) -> None:
    """A run from its set-up page to its end."""
    from rtrecon.display.visit import VisitWindow
    from rtrecon.visit import Visit

    decoder, output, stimuli = map(Path, ("decoder", "session-1", "stimuli"))
    chosen = Session(decoder, "scanner", output=output, stimuli=stimuli)
    with (
        studio.within(),
        closing(Visit()) as visit,
        studio.shown(VisitWindow(visit, chosen)) as window,
    ):
        page = window.set_up
        studio.until(lambda: page.verdict.text().endswith("start"))
        studio.take("setup-red", window)
        with studio.scanner("scanner"):
            studio.until(lambda: page.verdict.text().startswith("Ready"))
            studio.take("setup-green", window)
            page.start.click()
            studio.until(lambda: window.live)
            run = window.live.session
            studio.until(lambda: drawn_of(4, 10.0)(run.frames.newest))
            studio.take("operator-live", window)
            window.live.controls.pause.click()
            studio.take("operator-paused", window)
            window.live.controls.pause.click()
            studio.until(lambda: drawn_of(8, 10.0)(run.frames.newest))
            window.live.stop()
            studio.until(lambda: window.ended)
            studio.take("operator-ended", window)


def screens(studio: Studio) -> None:
    """The screens of a run without a protocol: the reconstruction."""
    from rtrecon.display.screens import (
        Participant,
        Spectators,
        participant_screen,
        spectators_screen,
    )

    with studio.session() as run:
        own = participant_screen(run, Participant())
        wall = spectators_screen(run, Spectators(), run.stimulus)
        with studio.shown(own), studio.shown(wall):
            run.start()
            studio.take("participant", own, lambda: studio.stillness(run))
            studio.take("spectators", wall, lambda: studio.stillness(run))
            run.stop()
            studio.until(lambda: run.ended)


SCENES = (visit, screens)
