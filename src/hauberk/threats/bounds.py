"""The valid range of an input: what a camera can deliver, per channel or for all values alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError

Limit = float | tuple[float, ...]


class Bounds(NamedTuple):
    """``lower, upper = bounds``; each a float, or a tuple with one float per channel."""

    lower: Limit
    upper: Limit

    @classmethod
    def of(cls, value: Bounds | Sequence[Limit]) -> Bounds:
        """From ``(0, 1)`` or ``([0, 0, 0], [1, 1, 1])``.

        Raises:
            ConfigError: not a pair, not finite, or a lower limit that is not below its upper one.
        """

        def limit(one: object) -> Limit:
            if isinstance(one, list | tuple):
                return tuple(float(number) for number in one)
            return float(one)  # type: ignore[arg-type]

        try:
            lower, upper = value
            pair = cls(limit(lower), limit(upper))
        except (TypeError, ValueError):
            raise ConfigError(f"bounds are a pair (lower, upper), got {value!r}") from None
        lows, highs = pair._lists()
        if not lows or not highs:
            raise ConfigError(f"bounds without any channel: {value!r}")
        if len(lows) != len(highs) and 1 not in (len(lows), len(highs)):
            raise ConfigError(f"bounds differ in their number of channels: {value!r}")
        if not all(math.isfinite(number) for number in lows + highs):
            raise ConfigError(f"bounds must be finite, got {value!r}")
        if any(low >= high for low, high in pair._pairs()):
            raise ConfigError(f"the lower bound must be below the upper one, got {value!r}")
        return pair

    def _lists(self) -> tuple[list[float], list[float]]:
        def listed(limit: Limit) -> list[float]:
            return list(limit) if isinstance(limit, tuple) else [limit]

        return listed(self.lower), listed(self.upper)

    def _pairs(self) -> list[tuple[float, float]]:
        lows, highs = self._lists()
        count = max(len(lows), len(highs))
        return list(
            zip(lows * (count if len(lows) == 1 else 1), highs * (count if len(highs) == 1 else 1), strict=True)
        )

    def widths(self, shape: tuple[int, ...]) -> list[float]:
        """upper - lower, one number for all values or one per channel of ``shape``."""
        widths = [high - low for low, high in self._pairs()]
        if len(widths) > 1 and (not shape or shape[0] != len(widths)):
            raise ConfigError(f"bounds for {len(widths)} channels do not fit inputs of shape {shape}")
        return widths

    def tensors(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Lower and upper as tensors that broadcast against a batch ``like``."""

        def tensor(numbers: list[float]) -> Tensor:
            made = torch.tensor(numbers, dtype=like.dtype, device=like.device)
            return made.view(-1, *([1] * (like.ndim - 2))) if like.ndim > 2 else made

        lows, highs = self._lists()
        return tensor(lows), tensor(highs)

    def describe(self) -> list[object]:
        """JSON: ``[lower, upper]``."""
        lower, upper = (list(one) if isinstance(one, tuple) else one for one in self)
        return [lower, upper]
