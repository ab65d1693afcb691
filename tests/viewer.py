"""A view without a window, in a process of its own, that says what it sees and when.

Run with the stream's name; writes one JSON object a line to standard output.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pylsl

from rtrecon.remote import Follower

LOOK_S = 0.005


def watch(name: str) -> None:
    follower = Follower(name)
    session, heard, ended = "", False, False
    say("begun")
    while not ended:
        threading.Event().wait(LOOK_S)
        if follower.session != session:
            session = follower.session
            say("session", id=session)
        if follower.heard != heard:
            heard = follower.heard
            say("heard" if heard else "unheard", phase=follower.status.phase.name)
        frame = follower.frames.take()
        if frame is not None:
            sizes = list(frame.images.shape)
            say("frame", serial=frame.serial, volume=frame.decoded.volume, shape=sizes,
                drawn=frame.times.drawn, sum=int(frame.images.sum()))  # fmt: skip
        if follower.ended:
            ended = True
            say("ended", phase=follower.status.phase.name, bad=follower.bad)
    follower.close()


def say(event: str, **more: Any) -> None:
    print(json.dumps({"event": event, "at": pylsl.local_clock(), **more}), flush=True)


class Viewer:
    """Such a process, read from a test. `seen`: all that it said so far."""

    def __init__(self, name: str) -> None:
        self.started = pylsl.local_clock()
        self.seen: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.viewer", name],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reading = threading.Thread(target=self._read, name="rtrecon-test-viewer", daemon=True)
        self._reading.start()

    def wait_for(self, event: str, timeout_s: float = 30.0, **more: Any) -> dict[str, Any]:
        """The next such event from now on."""
        deadline = pylsl.local_clock() + timeout_s
        while (left := deadline - pylsl.local_clock()) > 0:
            try:
                said = json.loads(self._lines.get(timeout=left))
            except Empty:
                break
            self.seen.append(said)
            if said["event"] == event and all(said[key] == more[key] for key in more):
                return dict(said)
        raise AssertionError(f"no '{event}' within {timeout_s} s, but {self.seen[-5:]}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._reading.join(10)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)


if __name__ == "__main__":
    watch(sys.argv[1])
