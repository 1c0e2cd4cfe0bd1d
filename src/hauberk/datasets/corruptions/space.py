"""Space: a camera held askew, or aimed beside. What comes into view from outside is at the lower bound."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.datasets.corruptions.corruption import Corruption, Ladder, within
from hauberk.datasets.corruptions.draws import Draws
from hauberk.datasets.corruptions.resampling import pixel_grid, warp

Amount = float | Tensor


def _columnar(amount: Amount) -> Tensor:
    """``(n or 1, 1, 1)``, to broadcast against rows and columns."""
    return torch.as_tensor(amount, dtype=torch.float32).reshape(-1, 1, 1)


def rotate_and_shift(
    images: Tensor, degrees: Amount, down: Amount = 0.0, right: Amount = 0.0, *, fill: float = 0.0
) -> Tensor:
    """Images turned about their middle, then moved; linear between pixels.

    Args:
        images: floating ``(n, c, h, w)``.
        degrees: counterclockwise; one number, or ``(n,)``.
        down, right: pixels; the same.
        fill: the value of what comes in from outside.

    Source: the transformations of Engstrom et al., ICML 2019 (in the order rotation, translation).
    """
    height, width = images.shape[2:]
    rows, columns = pixel_grid(height, width)
    y = rows - (height - 1) / 2 - _columnar(down)
    x = columns - (width - 1) / 2 - _columnar(right)
    turn = torch.deg2rad(_columnar(degrees))
    source_rows = y * turn.cos() + x * turn.sin() + (height - 1) / 2
    source_columns = x * turn.cos() - y * turn.sin() + (width - 1) / 2
    return warp(images - fill, source_rows, source_columns, outside="zeros") + fill


@dataclass(frozen=True, kw_only=True, repr=False)
class Rotation(Corruption):
    """Turned about the middle, to the left or to the right at random.

    Args:
        degrees: by how much.

    Source: not among the fifteen; up to the 30 degrees of Engstrom et al., ICML 2019.
    """

    name: ClassVar[str] = "rotation"
    family: ClassVar[str] = "space"
    small: ClassVar[Ladder] = ((6,), (12,), (18,), (24,), (30,))
    large: ClassVar[Ladder] = small

    degrees: float = field(metadata=within(0, 180))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        left = draws.uniform() < 0.5
        return rotate_and_shift(images, torch.where(left, self.degrees, -self.degrees))


@dataclass(frozen=True, kw_only=True, repr=False)
class Shift(Corruption):
    """Moved in a random direction.

    Args:
        pixels: how far; fractions are interpolated.

    Source: not among the fifteen; up to a tenth of the side, as Engstrom et al., ICML 2019.
    """

    name: ClassVar[str] = "shift"
    family: ClassVar[str] = "space"
    small: ClassVar[Ladder] = ((0.64,), (1.28,), (1.92,), (2.56,), (3.2,))
    large: ClassVar[Ladder] = ((4.48,), (8.96,), (13.44,), (17.92,), (22.4,))
    lengths: ClassVar[frozenset[str]] = frozenset({"pixels"})

    pixels: float = field(metadata=within(0, 10_000))

    def apply(self, images: Tensor, draws: Draws) -> Tensor:
        direction = draws.uniform(high=2 * math.pi)
        return rotate_and_shift(images, 0.0, self.pixels * direction.sin(), self.pixels * direction.cos())
