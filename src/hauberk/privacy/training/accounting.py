"""What a run costs: privacy-loss distributions, composed numerically, by Google's ``dp-accounting``.

The unit is one example, added or removed. Every step sees each example with chance ``rate``, independently of
all others (Poisson sampling), and adds Gaussian noise to a sum that one example moves by at most the clip. For
shuffled batches these figures do not hold.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from hauberk.core.errors import ConfigError, DependencyMissing
from hauberk.core.settings import require_count, require_positive, require_within

_FINE, _COARSE = 1e-4, 1e-3  # widths of a step of privacy loss; both round up, so that no figure is too low
_LEAST_NOISE, _MOST_NOISE = 0.2, 1e4
_CLOSE = 1e-3  # share by which the noise found may lie above the least that would do
MOST_EPSILON = 50.0  # e^50: nobody is protected any more, and a slip of the keyboard is likelier


@dataclass(frozen=True)
class Cost:
    """A budget that is spent.

    Args:
        rate: chance with which each example is in a step.
        noise_multiplier: the noise's standard deviation as a multiple of the clip.
        steps: so many.
    """

    rate: float
    noise_multiplier: float
    steps: int

    def __post_init__(self) -> None:
        require_within("rate", self.rate, "Cost", "(0, 1]")
        require_positive("noise_multiplier", self.noise_multiplier, "Cost")
        require_count("steps", self.steps, "Cost", least=0)

    def epsilon(self, delta: float) -> float:
        """The smallest epsilon that is known to hold at ``delta``; never too low by more than float rounding.

        Cost: under a second for thousands of steps.
        Source: Koskela et al., AISTATS 2020; Doroshenko et al., Connect the dots, PETS 2022.
        """
        check_delta(delta)
        return _epsilon(self, delta, _FINE)


def calibrate(epsilon: float, delta: float, *, rate: float, steps: int) -> float:
    """The least noise multiplier, up to some thousandths, that keeps within a budget.

    Raises:
        ConfigError: a budget that cannot be, or that no noise keeps to.

    Cost: about a second.
    """
    check_epsilon(epsilon)
    check_delta(delta)

    def holds(noise: float) -> bool:
        # what coarse steps round up is a third of a percent of epsilon, on the safe side
        return _epsilon(Cost(rate, noise, steps), delta, _COARSE) <= epsilon

    low = high = 1.0
    while not holds(high):
        low, high = high, high * 2
        if high > _MOST_NOISE:
            raise ConfigError(
                f"epsilon {epsilon:g} at delta {delta:g} needs noise above {_MOST_NOISE:g} times the clip",
                hint="raise epsilon, or lower epochs",
            )
    while low > _LEAST_NOISE and holds(low):
        low, high = low / 2, low
    while high > low * (1 + _CLOSE):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def check_epsilon(epsilon: object) -> None:
    """Raises:
    ConfigError: not a number in (0, 50].
    """
    require_within(
        "epsilon", epsilon, "private training", f"(0, {MOST_EPSILON:g}]",
        hint="1 is strong, 3 to 8 is what images are commonly trained at; above 10 little is promised",
    )  # fmt: skip


def check_delta(delta: object) -> None:
    """Raises:
    ConfigError: not a number in (0, 1).
    """
    require_within(
        "delta", delta, "private training", "(0, 1)", hint="below one over the number of people; 1e-5 is common"
    )  # fmt: skip


def accountant() -> str:
    """Name and version, for evidence."""
    _library()
    return f"dp-accounting {metadata.version('dp-accounting')}, privacy-loss distribution"


@functools.lru_cache(maxsize=256)
def _epsilon(cost: Cost, delta: float, width: float) -> float:
    if not cost.steps:
        return 0.0
    one = _library().from_gaussian_mechanism(
        standard_deviation=cost.noise_multiplier,
        sampling_prob=cost.rate,
        value_discretization_interval=width,
    )
    return float(one.self_compose(cost.steps).get_epsilon_for_delta(delta))


def _library() -> Any:
    try:
        from dp_accounting.pld import privacy_loss_distribution
    except ImportError as error:
        raise DependencyMissing.extra("accounting for private training", "private") from error
    return privacy_loss_distribution
