"""Every window and when it is worth a picture: one function each, a few lines long.

A scene begins what its window shows, and hands each picture to `studio.take` under a name of
`WINDOWS`. The scenes are taken in their order; each imports what it shows, so that one that is not
there costs its own picture alone.
"""

import threading
from contextlib import closing
from pathlib import Path

from rtrecon.config import Session, read_toml
from rtrecon.pipeline import show_headless
from tests.screenshots.studio import FADE_S, ROOT, Studio, drawn_of

WINDOWS = (
    "setup-red", "setup-green", "operator-live", "operator-paused", "operator-ended",
    "participant", "participant-score", "spectators",
    "view-operator", "eeg-operator", "eeg-spectators",
)  # fmt: skip
"""Names of all pictures; what no scene has taken is told at the end."""

FOUR = ("--people", 4, "--rhythm", "beta", "--first", 70, "--stagger", 5, "--blinks", 2)


def visit(studio: Studio) -> None:
    """A run from its set-up page to its end."""
    from rtrecon.display.visit import VisitWindow
    from rtrecon.visit import Visit

    decoder, output, stimuli = map(Path, ("decoder", "session-1", "stimuli"))
    chosen = Session(decoder, "scanner", output=output, stimuli=stimuli, fixed={"steps": 2})
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
    from rtrecon.display import screens as kinds

    with studio.session() as run:
        own = kinds.participant_screen(run, kinds.Participant())
        wall = kinds.spectators_screen(run, kinds.Spectators(), run.stimulus)
        with studio.shown(own), studio.shown(wall):
            run.start()
            studio.take("participant", own, lambda: studio.stillness(run))
            studio.take("spectators", wall, lambda: studio.stillness(run))
            run.stop()
            studio.until(lambda: run.ended)


def feedback(studio: Studio) -> None:
    """The participant's screen with a score and an instruction."""
    from rtrecon.display import screens as kinds

    protocol = read_toml(ROOT / "docs" / "examples" / "neurofeedback.toml")
    tables = {key: protocol[key] for key in ("protocol", "block")}
    with (
        studio.session(tables=tables, free_viewing=True) as run,
        studio.shown(kinds.participant_screen(run, kinds.Participant())) as own,
    ):
        run.start()
        studio.until(lambda: any(s.told > 0.6 for s in run.presentation.scores.values()))
        studio.take("participant-score", own, lambda: studio.run_for(FADE_S))
        run.stop()
        studio.until(lambda: run.ended)


def remote(studio: Studio) -> None:
    """The same session's window on another machine."""
    from rtrecon.display.view import OperatorView
    from rtrecon.remote import Follower

    with studio.session() as run, closing(Follower("scanner")) as follower:
        view = OperatorView(follower, threading.Event())
        shower = threading.Thread(target=show_headless, args=(run,))
        shower.start()
        studio.until(lambda: drawn_of(4, 10.0)(run.frames.newest))
        studio.take("view-operator", view.shown)
        run.stop()
        studio.until(lambda: run.ended)
        shower.join()
        view.discard()


def eeg(studio: Studio) -> None:
    """Four people, each with electrodes, until three of them have fired their trigger."""
    from rtrecon.display.eeg import EegWindow
    from rtrecon.display.screens import Spectators, spectators_screen
    from rtrecon.eeg.opening import open_eeg_session
    from rtrecon.eeg.plan import read_plan
    from rtrecon.eeg.protocols import PROTOCOLS

    plan = read_plan(PROTOCOLS["concentration"], {})
    with (
        studio.within() as folder,
        studio.simulated("eeg", *FOUR),
        open_eeg_session(plan, folder / "session", threading.Event()) as session,
        studio.shown(EegWindow(session)) as window,
        studio.shown(spectators_screen(session, Spectators(title="Who concentrates?"))) as wall,
    ):
        window.start()
        studio.until(lambda: sum(n > 0 for n in session.presentation.fires.values()) >= 3)
        studio.take("eeg-operator", window)
        studio.take("eeg-spectators", wall, lambda: studio.run_for(FADE_S))
        session.stop()
        studio.until(lambda: session.ended)


SCENES = (visit, screens, feedback, remote, eeg)
