"""A session's TOML file with all of its tables, and the list of codes of blinded feedback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rtrecon.config import Settings, load_session, read_toml
from rtrecon.eeg.index import Measure
from rtrecon.eeg.plan import read_plan
from rtrecon.eeg.signal import Signal
from rtrecon.errors import Error
from rtrecon.generators import find_generator
from rtrecon.outputs.kinds import read_devices
from rtrecon.protocol.opening import open_protocol
from rtrecon.protocol.settings import read_protocol
from rtrecon.sham import coded_feedback
from rtrecon.types import Person
from tests.fuzz import made
from tests.fuzz.mutate import text
from tests.fuzz.target import Parts, Target

_EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
_FMRI = """
decoder = "people/sub-01"
stream = "scanner"
generator = "sd-turbo"
wait_s = 30
until_idle_s = 10.5
view = false
xdf = true
[settings]
steps = 3
strength = 0.5
guidance = 1.5
samples = 2
preview = true
seed = 7
[protocol]
measure = "probability"
target = "dog"
when = "trial"
shows = ["score", "fixation"]
[protocol.threshold]
level = 0.5
direction = "below"
[[block]]
kind = "regulate"
duration_s = 10
instruction = "Dog"
[[output]]
kind = "lsl"
[[output]]
kind = "artnet"
host = "127.0.0.1"
channel = 1
layout = "rgb"
[[output]]
kind = "sound"
[[trigger]]
kind = "serial"
port = "/dev/ttyS0"
write = "A"
[[trigger]]
kind = "command"
command = ["true", "x"]
[participant]
screen = "2"
photodiode = "lower left"
[spectators]
screen = "1"
[[person]]
name = "Ann"
colour = "#56b4e9"
"""
_EEG = """
stream = "room"
[eeg]
index = "band"
band = [8, 12]
channels = ["Oz", "2"]
window_s = 1
rate_hz = 20
mains_hz = 50
[eeg.artefacts]
amplitude_uv = 80
[protocol]
shows = ["score"]
repeat = 2
[protocol.baseline]
kind = "rest"
[[block]]
kind = "rest"
duration_s = 20
[[block]]
kind = "regulate"
duration_s = 40
[[person]]
name = "Ann"
stream = "amp-1"
[[person]]
name = "Ben"
stream = "amp-2"
colour = "#e69f00"
"""
_CODES = 'trials = 12\n[codes]\nA1 = "real"\nB2 = "real"\n'


@contextmanager
def opened(folder: Path) -> Iterator[Target]:
    """A configuration, and a list of codes."""
    file, codes = folder / "session.toml", folder / "codes.toml"
    artifact = made.artifact()
    signal = Signal("amp-1", ("Fz", "Oz", "Cz"), 250.0, "float32", (1.0, 1.0, 1.0))

    def run(parts: Parts) -> None:
        file.write_bytes(parts[0])
        codes.write_bytes(parts[1])
        tried(lambda: coded_feedback("A1", codes, artifact))
        if (tables := tried(lambda: read_toml(file))) is None:
            return
        people = (Person("Ann"), Person("Ben"))
        for key in ("output", "trigger"):
            tried(lambda key=key: read_devices(key, tables, "scanner", people, folder))
        tried(lambda: read_protocol(tables))
        tried(lambda: find_generator(str(tables.get("generator", ""))))
        if "eeg" in tables:
            tried(lambda: Measure(read_plan(file, {}).eeg, signal))
            return
        if (session := tried(lambda: load_session(file, {}, complete=False))) is not None:
            tried(lambda: session.settings(Settings()))
            tried(lambda: open_protocol(session, artifact))

    file.write_text(_FMRI)
    read_devices("output", read_toml(file), "scanner", (Person("Ann"),), folder)  # it is valid
    read_devices("trigger", read_toml(file), "scanner", (Person("Ann"),), folder)
    fmri = [_FMRI, *(file.read_text() for file in sorted(_EXAMPLES.glob("*.toml")))]
    yield Target((text, text), [[t.encode(), _CODES.encode()] for t in (*fmri, _EEG)], run)


def tried(read: Callable[[], Any]) -> Any:
    """What is read, or None where it is refused in one line."""
    try:
        return read()
    except Error as error:
        assert not isinstance(error.__cause__, MemoryError)
        return None
