"""Pictures from a folder: of some formats alone, and none that unpacks to more than it should."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rtrecon.stimuli import read_picture, unpack_picture

POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(owned) print\n%%EOF\n"
)


def bomb(width: int, height: int) -> bytes:
    """A PNG that says that it is so large, of a few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b"")):
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    return content


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_picture_is_read(tmp_path: Path, name: str) -> None:
    Image.new("L", (4, 3), 77).save(tmp_path / name)
    picture = read_picture(tmp_path / name)
    assert picture is not None
    assert picture.shape == (3, 4, 3)
    assert (picture == 77).all()


@pytest.mark.parametrize(
    "content",
    [
        bomb(60_000, 60_000), bomb(12_000, 9_000), bomb(8_500, 8_500),  # error, warning, neither
        POSTSCRIPT,  # Pillow would have Ghostscript run it
        b"RIFF\x10\0\0\0WEBPVP8L", b"\x89PNG\r\n\x1a\n", b"",
    ],
)  # fmt: skip
def test_what_is_no_picture_of_a_sane_size_is_not_unpacked(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(content)
    assert read_picture(file) is None
    assert "stimulus 'a.png' cannot be shown" in caplog.text
    with pytest.raises(OSError, match=r".*"):
        unpack_picture(file)


def test_another_format_under_a_pictures_name_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.pcx")
    (tmp_path / "a.pcx").rename(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png") is None
