"""Pictures as text that fits into a JSON object: lossless WebP in base64, of a bounded size."""

import base64
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rtrecon.errors import BadStream
from rtrecon.types import read_only

LONGEST_PX = 512  # an edge
MOST_PX = 1 << 20  # of all samples together
_MOST_BYTES = 4 << 20  # noise of that size is smaller
_MOST_SAMPLES = 16
_BROKEN = (OSError, SyntaxError, ValueError, EOFError)


def written_picture(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Pictures (samples, height, width, 3), below each other, or one (height, width, 3).

    One that is too large is made smaller.
    """
    samples = images if images.ndim == 4 else images[None]
    small = np.stack([_small(one, len(samples)) for one in samples])  # (n, h, w, 3)
    content = io.BytesIO()
    # Without loss it is what was painted; method 0 is several times as fast as PNG (docs/remote.md).
    Image.fromarray(small.reshape(-1, *small.shape[2:])).save(
        content, "WEBP", lossless=True, method=0, quality=0
    )
    count = len(samples) if images.ndim == 4 else None
    return {"samples": count, "webp": base64.b64encode(content.getvalue()).decode("ascii")}


def picture_of(value: Any) -> NDArray[np.uint8]:
    """What `written_picture` made of a picture; its size is known before it is unpacked.

    Raises
    ------
    BadStream
        Not such a thing, too large, or broken.
    """
    text = value.get("webp") if isinstance(value, dict) else None
    if not isinstance(text, str) or len(text) > _MOST_BYTES * 4 // 3:
        raise BadStream(f"a view's picture must be base64 of at most {_MOST_BYTES:,} bytes")
    count = value.get("samples")
    if count is not None and (type(count) is not int or not 1 <= count <= _MOST_SAMPLES):
        raise BadStream(
            f"a view's picture has {repr(count)[:60]} samples, not 1 to {_MOST_SAMPLES}"
        )
    try:
        content = base64.b64decode(text, validate=True)
        width, height = _size_px(content)
        if width > LONGEST_PX or width * height > MOST_PX or height % (count or 1):
            raise BadStream(f"a view's picture is {width} x {height} pixels: too large")
        with Image.open(io.BytesIO(content), formats=["WEBP"]) as picture:
            rows = np.asarray(picture.convert("RGB"))
    except _BROKEN as error:
        raise BadStream(f"a view's picture cannot be read: {error}") from error
    if rows.shape != (height, width, 3):
        raise BadStream("a view's picture is of another size than it says")
    return read_only(rows if count is None else rows.reshape(count, -1, width, 3))


def _size_px(content: bytes) -> tuple[int, int]:
    """Width and height, read here: Pillow makes room for the pixels as soon as it opens a WebP.

    https://developers.google.com/speed/webp/docs/webp_lossless_bitstream_specification
    """
    if not (content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8L" and len(content) > 25):
        raise ValueError("no lossless WebP")
    bits = int.from_bytes(content[21:25], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _small(image: NDArray[np.uint8], samples: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = min(
        1.0, LONGEST_PX / max(height, width), math.sqrt(MOST_PX / (samples * height * width))
    )
    if scale == 1.0:
        return image
    size = max(1, int(width * scale)), max(1, int(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
