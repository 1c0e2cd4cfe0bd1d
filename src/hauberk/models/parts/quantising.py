"""Inputs with fewer values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_range
from hauberk.models.parts.part import Gradient, Part
from hauberk.models.parts.transformation import Bridged, Transformation

_ROUNDS = 100  # of Lloyd's algorithm at most; on pictures it settles within some dozens


class BitDepth(Transformation):
    """Rounds the input to ``2 ** bits`` even levels over [``low``, ``high``].

    Limits: hides gradients and no more; with slopes passed straight through, attacks are as strong as before.
    Source: Xu, Evans, Qi: Feature squeezing, NDSS 2018.
    """

    name: ClassVar[str] = "bit-depth"
    gradient: ClassVar[Gradient] = "blocked"

    def __init__(self, bits: int = 3, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        require_count("bits", bits, self.name, most=8)
        require_range(low, high, self.name)
        self.bits, self.low, self.high = bits, low, high

    def args(self) -> dict[str, Any]:
        return {"bits": self.bits, "low": self.low, "high": self.high}

    def changed(self, x: Tensor) -> Tensor:
        steps = (2**self.bits - 1) / (self.high - self.low)
        changed: Tensor = ((x - self.low) * steps).round() / steps + self.low
        return changed


class Quantise(Transformation):
    """Replaces each value by the nearest of ``levels``, which need not be even.

    Args:
        levels: at least two, rising.

    Limits: as ``BitDepth``: what it hides, a bridge brings back. On nearly black and white pictures two levels
        do swallow small changes whole, until the radius reaches from a level to the middle between two.
    Source: the codebooks of Chen, Wu, Rastogi, Liang, Jha: Towards understanding limitations of pixel
        discretization against adversarial attacks, EuroS&P 2019.
    """

    name: ClassVar[str] = "quantise"
    gradient: ClassVar[Gradient] = "blocked"

    levels: Tensor
    middles: Tensor

    def __init__(self, levels: Sequence[float]) -> None:
        super().__init__()
        given = [float(one) for one in levels]
        if len(given) < 2 or any(one >= after for one, after in itertools.pairwise(given)):
            raise ConfigError(f"quantise: levels must be at least two rising numbers, got {levels!r}")
        self._given = given
        fixed = torch.tensor(given)
        self.register_buffer("levels", fixed, persistent=False)
        self.register_buffer("middles", (fixed[1:] + fixed[:-1]) / 2, persistent=False)

    def args(self) -> dict[str, Any]:
        return {"levels": self._given}

    def changed(self, x: Tensor) -> Tensor:
        return self.levels.to(x)[torch.bucketize(x.contiguous(), self.middles.to(x))]

    def relaxed(self) -> Part:
        return Bridged(self)


def best_levels(values: Tensor, count: int) -> list[float]:
    """The ``count`` levels that lie closest to ``values`` in the mean square (Lloyd's algorithm).

    Begins with the values' own quantiles, even levels where these coincide; no randomness.

    Raises:
        ConfigError: the values are all the same.
    """
    flat = values.double().flatten()
    kinds, counts = torch.unique(flat, return_counts=True)
    if len(kinds) < 2:
        raise ConfigError("quantise: the data hold one value only, there are no levels to learn")
    count = min(count, len(kinds))
    share = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    summed = counts.double().cumsum(0) / counts.sum()
    levels = kinds[torch.searchsorted(summed, share).clamp(max=len(kinds) - 1)]
    if len(set(levels.tolist())) < count:
        levels = kinds[0] + share * (kinds[-1] - kinds[0])
    weights = counts.double()
    for _ in range(_ROUNDS):
        nearest = torch.bucketize(kinds, (levels[1:] + levels[:-1]) / 2)
        mass = torch.zeros(count, dtype=torch.float64).index_add_(0, nearest, weights)
        total = torch.zeros(count, dtype=torch.float64).index_add_(0, nearest, weights * kinds)
        moved = torch.where(mass > 0, total / mass.clamp_min(1), levels)
        if torch.equal(moved, levels):
            break
        levels = moved
    return [round(float(one), 6) for one in levels]
