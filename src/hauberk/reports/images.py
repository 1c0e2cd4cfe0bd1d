"""Images out of evidence, and back into PNG: decoding, the amplified perturbation, crisp enlargement."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hauberk.reports.fields import Fields
from hauberk.reports.views import Pixels, Sample

LARGEST_SIDE = 4096  # pixels; evidence holds pictures to look at, not data sets
_CELL = 96  # pixels a small image is enlarged to, about
_LARGEST_CELL = 224  # larger images are reduced to this
_SAME = np.array([246, 245, 242], dtype=np.float64)  # no change: paper
_LESS = np.array([0, 114, 178], dtype=np.float64)  # value went down: blue
_MORE = np.array([213, 94, 0], dtype=np.float64)  # value went up: vermillion


def decode(fields: Fields) -> Pixels:
    """The ``(channel, height, width)`` bytes of an image object.

    Raises:
        DataError: not base64, a shape that is not ``[c, h, w]`` of sane size, or data of another length.
    """
    shape = fields.listed("shape")
    sane = len(shape) == 3 and all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in shape)
    if not sane or shape[0] > 16:
        fields.fail("shape", f"[channels, height, width], sides up to {LARGEST_SIDE}", shape)
    text = fields.raw("data")
    if not isinstance(text, str):
        fields.fail("data", "base64 text", text)
    size = int(np.prod(shape, dtype=np.int64))
    if len(text) > 4 * (size // 3 + 1) + 4:
        fields.fail("data", f"{size} bytes in base64", f"{len(text)} letters")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        fields.fail("data", "base64 text", text)
    if len(data) != size:
        fields.fail("data", f"{size} bytes for shape {shape}", f"{len(data)} bytes")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def picture(pixels: Pixels) -> Image.Image:
    """Grey for one channel, colour for three or more; other numbers are shown as their mean."""
    if len(pixels) >= 3:
        return Image.fromarray(np.ascontiguousarray(pixels[:3].transpose(1, 2, 0)), "RGB")
    return Image.fromarray(pixels.mean(axis=0).round().astype(np.uint8), "L").convert("RGB")


def _change(sample: Sample) -> NDArray[np.float64]:
    """Adversarial minus original as a fraction of the valid range: -1 to 1."""
    return (sample.adversarial.astype(np.float64) - sample.original) / 255


def amplification(gallery: tuple[Sample, ...]) -> float:
    """By how much a gallery's perturbations are enlarged so that the largest one just fills the scale."""
    largest = max((float(np.abs(_change(sample)).max()) for sample in gallery), default=0.0)
    if largest == 0:
        return 1.0
    factor = 1 / largest
    return float(np.floor(factor) if factor >= 10 else np.floor(factor * 10) / 10)


def perturbation(sample: Sample, factor: float) -> Image.Image:
    """What was added, times ``factor``: blue where a value fell and red where it rose, or grey-based colour."""
    change = np.clip(_change(sample) * factor, -1, 1)
    if len(change) >= 3:
        shown = (127.5 + 127.5 * change[:3]).transpose(1, 2, 0)
    else:
        amount = change.mean(axis=0)[..., None]
        shown = _SAME + np.abs(amount) * (np.where(amount < 0, _LESS, _MORE) - _SAME)
    return Image.fromarray(shown.round().astype(np.uint8), "RGB")


def scale(width: int, height: int) -> float:
    """Whole steps up for small images, so that every pixel stays a square; down for large ones."""
    side = max(width, height)
    return _LARGEST_CELL / side if side > _LARGEST_CELL else float(max(1, round(_CELL / side)))


def enlarge(image: Image.Image) -> Image.Image:
    """The image at a size to look at."""
    factor = scale(*image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    how = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS
    return image.resize(size, how)


def png(image: Image.Image) -> bytes:
    """PNG bytes; the same for the same image."""
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def data_uri(image: Image.Image) -> str:
    """The image inside a page. Small ones stay small: the browser enlarges them without blur."""
    fitting = enlarge(image) if max(image.size) > _LARGEST_CELL else image
    return f"data:image/png;base64,{base64.b64encode(png(fitting)).decode()}"
