"""The p-value: against counting by hand, and uniform where there is no mark."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

import hauberk
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan
from hauberk.protection.watermark.embedding.embed import Marked
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import BlackBox, WhiteBox
from hauberk.protection.watermark.verification.reading import MAX_P, Reading
from hauberk.protection.watermark.verification.tail import needed, tail
from hauberk.protection.watermark.verification.verify import verify

WRONG = [MarkKey(bytes([number % 256, 1 + number // 256]) * 16) for number in range(400)]


@pytest.mark.parametrize("chance", [Fraction(1, 2), Fraction(1, 10), Fraction(7, 20)])
def test_tail_is_what_counting_all_outcomes_gives(chance: Fraction) -> None:
    for matched in range(8):
        total = Fraction(0)
        for outcome in itertools.product((True, False), repeat=7):
            if sum(outcome) >= matched:
                total += math.prod((chance if right else 1 - chance for right in outcome), start=Fraction(1))
        assert tail(7, matched, chance) == total


def test_needed_is_the_first_count_below_the_limit() -> None:
    for units, chance in ((256, Fraction(1, 2)), (24, Fraction(1, 10)), (512, Fraction("0.35"))):
        fewest = needed(units, chance, MAX_P)
        assert fewest is not None
        assert tail(units, fewest, chance) <= Fraction(MAX_P) < tail(units, fewest - 1, chance)
    assert needed(16, Fraction(1, 2), MAX_P) is None  # 2**-16 is more
    assert needed(20, Fraction(1, 2), MAX_P) == 20
    with pytest.raises(ConfigError, match=r"16 units .* cannot reach"):
        Reading("whitebox", 16, 16, Fraction(1, 2)).needed()


def test_wrong_keys_never_claim_and_match_like_coins(bits_marked: Marked) -> None:
    """Matches of a marked model with 400 wrong keys follow the binomial law.

    Kolmogorov's bound with 400 draws: a distance above 0.098 happens with probability 1e-3 under the law, less
    for a law with steps. The keys are fixed, so the test does not flicker.
    """
    mark = WhiteBox(bits=64)
    matches = [verify(bits_marked.classifier, key, mark).matched for key in WRONG]
    assert all(not Reading("whitebox", 64, one, Fraction(1, 2)).found() for one in matches)
    for count in range(65):
        seen = sum(one >= count for one in matches) / len(matches)
        assert abs(seen - float(tail(64, count, Fraction(1, 2)))) < 0.098


def test_wrong_keys_match_patterns_one_time_in_ten(patterns_marked: Marked, digits_train: Dataset) -> None:
    """100 keys of 10 patterns: 100 matches expected; five standard deviations are 47 (false alarm 1e-6)."""
    mark = BlackBox(patterns=10, images=4)
    readings = [verify(patterns_marked.classifier, key, mark, digits_train) for key in WRONG[:100]]
    assert abs(sum(one.matched for one in readings) - 100) < 47
    assert not any(one.found() for one in readings)


def test_models_without_the_mark_are_not_claimed(
    plain: Classifier,
    owner: MarkKey,
    bits_marked: Marked,
    patterns_marked: Marked,
    fingerprinted: Marked,
    digits_train: Dataset,
) -> None:
    plan = TrainingPlan(epochs=3, batch_size=64, learning_rate=5e-3)
    apart = hauberk.train(hauberk.create("cnn", digits_train, seed=41), digits_train, plan, seed=41)
    for made in (bits_marked, patterns_marked):
        for innocent in (plain, apart):  # the first is what the marked one was made from
            assert not verify(innocent, owner, made.commitment, digits_train).found()
    assert not verify(apart, owner, fingerprinted.commitment, digits_train).found()
    # whoever has none of the answers: every class alike, and no bit to either side
    silent = hauberk.create("cnn", digits_train).eval()
    for one in silent.parameters():
        one.data.zero_()
    assert verify(silent, owner, bits_marked.commitment).matched == 0
    assert not verify(silent, owner, patterns_marked.commitment, digits_train).found()
    assert verify(silent, owner, fingerprinted.commitment, digits_train).matched == 0
