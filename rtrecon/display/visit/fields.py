"""What is typed or picked: a path with its folder dialog, and the streams on the network."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from rtrecon.streams import Source

_NAME = Qt.ItemDataRole.UserRole


class Field(QWidget):
    """Text that is typed or taken from a list; `changed` when it is settled.

    Parameters
    ----------
    name : str
        For people who hear the screen, and for the dialog's title.
    hint : str
        What stands there while it is empty.
    choices : sequence of str
    dialog : str
        "folder", "file" or nothing.
    """

    changed = Signal()
    edited = Signal()  # it is being typed into

    def __init__(
        self, name: str, hint: str = "", choices: Sequence[str] = (), dialog: str = ""
    ) -> None:
        super().__init__()
        self._name = name
        self._last: str | None = ""  # None: typed into since
        self.edit = QComboBox()
        self.edit.setEditable(True)
        self.edit.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.edit.addItems(list(choices))
        self.edit.setCurrentText("")
        self.edit.setProperty("plain", not choices)
        self.edit.setAccessibleName(name)
        self.edit.setMinimumContentsLength(8)
        self.edit.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        line = self.edit.lineEdit()
        assert line is not None
        line.setPlaceholderText(hint)
        line.textEdited.connect(self._edit)
        line.editingFinished.connect(self._settle)
        self.edit.activated.connect(self._settle)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.edit, stretch=1)
        self.setFocusProxy(self.edit)
        self.browse = QPushButton("Browse\N{HORIZONTAL ELLIPSIS}")
        self.browse.setAccessibleName(f"Browse for {name.lower()}")
        self.browse.clicked.connect(lambda: self._browse(dialog))
        self.browse.setVisible(bool(dialog))
        row.addWidget(self.browse)

    @property
    def text(self) -> str:
        """What is there."""
        return self.edit.currentText().strip()

    @text.setter
    def text(self, text: str) -> None:
        self._last = text
        self.edit.setEditText(text)

    @property
    def path(self) -> Path | None:
        """What is there, as a path; None: nothing."""
        return Path(self.text).expanduser() if self.text else None

    def _edit(self) -> None:
        self._last = None
        self.edited.emit()

    def _settle(self) -> None:
        if self.text != self._last:
            self._last = self.text
            self.changed.emit()

    def _browse(self, dialog: str) -> None:
        if dialog == "folder":
            chosen = QFileDialog.getExistingDirectory(self, self._name, self.text)
        else:
            chosen, _ = QFileDialog.getOpenFileName(self, self._name, self.text)
        if chosen:
            self.edit.setEditText(chosen)
            self._settle()


class StreamList(QListWidget):
    """The volume streams that are there now; `changed` when another is chosen.

    The chosen one stays in the list while it is not on the network.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Streams on the network")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._seen: tuple[Source, ...] = ()
        self._lines: list[tuple[str, str]] = []
        self._chosen = ""
        self.currentItemChanged.connect(self._choose)

    @property
    def chosen(self) -> str:
        """Name of the chosen stream."""
        return self._chosen

    @chosen.setter
    def chosen(self, name: str) -> None:
        self._chosen = name
        self._fill()

    @property
    def is_there(self) -> bool:
        """Whether the chosen stream is on the network."""
        return any(source.name == self._chosen for source in self._seen)

    def show_seen(self, seen: tuple[Source, ...]) -> None:
        """Show what is on the network now."""
        self._seen = seen
        self._fill()

    def _fill(self) -> None:
        lines = [(source.name, _line(source)) for source in self._seen]
        if not self.is_there:
            lines.insert(0, (self._chosen, f"{self._chosen}\n     not on the network"))
        if lines == self._lines:
            return
        self._lines = lines
        with QSignalBlocker(self):
            self.clear()
            for name, line in lines:
                item = QListWidgetItem(line)
                item.setData(_NAME, name)
                self.addItem(item)
                if name == self._chosen:
                    self.setCurrentItem(item)

    def _choose(self, item: QListWidgetItem | None) -> None:
        name = item.data(_NAME) if item else self._chosen
        if name != self._chosen:
            self._chosen = name
            self.changed.emit()


def _line(source: Source) -> str:
    markers = "markers" if source.marked else "no markers"
    name, told, host = (" ".join(text.split()) for text in (source.name, source.told, source.host))
    return f"{name}\n     {told}  \N{MIDDLE DOT}  {markers}  \N{MIDDLE DOT}  {host}"
