"""Firings as bytes on a serial line."""

import re
from dataclasses import dataclass
from typing import Any

from rtrecon.errors import BadConfig
from rtrecon.outputs.device import Addressee, Item, Plain, require

_HEX = re.compile(r"0x[0-9a-fA-F]{2}(\s+0x[0-9a-fA-F]{2})*")
_MOST_BYTES = 1024
_WRITE_S = 1.0  # a line that takes nothing for so long has failed


@dataclass(frozen=True)
class SerialTrigger:
    """`[[trigger]] kind = "serial"`: bytes for each firing.

    Attributes
    ----------
    port : str
        Such as "/dev/ttyUSB0" or "COM3".
    write : str
        Text, sent as UTF-8, or bytes as "0x01" or "0x02 0x41".
    """

    kind: str
    port: str
    write: str
    baud: int = 9600
    person: str = ""

    def __post_init__(self) -> None:
        require(bool(self.port), "port", self.port, 'a serial port, such as "/dev/ttyUSB0"')
        require(1 <= self.baud <= 4_000_000, "baud", self.baud, "1 to 4000000")
        fits = 1 <= len(self.content) <= _MOST_BYTES
        require(fits, "write", self.write, f'1 to {_MOST_BYTES} bytes: text, or such as "0x01"')

    @property
    def content(self) -> bytes:
        """What goes over the line."""
        if _HEX.fullmatch(self.write):
            return bytes(int(one, 16) for one in self.write.split())
        return self.write.encode()

    def make(self, to: Addressee) -> "SerialLine":
        """Such an output."""
        return SerialLine(self.port, self.baud, self.content)


class SerialLine(Plain):
    """A port that is kept open, and what is written there."""

    def __init__(self, port: str, baud: int, content: bytes) -> None:
        self.name = f"serial {port}"
        self._port, self._baud, self._content = port, baud, content
        self._line: Any = None

    def open(self) -> None:
        """Open the port.

        Raises
        ------
        BadConfig
            pyserial is not installed, or the port cannot be used.
        """
        try:
            import serial
        except ImportError as error:
            raise BadConfig(
                "a serial line needs pyserial: pip install 'rtrecon[serial]'"
            ) from error
        try:
            self._line = serial.Serial(self._port, self._baud, write_timeout=_WRITE_S)
        except (OSError, ValueError) as error:  # pyserial's own is an OSError
            raise BadConfig(
                f"serial port '{self._port}' at {self._baud} baud cannot be used: {error}"
            ) from error

    def send(self, item: Item) -> None:
        """Hand the bytes to the system."""
        self._line.write(self._content)

    def close(self) -> None:
        """Close the port."""
        line, self._line = self._line, None
        if line is not None:
            line.close()
