"""Feedback in PsychoPy: a bar for how likely rtrecon takes one category: psychopy_feedback.py dog."""

import json
import sys

import pylsl
from psychopy import event, visual

STALE_S = 10.0  # without news for so long nothing is shown


def feedback_inlet(stream="rtrecon", wait_s=60.0):
    """What rtrecon sends of each decoded volume, or None where it does not within `wait_s`."""
    found = pylsl.resolve_byprop("name", f"{stream}-feedback", 1, wait_s)
    return pylsl.StreamInlet(found[0]) if found else None


def newest(inlet):
    """The newest decoded volume; None where there is no newer one than last time. Never waits."""
    samples, _ = inlet.pull_chunk(timeout=0.0, max_samples=1024)
    return json.loads(samples[-1][0]) if samples else None


def feedback(inlet, category):
    """Show a bar until Escape: full height is certainty, the line across is chance."""
    window = visual.Window(fullscr=True, color="gray", units="norm")
    bar = visual.Rect(window, width=0.3, fillColor="white", lineColor=None)
    chance = visual.Line(window, start=(-0.3, 0), end=(0.3, 0), lineColor="black")
    told_at = None
    while not event.getKeys(keyList=["escape"]):
        if decoded := newest(inlet):
            told_at = pylsl.local_clock()
            bar.height = 1.6 * decoded["probabilities"][category]
            bar.pos = (0, bar.height / 2 - 0.8)
            chance.pos = (0, 1.6 * decoded["chance"] - 0.8)
        if told_at is not None and pylsl.local_clock() - told_at < STALE_S:
            bar.draw()
            chance.draw()
        window.flip()
    window.close()


if __name__ == "__main__":
    heard = feedback_inlet()
    if heard is None:
        sys.exit("no feedback within 60 s: start rtrecon run first")
    feedback(heard, sys.argv[1])
