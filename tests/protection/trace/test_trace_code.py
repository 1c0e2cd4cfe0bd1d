"""The code and its carriers are what docs/tracing.md says, number by number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import slow_tracing as slow
import torch

from hauberk.core.errors import ConfigError, DataError, UnsupportedModel
from hauberk.crypto.secret import Secret
from hauberk.protection.trace.carriers import carriers
from hauberk.protection.trace.code import Code, CodePlan

KEY = bytes(range(32))
MODEL = "sha256:" + "5a" * 32


def test_length_of_the_default() -> None:
    assert CodePlan().length == slow.length(10_000, 3, 1e-6) == 4931


@pytest.mark.parametrize(("recipients", "colluders"), [(10, 2), (200, 3)])
def test_biases_and_words_follow_the_specification(recipients: int, colluders: int) -> None:
    plan = CodePlan(recipients=recipients, colluders=colluders, max_false=0.01)
    code = Code(plan, Secret(KEY), MODEL)
    limits = slow.thresholds(KEY, MODEL, colluders, plan.length)
    assert code.thresholds.tolist() == limits
    for name in ("Ward 3", "李"):
        assert code.word(name).astype(int).tolist() == slow.word(KEY, MODEL, name, limits)


def test_biases_follow_the_arcsine_law_within_the_cutoff() -> None:
    biases = np.sort(Code(CodePlan(), Secret(KEY), MODEL).biases)
    cut = 1 / (28.31 * 3)
    assert cut - 1e-4 < biases[0]
    assert biases[-1] < 1 - cut + 1e-4
    low, high = math.asin(math.sqrt(cut)), math.asin(math.sqrt(1 - cut))
    law = (np.arcsin(np.sqrt(biases)) - low) / (high - low)
    steps = (np.arange(len(law)) + 0.5) / len(law)
    # Kolmogorov-Smirnov: beyond 2.5 / sqrt(m) once in 100,000 keys
    assert np.abs(law - steps).max() < 2.5 / math.sqrt(len(law))


def test_a_name_has_one_word_and_others_share_nothing() -> None:
    code = Code(CodePlan(), Secret(KEY), MODEL)
    assert (code.word(" Ward\u00e9 ") == code.word("Warde\u0301")).all()
    # by chance only: the products have mean 0 and variance 1, and five deviations come once in 10^6 keys
    spread = np.sqrt(code.biases * (1 - code.biases))
    first = (code.word("a") - code.biases) / spread
    others = (
        (code.word("b") - code.biases) / spread,
        (Code(code.plan, code.key, MODEL[:-1] + "b").word("a") - code.biases) / spread,
        (Code(code.plan, Secret(bytes(32)), MODEL).word("a") - code.biases) / spread,
    )
    for one in others:
        assert abs((first * one).sum()) < 5 * math.sqrt(len(first))


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "x" * 201])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(DataError, match="recipient's name"):
        Code(CodePlan(), Secret(KEY), MODEL).word(name)


def test_carriers_follow_the_specification() -> None:
    generator = torch.Generator().manual_seed(1)
    weights = {"one": torch.randn(7, 5, generator=generator), "two": torch.randn(3, 4, 2, generator=generator)}
    weights["one"][2, 3] = 0
    found = list(carriers(weights, Secret(KEY), model=MODEL, length=11, strength=0.1))
    dealt = 0
    for one, (name, tensor) in zip(found, weights.items(), strict=True):
        flat = [float(value) for value in tensor.flatten()]
        expected = slow.carriers(KEY, MODEL, name, flat, dealt, 11)
        assert one.name == name
        assert (
            list(zip(one.positions.flatten().tolist(), one.signs.flatten().tolist(), strict=True)) == expected
        )
        assert one.amplitude == pytest.approx(0.1 * math.sqrt(sum(value**2 for value in flat) / len(flat)))
        dealt += len(flat)
    every = torch.cat([one.positions.flatten() for one in found])
    assert every.bincount().max() - every.bincount().min() <= 1  # no position is better off


def test_a_model_too_small_says_how_many_weights_are_needed() -> None:
    with pytest.raises(UnsupportedModel, match="needs 400 weights that can carry a mark, it has 399"):
        list(carriers({"w": torch.ones(57, 7)}, Secret(KEY), model=MODEL, length=100, strength=0.1))


@pytest.mark.parametrize(
    "settings",
    [
        {"recipients": 1}, {"recipients": 2.5}, {"colluders": 1}, {"colluders": True}, {"max_false": 0},
        {"max_false": 0.6}, {"max_false": "small"}, {"max_false": math.nan},
    ],
)  # fmt: skip
def test_plans_that_cannot_be(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        CodePlan(**settings)  # type: ignore[arg-type]
