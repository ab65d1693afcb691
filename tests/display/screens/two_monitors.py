"""A program of its own, since Qt's monitors are chosen before it starts: 1280 x 720, and a 2x one.

Prints what a test wants to know as JSON.
"""

import json
import sys
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget

from rtrecon.display.screens import Beside, Participant, Screens, Spectators, read_screens
from rtrecon.errors import BadConfig
from rtrecon.types import Painted, Phase, Presentation


class Still:
    """Presents nothing but fixation."""

    presentation = Presentation(Phase.RUNNING, shows=frozenset({"fixation"}))
    ended = False

    def presented(self, painted: Painted) -> None:
        pass

    def withdraw(self) -> None:
        pass


def main(folder: Path) -> None:
    app = QApplication(["test"])
    told: dict[str, object] = {}
    try:
        read_screens({}, participant="HDMI-7")
    except BadConfig as error:
        told["missing"] = str(error)
    screens = read_screens({"participant": {"screen": 2}, "spectators": {"screen": "A"}})
    assert screens == Screens(Participant(screen="2"), Spectators(screen="A"))
    window = QWidget()
    window.show()
    beside = Beside(window, Still(), read_screens({"participant": {}}))
    (canvas,) = beside.open.values()

    def look() -> None:
        picture = canvas._fades.picture.shape[:2] if canvas._fades else None
        told["screen"] = canvas.screen().name()
        told["geometry"] = canvas.geometry().getRect()
        told["picture"] = picture
        told["active"] = [canvas.isActiveWindow(), window.isActiveWindow()]
        canvas.grab().save(str(folder / "grab.png"))
        beside.close()
        app.quit()

    QTimer.singleShot(2200, look)
    app.exec()
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
