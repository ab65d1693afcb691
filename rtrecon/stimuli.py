"""The pictures that were presented, where they are at hand."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

log = logging.getLogger(__name__)

SUFFIXES = {".png", ".jpg", ".jpeg"}
_FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    "TIFF",
)  # whatever a file calls itself: others run programs, or unpack anything
_MOST_PX = 64 << 20  # of one picture


def find_pictures(folder: Path | None) -> dict[str, Path]:
    """The pictures of a folder by their path in it: what a marker names is looked up here and
    never used as a path itself.
    """
    if folder is None or not folder.is_dir():
        return {}
    files = (file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES)
    return {file.relative_to(folder).as_posix(): file for file in files}


def read_picture(file: Path) -> NDArray[np.uint8] | None:
    """A picture (height, width, 3), sRGB; None where it cannot be read."""
    try:
        return unpack_picture(file)
    except OSError as error:
        log.warning("stimulus '%s' cannot be shown: %s", file.name, error)
        return None


def unpack_picture(file: Path) -> NDArray[np.uint8]:
    """A picture file (height, width, 3), sRGB; its size is known before it is unpacked.

    Raises
    ------
    OSError
        Missing, of another format, too large, or broken.
    """
    try:
        with Image.open(file, formats=_FORMATS) as picture:
            if picture.width * picture.height > _MOST_PX:
                raise OSError(f"{picture.width} x {picture.height} pixels are too many")
            return np.asarray(picture.convert("RGB"))
    except (
        Image.DecompressionBombError, Image.DecompressionBombWarning, SyntaxError, ValueError,
    ) as error:  # fmt: skip
        raise OSError(str(error)) from error
