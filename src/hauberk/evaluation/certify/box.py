"""An axis-aligned box in float64: all points between two corners."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Box(NamedTuple):
    """All points between ``lower`` and ``upper``, elementwise, both float64 ``(n, ...)``."""

    lower: Tensor
    upper: Tensor

    @classmethod
    def at(cls, point: Tensor) -> Box:
        """The point alone."""
        return cls(point, point)

    @property
    def middle(self) -> Tensor:
        return (self.lower + self.upper) / 2

    @property
    def radius(self) -> Tensor:
        return (self.upper - self.lower) / 2

    @property
    def largest(self) -> Tensor:
        """The largest absolute value of each coordinate."""
        return torch.maximum(self.lower.abs(), self.upper.abs())

    def met(self, other: Box) -> Box:
        """What both hold."""
        return Box(torch.maximum(self.lower, other.lower), torch.minimum(self.upper, other.upper))
