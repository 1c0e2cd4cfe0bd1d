"""JPEG compression, as arithmetic on tensors: colours apart, 8x8 cosine transforms, coarse coefficients."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.settings import require_count, require_range
from hauberk.models.parts.part import Gradient
from hauberk.models.parts.transformation import Transformation

_SIDE = 8

# ITU-T T.81, annex K: tables K.1 and K.2
_LUMINANCE = """
16 11 10 16  24  40  51  61
12 12 14 19  26  58  60  55
14 13 16 24  40  57  69  56
14 17 22 29  51  87  80  62
18 22 37 56  68 109 103  77
24 35 55 64  81 104 113  92
49 64 78 87 103 121 120 101
72 92 95 98 112 100 103  99
"""
_CHROMINANCE = """
17 18 24 47 99 99 99 99
18 21 26 66 99 99 99 99
24 26 56 99 99 99 99 99
47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99
99 99 99 99 99 99 99 99
99 99 99 99 99 99 99 99
99 99 99 99 99 99 99 99
"""

_TO_YCBCR = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
_TO_RGB = [[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]]


class JPEG(Transformation):
    """Compresses the input as JPEG does, and reads it again.

    Three channels are taken as red, green and blue; any other number as so many grey pictures. Colours keep
    their full resolution (4:4:4). Entropy coding, which loses nothing, is left out.

    Args:
        quality: 1 to 100, as libjpeg scales the standard tables.
        low, high: of the input, 0 and 255 to JPEG.

    Limits: removes the noise of attacks that do not know of it; cosine transforms cancel in the slope, so
        bridging the rounding gives an attacker all he needs.
    Source: Dziugaite et al. 2016 and Guo et al., ICLR 2018 for its use; ITU-T T.81 and T.871 for its steps.
    """

    name: ClassVar[str] = "jpeg"
    gradient: ClassVar[Gradient] = "blocked"

    cosines: Tensor
    tables: Tensor
    to_ycbcr: Tensor
    to_rgb: Tensor

    def __init__(self, quality: int = 75, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        require_count("quality", quality, self.name, most=100)
        require_range(low, high, self.name)
        self.quality, self.low, self.high = quality, low, high
        self.register_buffer("cosines", _cosines(), persistent=False)
        self.register_buffer("tables", torch.stack(_tables(quality)), persistent=False)
        self.register_buffer("to_ycbcr", torch.tensor(_TO_YCBCR), persistent=False)
        self.register_buffer("to_rgb", torch.tensor(_TO_RGB), persistent=False)

    def args(self) -> dict[str, Any]:
        return {"quality": self.quality, "low": self.low, "high": self.high}

    def changed(self, x: Tensor) -> Tensor:
        scale = 255 / (self.high - self.low)
        levels = ((x - self.low) * scale).round().clamp(0, 255)
        return self._coded(levels) / scale + self.low

    def _coded(self, levels: Tensor) -> Tensor:
        """Whole numbers 0 to 255, ``(n, channels, height, width)``, through the codec."""
        if levels.shape[1] != 3:
            return self._plane(levels, self.tables[:1])
        middle = levels.new_tensor([0.0, 128.0, 128.0])[:, None, None]
        apart = torch.einsum("dc,nchw->ndhw", self.to_ycbcr.to(levels), levels) + middle
        read = self._plane(apart.round(), self.tables[[0, 1, 1]])
        return torch.einsum("dc,nchw->ndhw", self.to_rgb.to(levels), read - middle).round().clamp(0, 255)

    def _plane(self, levels: Tensor, tables: Tensor) -> Tensor:
        """Each channel in blocks of 8x8: cosine transform, division by its table, rounding, and back."""
        count, channels, height, width = levels.shape
        padded = F.pad(levels, (0, -width % _SIDE, 0, -height % _SIDE), mode="replicate")
        rows, columns = padded.shape[2] // _SIDE, padded.shape[3] // _SIDE
        blocks = padded.view(count, channels, rows, _SIDE, columns, _SIDE).transpose(3, 4) - 128
        step, cosines = tables[:, None, None].to(levels), self.cosines.to(levels)
        coarse = (cosines @ blocks @ cosines.T / step).round() * step
        read = cosines.T @ coarse @ cosines + 128
        whole = read.transpose(3, 4).reshape(padded.shape)[:, :, :height, :width]
        return whole.round().clamp(0, 255)


def _cosines() -> Tensor:
    """The orthonormal cosine transform of length 8; row k is the k-th frequency."""
    place = torch.arange(_SIDE, dtype=torch.float64)
    waves = torch.cos(math.pi / _SIDE * (place[None, :] + 0.5) * place[:, None]) * math.sqrt(2 / _SIDE)
    waves[0] /= math.sqrt(2)
    return waves.float()


def _tables(quality: int) -> tuple[Tensor, Tensor]:
    """The standard tables at a quality: 50 takes them as they are, 100 makes all of it 1."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return _scaled(_LUMINANCE, percent), _scaled(_CHROMINANCE, percent)


def _scaled(table: str, percent: int) -> Tensor:
    entries = [min(255, max(1, (int(one) * percent + 50) // 100)) for one in table.split()]
    return torch.tensor(entries, dtype=torch.float32).view(_SIDE, _SIDE)
