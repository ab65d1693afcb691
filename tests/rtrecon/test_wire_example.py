"""The sender that docs/wire.md prints is one that the receiver understands."""

import re
import threading
from pathlib import Path

import numpy as np

from rtrecon.receive import Receiver
from rtrecon.types import Volume

PAGE = Path(__file__).parents[2] / "docs" / "wire.md"


def test_the_pages_example_sends_a_run(stream_name: str) -> None:
    _, sender = PAGE.read_text().split("## A sender in 20 lines\n")
    example = re.findall(r"```python\n(.*?)```", sender, flags=re.DOTALL)[0]
    rng = np.random.default_rng(0)
    scans = [rng.integers(0, 900, (64, 64, 34)).astype(np.int16) for _ in range(6)]
    program = example.replace('"rtrecon"', f'"{stream_name}"').replace(
        '"rtrecon-markers"', f'"{stream_name}-markers"'
    )
    # The page waits two seconds for its last volume to leave; the receiver says when it has it.
    done = threading.Event()
    program = program.replace("time.sleep(2)", "done.wait(20)")
    program = program.replace(
        "volumes.wait_for_consumers(60)",
        "volumes.wait_for_consumers(60); markers.wait_for_consumers(60)",
    )
    names = {"my_scanner": lambda: scans, "done": done}
    sender = threading.Thread(target=exec, args=(program, names))
    sender.start()
    receiver = Receiver(stream_name, 10.0, 20.0, threading.Event())
    got = [item for item in receiver if isinstance(item, Volume)]
    done.set()
    sender.join(timeout=20)
    receiver.close()
    assert receiver.counts.received == 6
    for sent, volume in zip(scans, got, strict=True):
        np.testing.assert_array_equal(volume.data, sent)
