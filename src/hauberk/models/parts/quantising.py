"""Inputs with fewer values."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.models.parts.part import Gradient, Inner, Part


class BitDepth(Part):
    """Rounds the input to ``2 ** bits`` even levels over [``low``, ``high``].

    Limits: hides gradients and no more; with slopes passed straight through, attacks are as strong as before.
    Source: Xu, Evans, Qi: Feature squeezing, NDSS 2018.
    """

    name: ClassVar[str] = "bit-depth"
    gradient: ClassVar[Gradient] = "blocked"

    def __init__(self, bits: int = 3, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
            raise ConfigError(f"bit-depth: bits must lie in [1, 8], got {bits!r}")
        self.bits, self.low, self.high = bits, low, high

    def args(self) -> dict[str, Any]:
        return {"bits": self.bits, "low": self.low, "high": self.high}

    def forward(self, x: Tensor, inner: Inner) -> Tensor:
        steps = (2**self.bits - 1) / (self.high - self.low)
        return inner(((x - self.low) * steps).round() / steps + self.low)
