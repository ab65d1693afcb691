"""One picture of a whole session: a row a trial, from the stimulus to the final image."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from rtrecon.stimuli import unpack_picture

TILE_PX = 112
GAP_PX = 6
TEXT_PX = 18
LABEL_PX = 150
EVOLUTION = 5  # pictures of a trial, the final one among them
_BACK, _INK, _FAINT = (18, 20, 24), (232, 232, 232), (128, 134, 142)

Row = Mapping[str, str]


def write_contact_sheet(folder: Path, stimuli: Mapping[str, Path]) -> Path | None:
    """Draw `contact_sheet.png` from a session's recorded frames; None where it has none.

    Parameters
    ----------
    folder : Path
        The session's.
    stimuli : mapping
        Pictures by the names that markers give them.
    """
    frames = _read(folder / "frames.tsv")
    trials: dict[str, Row] = {
        row["trial"]: row for row in _read(folder / "trials.tsv")
    }  # each one's last row
    finals: dict[str, dict[str, Row]] = {}  # by trial, the last of each volume
    for row in frames:
        if row["step"] == row["steps"]:
            finals.setdefault(row["trial"], {})[row["volume"]] = row
    if not finals:
        return None
    sheet = _Sheet(len(finals))
    for number, (trial, rows) in enumerate(finals.items()):
        about = trials.get(trial, {})
        sheet.label(number, trial, about)
        sheet.stimulus(number, stimuli.get(about.get("stim_file", "")))
        for column, shown in _spread(list(rows.values())):
            picture = folder / "frames" / f"{int(shown['frame']):06d}.png"
            sheet.picture(number, column, picture, f"{float(shown['age_s']):.0f} s")
    file = folder / "contact_sheet.png"
    sheet.image.save(file)
    return file


class _Sheet:
    """The canvas and where things go on it; two trials side by side."""

    def __init__(self, trials: int) -> None:
        self._tile = TILE_PX + GAP_PX
        self._half = LABEL_PX + (EVOLUTION + 1) * self._tile + 3 * GAP_PX + TILE_PX // 2
        self._rows = -(-trials // 2)
        size = (2 * self._half + GAP_PX, self._rows * (self._tile + TEXT_PX) + 2 * GAP_PX + TEXT_PX)
        self.image = Image.new("RGB", size, _BACK)
        self._draw = ImageDraw.Draw(self.image)
        self._font = ImageFont.load_default(13)
        for half in range(2 if trials > 1 else 1):
            left = half * self._half + LABEL_PX
            self._draw.text((left, GAP_PX), "stimulus", _FAINT, self._font)
            text = "reconstruction, by the age of the evidence"
            self._draw.text((left + self._tile + 3 * GAP_PX, GAP_PX), text, _FAINT, self._font)

    def label(self, number: int, trial: str, about: Row) -> None:
        x, y = self._corner(number)
        right = about.get("trial_type") == about.get("predicted")
        self._draw.text(
            (x, y + 30), f"{trial}  {about.get('trial_type', '')}"[:20], _INK, self._font
        )
        if about:
            said = f"decoded: {about['predicted']}"[:22]
            self._draw.text((x, y + 50), said, _INK if right else _FAINT, self._font)
            self._draw.text((x, y + 68), f"{float(about['confidence']):.0%}", _FAINT, self._font)

    def stimulus(self, number: int, file: Path | None) -> None:
        x, y = self._corner(number)
        if file is None:
            self._draw.text((x + LABEL_PX + 12, y + 45), "not known", _FAINT, self._font)
        else:
            self._paste(file, x + LABEL_PX, y, TILE_PX)

    def picture(self, number: int, column: int, file: Path, age: str) -> None:
        x, y = self._corner(number)
        left = x + LABEL_PX + (column + 1) * self._tile + 3 * GAP_PX
        last = column == EVOLUTION - 1
        self._paste(file, left, y, TILE_PX)
        if last:
            self._draw.rectangle(
                (left - 2, y - 2, left + TILE_PX + 1, y + TILE_PX + 1), outline=_INK, width=2
            )
        self._draw.text((left, y + TILE_PX + 2), age, _FAINT, self._font)

    def _corner(self, number: int) -> tuple[int, int]:
        half, row = divmod(number, self._rows)
        return half * self._half + GAP_PX, row * (self._tile + TEXT_PX) + TEXT_PX + 2 * GAP_PX

    def _paste(self, file: Path, x: int, y: int, size: int) -> None:
        picture = Image.fromarray(unpack_picture(file))
        tile = picture.resize((size, size), Image.Resampling.BICUBIC)
        self.image.paste(tile, (x, y))


def _spread(rows: Sequence[Row]) -> list[tuple[int, Row]]:
    """Columns and rows: the last picture in the last column, right before it the others, evenly."""
    columns = min(len(rows), EVOLUTION)
    way = max(columns - 1, 1)
    chosen = [rows[round(n * (len(rows) - 1) / way)] for n in range(columns - 1)]
    return list(enumerate([*chosen, rows[-1]], EVOLUTION - columns))


def _read(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))
