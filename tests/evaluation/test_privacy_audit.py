"""The one-run audit against enumeration, against trainers whose epsilon is known, and against broken ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import hauberk
from hauberk.attacks.inference import make_membership
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation.privacy_audit import AuditReport, audit_training, lower_bound, p_value
from hauberk.evaluation.second_accountant import recomputed_from
from hauberk.models import Classifier, create
from hauberk.models.training import TrainingPlan
from hauberk.privacy.training import Clip, NoiseSource, PrivateTraining


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("right", [0, 3, 6])
def test_without_delta_it_is_the_chance_of_honest_coins(epsilon: float, right: int) -> None:
    truth = math.exp(epsilon) / (1 + math.exp(epsilon))
    chance = sum(
        math.prod(truth if one else 1 - truth for one in outcome)
        for outcome in itertools.product((0, 1), repeat=6)
        if sum(outcome) >= right
    )
    assert p_value(50, 6, right, epsilon, 0.0) == pytest.approx(chance, rel=1e-9)


def test_delta_costs_what_the_theorem_says() -> None:
    """Theorem 5.2 by enumeration: the most probable run of outcomes just below, per outcome."""
    epsilon, delta, canaries, guesses, right = 1.0, 1e-3, 20, 8, 7
    truth = 1 / (1 + math.exp(-epsilon))
    law = [math.comb(guesses, k) * truth**k * (1 - truth) ** (guesses - k) for k in range(guesses + 1)]
    slack = max(sum(law[right - i : right]) / i for i in range(1, right + 1))
    expected = sum(law[right:]) + 2 * canaries * delta * slack
    assert p_value(canaries, guesses, right, epsilon, delta) == pytest.approx(expected, rel=1e-9)


def test_all_right_has_a_closed_form() -> None:
    """No delta, one number of guesses in effect: p^r = risk."""
    inside = np.array([True] * 10 + [False] * 10)
    found = lower_bound(inside.astype(float), inside, delta=0.0, confidence=0.95)
    risk = 0.05 / len(found.tried)
    share = risk ** (1 / 20)
    assert (found.guesses, found.right) == (20, 20)
    assert found.epsilon == pytest.approx(math.log(share / (1 - share)), abs=1e-3)


@pytest.mark.parametrize("epsilon", [0.2, 1.0, 3.0])
def test_randomised_response_is_not_overestimated(epsilon: float) -> None:
    """The worst trainer of this epsilon. Of 300 runs at 90 %, 56 miss once in a million."""
    source = np.random.default_rng(0)
    truth = 1 / (1 + math.exp(-epsilon))
    found = []
    for _ in range(300):
        inside = source.random(400) < 0.5
        told = np.where(source.random(400) < truth, inside, ~inside)
        found.append(lower_bound(told + 1e-3 * source.random(400), inside, delta=0.0, confidence=0.9).epsilon)
    assert sum(one > epsilon for one in found) < 56
    assert np.median(found) > 0.4 * epsilon - 0.1  # and it is not blind


def test_scores_that_know_nothing_find_nothing() -> None:
    source = np.random.default_rng(1)
    found = [lower_bound(source.random(300), source.random(300) < 0.5, delta=1e-5).epsilon for _ in range(100)]
    assert sum(one > 0 for one in found) < 20  # a tenth of a percent where five in a hundred may


CLAIM = 0.5


def report(trainer: Callable[[Dataset], Classifier], data: Dataset, epsilon: float = CLAIM) -> AuditReport:
    return audit_training(trainer, data, epsilon=epsilon, delta=1e-4, canaries=200, seed=3)


PLAN = TrainingPlan(epochs=60, batch_size=64, optimizer="sgd", learning_rate=0.5)


def private(data: Dataset, clip: float = 1.0) -> Classifier:
    start = create("mlp", data, args={"hidden": [64]})
    return PrivateTraining(epsilon=CLAIM, delta=1e-4, clip=clip, plan=PLAN).fit(start, data)


@pytest.fixture(scope="module")
def data(digits_train: Dataset) -> Dataset:
    return digits_train.head(800)


class TestTrainers:
    def test_a_private_one_stays_under_its_claim(self, data: Dataset) -> None:
        found = report(private, data)
        assert found.holds
        assert found.lower_bound <= CLAIM
        evidence = found.evidence
        assert evidence.kind == "privacy-audit"
        assert evidence.parents == (found.classifier.evidence[-1].digest,)
        assert evidence.result["recomputed_epsilon"] == pytest.approx(CLAIM, rel=0.02)
        assert evidence.parameters["claim"]["epsilon"] == CLAIM

    def test_one_without_noise_and_clipping_is_found_out(
        self, data: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The record still claims its epsilon, and the accountant sees no fault in it."""
        monkeypatch.setattr(NoiseSource, "normal", lambda self, count: torch.zeros(count).double())
        monkeypatch.setattr(Clip, "factors", lambda self, squares: torch.ones_like(squares))
        found = report(private, data)
        assert found.classifier.evidence[-1].result["privacy"]["epsilon"] <= CLAIM
        assert found.lower_bound > CLAIM
        assert not found.holds

    def test_one_without_noise_alone_is_found_out(self, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(NoiseSource, "normal", lambda self, count: torch.zeros(count).double())
        found = report(private, data)
        assert found.lower_bound > CLAIM
        assert not found.holds

    def test_one_without_clipping_alone_is_found_out(
        self, data: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What one person gives is a hundred times longer than what the noise was made for."""
        monkeypatch.setattr(Clip, "factors", lambda self, squares: torch.ones_like(squares))
        found = report(lambda learning: private(learning, clip=0.005), data)
        assert found.lower_bound > CLAIM
        assert not found.holds

    def test_one_whose_noise_is_scaled_for_a_mean_is_found_out(
        self, data: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A common mistake: the sum's noise is divided by the size of the batch twice."""
        real = NoiseSource.normal
        monkeypatch.setattr(NoiseSource, "normal", lambda self, count: real(self, count) / PLAN.batch_size)
        found = report(private, data)
        assert found.lower_bound > CLAIM
        assert not found.holds

    def test_plain_training_is_found_out(self, data: Dataset) -> None:
        def plain(learning: Dataset) -> Classifier:
            start = create("mlp", learning, args={"hidden": [64]})
            return hauberk.train(start, learning, TrainingPlan(epochs=80, batch_size=64, learning_rate=3e-3))

        found = report(plain, data)
        assert found.lower_bound > CLAIM
        assert not found.holds
        assert found.evidence.result["recomputed_epsilon"] is None

    def test_any_membership_attack_may_guess(self, data: Dataset) -> None:
        def plain(learning: Dataset) -> Classifier:
            start = create("mlp", learning, args={"hidden": [64]})
            return hauberk.train(start, learning, TrainingPlan(epochs=80, batch_size=64, learning_rate=3e-3))

        found = audit_training(
            plain, data, epsilon=CLAIM, delta=1e-4, canaries=200, seed=3, attack=make_membership("entropy")
        )
        assert found.lower_bound > CLAIM
        assert found.evidence.parameters["attack"] == "ModifiedEntropy()"
        with pytest.raises(ConfigError, match="lira compares with shadow models"):
            audit_training(plain, data, epsilon=1.0, delta=1e-4, canaries=20, attack=make_membership("lira"))

    def test_a_record_that_spent_more_than_the_claim_does_not_hold(self, data: Dataset) -> None:
        found = report(private, data, epsilon=0.2)
        assert found.evidence.result["recomputed_epsilon"] > 0.45
        assert not found.holds


def test_canaries_are_in_or_out_by_a_coin_with_a_wrong_label(digits_train: Dataset) -> None:
    seen: list[Dataset] = []

    def nothing(data: Dataset) -> Classifier:
        seen.append(data)
        return create("mlp", data).eval()

    audit_training(nothing, digits_train, epsilon=1.0, delta=1e-5, canaries=400, seed=1)
    audit_training(nothing, digits_train, epsilon=1.0, delta=1e-5, canaries=400, seed=1)
    audit_training(nothing, digits_train, epsilon=1.0, delta=1e-5, canaries=400)
    assert seen[0].digest == seen[1].digest != seen[2].digest

    def pairs(data: Dataset) -> list[tuple[bytes, int]]:
        return [
            (one.numpy().tobytes(), int(label)) for one, label in zip(data.images, data.labels, strict=True)
        ]

    truth = dict(pairs(digits_train))
    wrong = sum(truth[image] != label for image, label in pairs(seen[0]))
    assert len(seen[0]) == len(digits_train) - 400 + wrong
    assert 140 < wrong < 260  # six standard deviations of 400 coins


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epsilon": 0}, "epsilon"),
        ({"delta": 1.0}, "delta"),
        ({"confidence": 1.0}, "confidence"),
        ({"canaries": 5}, "canaries"),
        ({"canaries": 5000}, "5000 canaries cannot be taken"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, float], words: str, digits_train: Dataset) -> None:
    given = {"epsilon": 1.0, "delta": 1e-5, "canaries": 100, **settings}
    with pytest.raises(ConfigError, match=words):
        audit_training(lambda data: create("mlp", data), digits_train, **given)


def test_a_claim_that_cannot_be_followed_is_refused() -> None:
    def record(**privacy: object) -> Evidence:
        return Evidence(kind="training", subject={"name": "x", "digest": None}, result={"privacy": privacy})

    with pytest.raises(DataError, match="cannot be followed"):
        recomputed_from(record(rate=0.1, steps=5), 1e-5)
    with pytest.raises(DataError, match="cannot be followed"):
        recomputed_from(record(rate=7.0, steps=5, noise_multiplier=1.0), 1e-5)
    assert recomputed_from(Evidence(kind="training", subject={"name": "x", "digest": None}), 1e-5) is None
