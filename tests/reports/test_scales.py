"""Axes: even ratios on a logarithmic one, and labels that are round and not too many."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.reports.scales import linear, logarithmic


@pytest.mark.parametrize(
    ("low", "high", "most", "wanted"),
    [
        (1e-4, 1, 6, [1e-4, 1e-3, 1e-2, 0.1, 1]),
        (1 / 180, 1, 6, [0.01, 0.1, 1]),
        (0.02, 1, 6, [0.03, 0.1, 0.3, 1]),
        (125, 1000, 7, [200, 500, 1000]),
        (1, 1e9, 5, [10, 1e3, 1e5, 1e7, 1e9]),
    ],
)
def test_labels_of_a_logarithmic_axis(low: float, high: float, most: int, wanted: list[float]) -> None:
    assert logarithmic(low, high).ticks(most) == pytest.approx(wanted)


@given(st.floats(1e-6, 1e3), st.floats(1.5, 1e6), st.integers(3, 8))
def test_labels_lie_on_the_axis_and_are_not_too_many(low: float, ratio: float, most: int) -> None:
    scale = logarithmic(low, low * ratio)
    found = scale.ticks(most)
    assert len(found) <= most
    assert found == sorted(set(found))
    assert all(-1e-6 <= scale.share(value) <= 1 + 1e-6 for value in found)


@given(st.floats(1e-5, 1), st.floats(1.5, 100))
def test_equal_ratios_are_equally_long(low: float, ratio: float) -> None:
    scale = logarithmic(low, low * ratio**2)
    assert scale.share(low) == 0
    assert scale.share(low * ratio) == pytest.approx(0.5)
    assert scale.share(low * ratio**2) == pytest.approx(1)
    assert scale.share(0) == 0  # below the axis: at its start


def test_one_value_alone_has_a_place() -> None:
    assert 0 < logarithmic(500, 500).share(500) < 1
    assert math.isfinite(linear(0, 0).share(0))
