"""How likely chance alone is: the exact tail of a binomial, in whole numbers."""

from __future__ import annotations

from fractions import Fraction
from math import comb


def tail(units: int, matched: int, chance: Fraction) -> Fraction:
    """The probability that at least ``matched`` of ``units`` independent trials of ``chance`` succeed."""
    over, under = chance.numerator, chance.denominator
    ways = sum(
        comb(units, right) * over**right * (under - over) ** (units - right)
        for right in range(matched, units + 1)
    )
    return Fraction(ways, under**units)


def needed(units: int, chance: Fraction, most: float) -> int | None:
    """The fewest matches whose tail is at most ``most``; None where even all are too few."""
    limit = Fraction(most)
    over, under = chance.numerator, chance.denominator
    ways, found = 0, None
    for right in range(units, -1, -1):
        ways += comb(units, right) * over**right * (under - over) ** (units - right)
        if Fraction(ways, under**units) > limit:
            break
        found = right
    return found
