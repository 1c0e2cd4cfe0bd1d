"""An input as a rectangle of pixels, for attacks that move windows or waves over it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from hauberk.threats import Streams


@dataclass(frozen=True)
class Canvas:
    """An input as channels and a rectangle of pixels."""

    channels: int
    height: int
    width: int

    @classmethod
    def of(cls, x: Tensor) -> Canvas:
        return cls(*x.shape[1:]) if x.ndim == 4 else cls(1, 1, x[0].numel())

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def flat(self, x: Tensor) -> Tensor:
        """(n, ...) -> (n, c, pixels)"""
        return x.reshape(len(x), self.channels, self.pixels)

    def size(self, area: float, *, least: int = 1, odd: bool = False) -> tuple[int, int]:
        """Height and width of a window: a square, or what fits of it."""
        side = max(least, round(area**0.5))
        side += odd and side % 2 == 0
        height = min(side, self.height)
        return height, min(self.width, side if height == side else max(1, round(area / height)))

    def windows(self, streams: Streams, height: int, width: int) -> Tensor:
        """Positions ``(n, 1, height * width)`` of one window a sample, anywhere in the rectangle."""
        top = streams.fork(0).integers(self.height - height + 1, (1,))
        left = streams.fork(1).integers(self.width - width + 1, (1,))
        down, across = (torch.arange(size, device=top.device) for size in (height, width))
        inside = (down[:, None] * self.width + across).flatten()
        return (top * self.width + left + inside)[:, None]


def cosines(size: int) -> Tensor:
    """The orthonormal cosine basis (DCT-II), one wave a row, slow ones first: ``(size, size)``."""
    place = (torch.arange(size).double() + 0.5) * math.pi / size
    waves = torch.cos(torch.arange(size).double()[:, None] * place) * math.sqrt(2 / size)
    waves[0] /= math.sqrt(2)
    return waves.float()
