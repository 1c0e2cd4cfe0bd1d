"""Bounds and threats: what is refused, and what fits what."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from hauberk.core.errors import ConfigError, UnknownName
from hauberk.threats import L0, L1, L2, Bounds, Knowledge, Linf, ThreatModel


class TestBounds:
    @pytest.mark.parametrize(
        "value",
        [
            (0,),
            (0, 1, 2),
            5,
            None,
            (1, 0),
            (0.5, 0.5),
            (float("nan"), 1),
            (0, float("inf")),
            ("a", "b"),
            ([0, 0], [1, 1, 1]),
            ([0, 1], [1, 1]),
            ([[0]], [[1]]),
            ([], []),
            ([], [1]),
            ([], 1),
        ],
    )
    def test_what_is_no_range_is_refused(self, value: Any) -> None:
        with pytest.raises(ConfigError, match="bound"):
            Bounds.of(value)

    def test_scalars_and_channels_mix(self) -> None:
        bounds = Bounds.of((0, [1, 2, 3]))
        lower, upper = bounds.tensors(torch.zeros(5, 3, 2, 2, dtype=torch.float64))
        assert lower.tolist() == [[[0]]]
        assert upper.tolist() == [[[1]], [[2]], [[3]]]
        assert upper.dtype == torch.float64
        assert bounds.widths((3, 2, 2)) == [1, 2, 3]

    def test_channels_broadcast_along_the_channel_axis(self) -> None:
        bounds = Bounds.of(([0, -1], [1, 1]))
        lower, _ = bounds.tensors(torch.zeros(4, 2, 5))
        assert (torch.zeros(4, 2, 5) + lower)[0, 1].tolist() == [-1] * 5
        lower, _ = bounds.tensors(torch.zeros(4, 2))
        assert (torch.zeros(4, 2) + lower).tolist() == [[0, -1]] * 4

    @pytest.mark.parametrize("shape", [(1, 8, 8), (2,), ()])
    def test_a_wrong_number_of_channels_is_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ConfigError, match="3 channels"):
            Bounds.of(([0] * 3, [1] * 3)).widths(shape)

    @pytest.mark.parametrize("value", [(0, 1), ([0, 0], [1, 2]), (0, [1, 2])])
    def test_the_description_survives_json(self, value: Any) -> None:
        bounds = Bounds.of(value)
        assert Bounds.of(json.loads(json.dumps(bounds.describe()))) == bounds


class TestThreatModel:
    @pytest.mark.parametrize(
        "settings",
        [
            {"geometry": 0.3},
            {"geometry": "linf"},
            {"geometry": Linf},
            {"knowledge": "whitebox!"},
            {"knowledge": 7},
            {"knowledge": None},
            {"queries": 0},
            {"queries": -1},
            {"queries": True},
            {"queries": 1.5},
            {"queries": "10"},
            {"queries": float("nan")},
            {"targeted": "yes"},
            {"targeted": 1},
        ],
    )
    def test_misuse_is_refused(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ConfigError):
            ThreatModel(**{"geometry": Linf(0.3), **settings})

    def test_a_misspelt_knowledge_names_the_nearest(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'scores'"):
            ThreatModel(Linf(0.3), knowledge="score")

    @pytest.mark.parametrize("level", Knowledge)
    def test_knowledge_goes_by_its_word(self, level: Knowledge) -> None:
        assert ThreatModel(Linf(0.3), knowledge=level.word) == ThreatModel(Linf(0.3), knowledge=level)

    def test_more_knowledge_includes_less(self) -> None:
        assert Knowledge.LABELS < Knowledge.SCORES < Knowledge.WHITE_BOX

    def test_a_geometry_alone_is_the_strongest_attacker(self) -> None:
        assert ThreatModel.of(L2(1)) == ThreatModel(L2(1), False, Knowledge.WHITE_BOX, None)
        threat = ThreatModel(L2(1), queries=5)
        assert ThreatModel.of(threat) is threat
        with pytest.raises(ConfigError, match="expected a threat"):
            ThreatModel.of(0.3)

    def test_another_radius_changes_nothing_else(self) -> None:
        threat = ThreatModel(L2(1), targeted=True, knowledge=Knowledge.SCORES, queries=9)
        assert threat.with_eps(2) == ThreatModel(L2(2), targeted=True, knowledge=Knowledge.SCORES, queries=9)

    def test_the_description_is_json(self) -> None:
        threat = ThreatModel(Linf(0.25), queries=9)
        assert json.loads(json.dumps(threat.describe())) == {
            "norm": "linf",
            "eps": 0.25,
            "targeted": False,
            "knowledge": "white-box",
            "queries": 9,
        }


# geometry at its limit for images (2, 3, 3); widths 1 and 3 per channel in the second range
FITS = [
    (Linf, (0, 1), 1.0),
    (L2, (0, 1), 18**0.5),
    (L1, (0, 1), 18.0),
    (L0, (0, 1), 9),
    (Linf, ([0, -1], [1, 2]), 3.0),
    (L2, ([0, -1], [1, 2]), 90**0.5),
    (L1, ([0, -1], [1, 2]), 36.0),
    (L0, ([0, -1], [1, 2]), 9),
    (Linf, (0, 255), 255.0),
]


@pytest.mark.parametrize(("kind", "bounds", "largest"), FITS)
def test_a_radius_fits_up_to_the_largest_distance(kind: Any, bounds: Any, largest: float) -> None:
    limits = Bounds.of(bounds)
    ThreatModel(kind(largest)).check_fits(limits, (2, 3, 3))
    with pytest.raises(ConfigError, match="larger than the valid range allows") as caught:
        ThreatModel(kind(largest + 1)).check_fits(limits, (2, 3, 3))
    assert "8/255" in str(caught.value.hint)
    assert ThreatModel(kind(largest)).geometry.largest(limits, (2, 3, 3)) == pytest.approx(largest)


def test_eight_on_a_unit_range_is_caught() -> None:
    with pytest.raises(ConfigError, match="eps 8 is larger"):
        ThreatModel(Linf(8)).check_fits(Bounds(0.0, 1.0), (1, 28, 28))


def test_bounds_for_other_channels_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="channels"):
        ThreatModel(Linf(0.1)).check_fits(Bounds.of(([0] * 3, [1] * 3)), (1, 8, 8))
