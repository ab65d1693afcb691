"""A PsychoPy experiment that tells rtrecon what it shows and when: psychopy_markers.py PICTURE ..."""

import json
import sys
from pathlib import Path

import pylsl
from psychopy import core, event, visual

SHOWN_S, PAUSE_S = 6.0, 6.0


def marker_outlet(stream="rtrecon"):
    """The outlet for the markers of the volume stream `stream`.

    The last word is the source id: rtrecon finds a restarted experiment again by it, and each
    program needs its own.
    """
    info = pylsl.StreamInfo(f"{stream}-markers", "Markers", 1, 0, "string", "psychopy")
    return pylsl.StreamOutlet(info)


def send(outlet, **marker):
    """Send one marker, stamped now. Its keys are those of docs/wire.md."""
    outlet.push_sample([json.dumps(marker)])


def experiment(outlet, pictures):
    """Wait for the scanner, then show each picture; its marker is sent at the flip that shows it."""
    window = visual.Window(fullscr=True, color="gray")
    event.waitKeys(keyList=["5", "t"])  # the scanner's first pulse
    send(outlet, event="trigger")
    for picture in pictures:
        name = Path(picture).name
        visual.ImageStim(window, image=str(picture)).draw()
        # PsychoPy calls this as soon as the screen has changed.
        window.callOnFlip(
            send, outlet, trial_type=Path(picture).stem, stim_file=name, duration_s=SHOWN_S
        )
        window.flip()
        core.wait(SHOWN_S)
        window.flip()
        core.wait(PAUSE_S)
    window.close()


if __name__ == "__main__":
    markers = marker_outlet()
    if not markers.wait_for_consumers(60):
        sys.exit("nobody listens: start rtrecon run first")
    experiment(markers, sys.argv[1:])
