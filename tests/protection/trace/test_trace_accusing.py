"""Accusations: never the innocent but with the probability that is said, and the guilty under every mixture."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import slow_tracing as slow

from hauberk.core.errors import ConfigError
from hauberk.crypto.secret import Secret
from hauberk.protection.trace.accusing import Tail, accuse, readings
from hauberk.protection.trace.code import Code, CodePlan, Floats, check_max_false
from hauberk.protection.trace.reading import Reading

KEY = Secret(bytes(range(32)))
NAMES = [f"recipient {number}" for number in range(10_000)]
GUILTY = [NAMES[number] for number in (17, 4_000, 9_999)]


@cache
def full_code() -> Code:
    return Code(CodePlan(), KEY, "sha256:00")


def test_bound_is_never_below_the_exact_tail_and_close_to_it() -> None:
    rng = np.random.default_rng(3)
    for _ in range(3):
        biases, values = rng.uniform(0.05, 0.95, 10), rng.normal(size=10)
        values /= np.sqrt((values**2).sum())
        bound = Tail(values / np.sqrt(biases * (1 - biases)), biases)
        most = slow.score(values, (values > 0).astype(int).tolist(), biases.tolist())
        for reached in (0.5, 1.0, 2.0, 0.99 * most):
            exact = slow.tail(values.tolist(), biases.tolist(), reached)
            said = math.exp(bound.log_p(np.array([reached]))[0])
            assert exact <= said <= max(30 * exact, 1e-300)


def test_scores_follow_the_specification() -> None:
    plan = CodePlan(recipients=5, colluders=2, max_false=0.4)
    code = Code(plan, KEY, "sha256:00")
    rng = np.random.default_rng(0)
    reading = Reading(rng.normal(size=plan.length), rng.uniform(0.1, 2, plan.length), 1.0)
    limits = slow.thresholds(bytes(KEY), "sha256:00", 2, plan.length)
    biases = [limit / 65536 for limit in limits]
    values = [one.tolist() for one in readings(reading, code.biases)]
    for one in values:
        assert sum(value**2 for value in one) == pytest.approx(1)
    for suspicion in accuse(reading, code, ["a", "b", "c"], max_false=1e-6):
        bits = slow.word(bytes(KEY), "sha256:00", suspicion.name, limits)
        assert any(slow.score(one, bits, biases) == pytest.approx(suspicion.score) for one in values)


def leaks(bits: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """What three colluders may write, from their bits as -1 and 1, ``(3, length)``."""
    agreed = np.abs(bits.sum(0)) == 3
    majority = np.sign(bits.sum(0))
    return {
        "averaged": bits.mean(0),
        "by turns": bits[rng.integers(0, 3, bits.shape[1]), np.arange(bits.shape[1])],
        "majority": majority,
        "minority": np.where(agreed, bits[0], -majority),
        "highest": bits.max(0),
        "lowest": bits.min(0),
        "wiped where they differ": np.where(agreed, bits[0], 0.0),
        "loud where they differ": np.where(agreed, bits[0], -1e6 * majority),
        "coins where they differ": np.where(agreed, bits[0], rng.choice([-1.0, 1.0], bits.shape[1])),
    }


def test_three_colluders_are_caught_whatever_they_write() -> None:
    code, rng = full_code(), np.random.default_rng(5)
    bits = code.words(GUILTY) * 2.0 - 1
    some = [*GUILTY, *NAMES[100:150]]
    for what, word in leaks(bits, rng).items():
        for spread in (0.2, 1.0):
            heard = word + spread * rng.normal(size=word.shape)
            found = accuse(Reading(heard, np.full(word.shape, spread**2), 1.0), code, some, max_false=1e-6)
            accused = {one.name for one in found if one.accused}
            assert accused, (what, spread)
            assert accused <= set(GUILTY), (what, spread)
            assert found[0].name in GUILTY


def test_ten_thousand_innocents() -> None:
    """A share of p-values below a level exceeds it by four deviations at most: once in 30,000 keys."""
    code = full_code()
    rng = np.random.default_rng(8)
    strangers = Secret(b"\x07" * 32)  # the leak is by recipients of the same names under another key
    bits = Code(code.plan, strangers, code.model).words(GUILTY) * 2.0 - 1
    heard = bits.mean(0) + 0.3 * rng.normal(size=bits.shape[1])
    found = accuse(Reading(heard, np.full(heard.shape, 0.09), 1.0), code, NAMES, max_false=1e-6)
    assert len(found) == 10_000
    assert not any(one.accused for one in found)
    values = np.exp([one.log_p for one in found])
    for level in (0.5, 0.1, 0.01, 0.001):
        allowed = level + 4 * math.sqrt(level * (1 - level) / len(values))
        assert (values <= level).mean() <= allowed
    assert values.min() < 0.05  # and they are no mere ones


def test_a_leak_without_any_mark_accuses_nobody() -> None:
    code = full_code()
    nothing = np.zeros(code.plan.length)
    for noise in (1.0, math.inf):
        found = accuse(Reading(nothing, nothing + noise, 1.0), code, GUILTY, max_false=1e-6)
        assert [one.log_p for one in found] == [0.0, 0.0, 0.0]


def test_the_threshold_counts_all_recipients_of_the_plan() -> None:
    code = full_code()
    word, noise = code.word("one") * 2.0 - 1, np.random.default_rng(2).normal(size=code.plan.length)

    def accused(size: float, max_false: float) -> tuple[bool, float]:
        found = accuse(
            Reading(size * word + noise, np.ones(word.shape), 1.0), code, ["one"], max_false=max_false
        )
        return found[0].accused, found[0].log_p

    size = next(one for one in np.arange(0.05, 0.5, 0.01) if accused(one, 1e-6)[1] < math.log(1e-8))
    guilty, log_p = accused(size, 1e-6)
    assert log_p > math.log(1e-10)  # below max_false, and not enough
    assert not guilty
    assert accused(size, 1.01 * math.exp(log_p) * 10_000)[0]
    assert not accused(size, 0.99 * math.exp(log_p) * 10_000)[0]


@pytest.mark.parametrize("value", [0, 1, -0.1, math.nan, True, "1e-6"])
def test_probabilities_that_are_none(value: object) -> None:
    with pytest.raises(ConfigError, match="max_false"):
        check_max_false(value)
