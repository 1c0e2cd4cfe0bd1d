"""The accountant against closed forms, a second accountant of ours, and Opacus's."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from hauberk.core.errors import ConfigError
from hauberk.evaluation.second_accountant import recomputed_epsilon
from hauberk.privacy.training import Cost, calibrate

TUTORIAL = Cost(256 / 60_000, 1.1, 3515)  # sixty thousand images, batches of 256, fifteen epochs
RUNS = [
    (TUTORIAL, 1e-5),
    (Cost(8192 / 60_000, 3.0, 280), 1e-5),
    (Cost(0.09, 0.8, 110), 1e-4),
    (Cost(0.5, 20.0, 1000), 1e-6),
    (Cost(0.01, 0.8, 1), 1e-5),
    (Cost(1.0, 9.0, 50), 1e-5),
]


def gaussian(noise: float, steps: int, delta: float) -> float:
    """Everybody in every step: one Gaussian of less noise (Balle and Wang, ICML 2018, theorem 8)."""
    total = noise / math.sqrt(steps)

    def over(epsilon: float) -> float:
        near, far = 1 / (2 * total) - epsilon * total, -1 / (2 * total) - epsilon * total
        return float(stats.norm.cdf(near) - math.exp(epsilon) * stats.norm.cdf(far)) - delta

    return float(optimize.brentq(over, 0, 100))


@pytest.mark.parametrize(("noise", "steps"), [(9.0, 50), (1.0, 1), (3.0, 10), (40.0, 1000)])
def test_without_sampling_it_is_the_gaussian_mechanism(noise: float, steps: int) -> None:
    exact = gaussian(noise, steps, 1e-5)
    found = Cost(1.0, noise, steps).epsilon(1e-5)
    assert exact - 1e-6 <= found <= exact * 1.01
    assert recomputed_epsilon(1.0, noise, steps, 1e-5) == pytest.approx(exact, rel=0.01)


def test_the_published_figure() -> None:
    assert TUTORIAL.epsilon(1e-5) == pytest.approx(1.134, abs=0.001)


@pytest.mark.parametrize(("cost", "delta"), RUNS)
def test_two_accountants_agree(cost: Cost, delta: float) -> None:
    second = recomputed_epsilon(cost.rate, cost.noise_multiplier, cost.steps, delta)
    assert second == pytest.approx(cost.epsilon(delta), rel=0.005)


@pytest.mark.parametrize(("cost", "delta"), [RUNS[0], RUNS[2]])
def test_opacus_agrees(cost: Cost, delta: float, absent: Callable[[str, str], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, and those of what it brings
        try:
            from opacus.accountants import PRVAccountant, RDPAccountant
        except ImportError:
            absent("Opacus", "pip install 'hauberk[test]'")
        found = {}
        for kind in (PRVAccountant, RDPAccountant):
            one = kind()
            one.history = [(cost.noise_multiplier, cost.rate, cost.steps)]
            found[kind] = one.get_epsilon(delta)
    ours = cost.epsilon(delta)
    assert ours <= found[PRVAccountant] <= ours + 0.02  # its error bound is 0.01 in epsilon
    assert found[RDPAccountant] > ours  # a looser bound


@given(st.floats(0.01, 0.5), st.floats(1.0, 5.0), st.integers(1, 30))
@settings(max_examples=4, deadline=None)
def test_more_noise_fewer_steps_and_smaller_batches_cost_less(rate: float, noise: float, steps: int) -> None:
    whole = Cost(rate, noise, steps).epsilon(1e-5)
    assert Cost(rate, noise * 1.2, steps).epsilon(1e-5) <= whole
    assert Cost(rate, noise, max(1, steps // 2)).epsilon(1e-5) <= whole
    assert Cost(rate * 0.8, noise, steps).epsilon(1e-5) <= whole
    assert Cost(rate, noise, steps).epsilon(1e-4) <= whole


def test_nothing_done_costs_nothing() -> None:
    assert Cost(0.1, 1.0, 0).epsilon(1e-5) == 0
    assert recomputed_epsilon(0.1, 1.0, 0, 1e-5) == 0


@pytest.mark.parametrize("epsilon", [0.3, 3.0, 10.0])
def test_calibration_spends_nearly_all_and_never_more(epsilon: float) -> None:
    noise = calibrate(epsilon, 1e-5, rate=0.05, steps=200)
    assert 0.98 * epsilon <= Cost(0.05, noise, 200).epsilon(1e-5) <= epsilon
    assert recomputed_epsilon(0.05, noise, 200, 1e-5) <= epsilon * 1.002


@pytest.mark.parametrize("epsilon", [0, -1.0, math.nan, math.inf, 51, "3", True, None])
def test_a_budget_that_cannot_be(epsilon: object) -> None:
    with pytest.raises(ConfigError, match="epsilon must lie in"):
        calibrate(epsilon, 1e-5, rate=0.1, steps=10)  # type: ignore[arg-type]


@pytest.mark.parametrize("delta", [0, 1, -1e-5, math.nan, "1e-5"])
def test_a_delta_that_cannot_be(delta: object) -> None:
    with pytest.raises(ConfigError, match="delta must lie in"):
        Cost(0.1, 1.0, 10).epsilon(delta)  # type: ignore[arg-type]


def test_no_noise_is_enough() -> None:
    with pytest.raises(ConfigError, match="needs noise above"):
        calibrate(1e-5, 1e-9, rate=1.0, steps=10_000)
