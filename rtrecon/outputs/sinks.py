"""Where samples go as time goes by: the machine's sound device, or a file."""

import logging
import wave
from math import ceil, isnan, nan
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtrecon.errors import BadConfig

log = logging.getLogger(__name__)

_LATENCY_S = 0.1  # of what is played: so long may the thread be held up before it is heard
Samples = NDArray[np.float32]


class Sink(Protocol):
    """What takes samples as time goes by."""

    name: str
    claims: frozenset[str]

    def open(self) -> None:
        """Get hold of it."""
        ...

    def room(self) -> int:
        """How many samples are due."""
        ...

    def write(self, samples: Samples) -> None:
        """Take samples (n, 2)."""
        ...

    def close(self) -> None:
        """Let go of it, also when it is not open."""
        ...


class Speaker:
    """The machine's sound device, by PortAudio."""

    claims: frozenset[str] = frozenset()

    def __init__(self, device: str, rate_hz: int) -> None:
        self.name = f"sound {device}".rstrip()
        self._device, self._rate_hz = device, rate_hz
        self._stream: Any = None

    def open(self) -> None:
        """Open the device.

        Raises
        ------
        BadConfig
            The library or the device is not there.
        """
        try:
            import sounddevice
        except ImportError as error:
            raise BadConfig(
                "sound needs sounddevice: pip install 'rtrecon[sound]', or write it to a file "
                'with file = "sound.wav"'
            ) from error
        except OSError as error:
            raise BadConfig(
                "sound needs the library PortAudio (apt install libportaudio2), or write it to a "
                'file with file = "sound.wav"'
            ) from error
        try:
            self._stream = sounddevice.OutputStream(
                samplerate=self._rate_hz, device=self._device or None, channels=2,
                dtype="float32", latency=_LATENCY_S,
            )  # fmt: skip
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            self.close()
            raise BadConfig(
                f"sound device '{self._device}' cannot be used ({error}): "
                "`python -m sounddevice` lists what there is"
            ) from error

    def room(self) -> int:
        """What the device's buffer takes without waiting.

        Raises
        ------
        OSError
            The device is gone.
        """
        if not self._stream.active:
            raise OSError("the sound device has stopped")
        return self._stream.write_available

    def write(self, samples: Samples) -> None:
        """Play them after what waits."""
        self._stream.write(samples)

    def close(self) -> None:
        """Play what waits, and let go of the device."""
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.stop()  # unlike `close`, after what waits
            finally:
                stream.close()


class WavFile:
    """A file that begins with the first score and grows as time goes by; whole at any moment.

    Once it could not be written it is left as it is.
    """

    def __init__(self, folder: Path | None, file: str, rate_hz: int) -> None:
        self.name = f"sound {file}"
        self.claims = frozenset({file})
        self._folder, self._name, self._rate_hz = folder, file, rate_hz
        self._file: wave.Wave_write | None = None
        self._began = nan
        self._written = 0

    def open(self) -> None:
        """Nothing yet: the session's folder may not be there.

        Raises
        ------
        BadConfig
            There will be none.
        """
        if self._folder is None:
            raise BadConfig(f"file = '{self._name}': this session has no folder: leave the key out")

    def room(self) -> int:
        """How many samples time has made due.

        Raises
        ------
        OSError
            The file cannot be made, or could not be written before.
        """
        if isnan(self._began):
            self._begin()
        if self._file is None:
            raise OSError(f"{self._name} could not be written")
        return ceil((monotonic() - self._began) * self._rate_hz) - self._written

    def write(self, samples: Samples) -> None:
        """Append to the file, whose header then counts them."""
        assert self._file is not None
        self._file.writeframes(np.round(32767 * samples).astype("<i2").tobytes())
        self._written += len(samples)

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _begin(self) -> None:
        assert self._folder is not None
        self._began = monotonic()
        path = self._folder / self._name
        path.touch(exist_ok=False)  # nothing recorded is ever overwritten
        self._file = wave.open(str(path), "wb")  # noqa: SIM115
        self._file.setparams((2, 2, self._rate_hz, 0, "NONE", ""))
        log.info("%s begins at %.6f (LSL clock)", self._name, pylsl.local_clock())
