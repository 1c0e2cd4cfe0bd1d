"""Where a value stands on an axis, and at which values the axis is labelled: even steps, or even ratios."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ENOUGH = 3  # labels; an axis of few decades gets some between the powers of ten
_BETWEEN = ((1,), (1, 3), (1, 2, 5))  # digits that are labelled in each decade, from sparse to dense


@dataclass(frozen=True)
class Linear:
    """Equal steps are equally long."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """How far along the axis: 0 at ``low``, 1 at ``high``."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Logarithmic:
    """Equal ratios are equally long; ``low`` is above 0, and what lies below it is drawn at ``low``."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """How far along the axis: 0 at ``low``, 1 at ``high``."""
        return math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)

    def ticks(self, most: int) -> list[float]:
        """Powers of ten, with others between them where there are few, fewer where there are many."""
        found = [self._digits(digits) for digits in _BETWEEN]
        fitting = [one for one in found if len(one) <= most]
        if not fitting:
            every = math.ceil(len(found[0]) / most)
            return found[0][::-every][::-1]
        return next((one for one in fitting if len(one) >= _ENOUGH), fitting[-1])

    def _digits(self, digits: tuple[int, ...]) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        values = [float(f"{digit}e{power}") for power in range(first, last + 1) for digit in digits]
        slack = 1 + 1e-9
        return [one for one in values if self.low / slack <= one <= self.high * slack]


def linear(low: float, high: float) -> Linear:
    """From ``low`` to ``high``; one value alone gets room above it."""
    return Linear(low, low + max(1.0, abs(low)) if flat(low, high) else high)


def logarithmic(low: float, high: float) -> Logarithmic:
    """From ``low`` to ``high``; one value alone gets a decade with it in the middle."""
    if high / low < 1.01:
        low, high = low / math.sqrt(10), high * math.sqrt(10)
    return Logarithmic(low, high)


def ticks(low: float, high: float, most: int = 6, *, whole: bool = False) -> list[float]:
    """Round numbers that span ``low`` to ``high``: steps of 1, 2 or 5 times a power of ten."""
    if flat(low, high):
        high = low + max(1.0, abs(low))
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    while (high - low) / step > most:
        step *= 2.5 if f"{step:e}".startswith("2") else 2
    if whole:
        step = max(1.0, round(step))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def flat(low: float, high: float) -> bool:
    """Too little between them to put ticks at."""
    return high - low <= 1e-9 * max(1e-3, abs(low), abs(high))
