"""How loss of privacy is counted: in whole billionths, so that sums are exact and none is ever rounded down.

    pure    epsilon; losses add up (basic composition, also when each question depends on earlier answers). With
            a delta, for groups that nobody declared, epsilons and deltas add up.
    zcdp    rho of zero-concentrated differential privacy; rhos add up, and the whole is said as epsilon at the
            data set's delta (Bun and Steinke 2016).

That sums bound the loss although amounts are chosen as one goes is a theorem for both (Rogers et al. 2016,
Whitehouse et al. 2023). Within a question OpenDP composes; across questions and restarts the store adds up what
OpenDP said of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from hauberk.core.errors import ConfigError, DependencyMissing
from hauberk.core.settings import is_number

UNITS = 10**9
"""Billionths: of epsilon or rho."""

DELTA_UNITS = 10**18
LEAST, MOST = 1e-6, 20.0  # a question below tells nothing; a data set above protects nobody
MOST_DELTA = 1e-3

Method = Literal["pure", "zcdp"]


@dataclass(frozen=True)
class Accounting:
    """How a data set's losses are counted.

    Args:
        method: ``pure`` or ``zcdp``.
        budget: epsilon, at most 20.
        delta: of ``zcdp``, at which epsilon is meant; of ``pure``, what groups that were not declared may use.

    Raises:
        ConfigError: a budget or delta out of range.
    """

    method: Method
    budget: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        if self.method not in ("pure", "zcdp"):
            raise ConfigError(f"accounting is pure or zcdp, got '{self.method}'")
        if not is_number(self.budget) or not LEAST <= self.budget <= MOST:
            raise ConfigError(
                f"a budget is an epsilon in [{LEAST:g}, {MOST:g}], got {self.budget!r}",
                hint="1 is a strong promise, 10 a weak one, more is hardly one",
            )
        if not is_number(self.delta) or not 0 <= self.delta <= MOST_DELTA:
            raise ConfigError(f"delta is in [0, {MOST_DELTA:g}], got {self.delta!r}")
        if self.method == "zcdp" and self.delta < 1e-15:
            raise ConfigError("zcdp needs a delta, well below one in the number of people", hint="--delta 1e-6")

    @property
    def symbol(self) -> str:
        """What a question's price is called: ``epsilon`` or ``rho``."""
        return "epsilon" if self.method == "pure" else "rho"

    def budget_units(self) -> int:
        """The budget in units of ``symbol``, rounded down."""
        return units_down(self.budget if self.method == "pure" else rho_for(self.budget, self.delta))

    def price(self, epsilon: float | None, rho: float | None) -> tuple[float, int]:
        """The loss that a question may cause, and its cost in units; the loss is never more than the cost.

        Raises:
            ConfigError: none, both, the wrong one, or one that is zero, negative or absurd.
        """
        given = {"epsilon": epsilon, "rho": rho}
        other = "rho" if self.symbol == "epsilon" else "epsilon"
        if given[other] is not None:
            raise ConfigError(
                f"this data set counts {self.symbol}, not {other}", hint=f"--{self.symbol} instead of --{other}"
            )
        value = given[self.symbol]
        if value is None:
            raise ConfigError(f"a question needs its {self.symbol}", hint=f"--{self.symbol} 0.1")
        if not is_number(value) or not LEAST <= value <= MOST:
            raise ConfigError(f"{self.symbol} is a number in [{LEAST:g}, {MOST:g}], got {value!r}")
        return _snapped(value, UNITS)

    def delta_price(self, delta: float | None) -> tuple[float, int]:
        """The same for delta; None is none."""
        if delta is None:
            return 0.0, 0
        if self.method != "pure":
            raise ConfigError("groups that were not declared need pure accounting with a delta")
        if not is_number(delta) or not 1e-15 <= delta <= MOST_DELTA:
            raise ConfigError(f"delta is a number in [1e-15, {MOST_DELTA:g}], got {delta!r}")
        return _snapped(delta, DELTA_UNITS)

    def said(self, units: int) -> dict[str, float]:
        """An amount in words that can be compared: epsilon, and rho where that is counted."""
        value = units / UNITS
        if self.method == "pure":
            return {"epsilon": value}
        return {"rho": value, "epsilon": epsilon_of(value, self.delta) if units else 0.0, "delta": self.delta}


def _snapped(value: float, units: int) -> tuple[float, int]:
    """The nearest whole number of units, and the largest float that is not above it: 0.1 is none of them."""
    cost = round(Fraction(value) * units)
    limit = cost / units
    if Fraction(limit) > Fraction(cost, units):
        limit = math.nextafter(limit, 0.0)
    return limit, cost


def units_down(value: float) -> int:
    """A budget is rounded down, but for what binary fractions lack to the decimal that was meant."""
    return math.floor(Fraction(value) * UNITS + Fraction(1, 1000))


def epsilon_of(rho: float, delta: float) -> float:
    """The epsilon at ``delta`` that ``rho`` gives, by OpenDP's conversion."""
    dp = opendp()
    space = dp.atom_domain(T="i64"), dp.absolute_distance(T="i64")
    whole = dp.m.make_user_measurement(
        *space, dp.zero_concentrated_divergence(), lambda _value: 0, lambda _distance: rho
    )
    return float(dp.c.make_zCDP_to_approxDP(whole).map(1).epsilon(delta))


def rho_for(epsilon: float, delta: float) -> float:
    """The largest rho that keeps ``epsilon`` at ``delta``, by bisection."""
    low, high = 0.0, epsilon
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if epsilon_of(middle, delta) <= epsilon else (low, middle)
    return low


def opendp() -> Any:
    """OpenDP, allowed to compose what is written here."""
    try:
        import opendp.prelude as dp
    except ImportError as error:
        raise DependencyMissing.extra("private queries", "queries") from error
    dp.enable_features("contrib", "honest-but-curious")
    return dp
