"""Is a trainer as private as it claims? One run tells a lower bound that holds with confidence.

Many canaries, each in or out of the training data by a coin of its own. Whoever tells from the finished model
which were in has measured what the training gives away. Epsilon-private training is no better for the guesser
than coins that tell the truth with chance ``e^epsilon / (1 + e^epsilon)``; more right answers than those allow
refute the claim.

The trainer is a callable: how it works does not matter here, and is not looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hauberk.attacks.inference import LossThreshold, MembershipAttack, collect
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.settings import require_count, require_within
from hauberk.datasets import Dataset
from hauberk.evaluation.second_accountant import recomputed_from
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier

_SHARES = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)  # of the canaries that are guessed, tried each; see ``lower_bound``
_ROUNDING = 0.01  # by which two accountants may differ
_MOST = 60.0  # epsilon at which the search ends

Trainer = Callable[[Dataset], Classifier]


@dataclass(frozen=True, eq=False)
class AuditReport:
    """Args:
    evidence: of kind ``privacy-audit``.
    classifier: what the one run made.
    lower_bound: the training's epsilon is at least this, with the confidence asked for.
    holds: the bound lies at or below the claim; so does what the run's own record says it spent, where it does.
    """

    evidence: Evidence
    classifier: Classifier
    lower_bound: float
    holds: bool


def audit_training(
    trainer: Trainer,
    data: Dataset,
    *,
    epsilon: float,
    delta: float,
    canaries: int = 1000,
    attack: MembershipAttack | None = None,
    confidence: float = 0.95,
    seed: int | None = None,
    name: str = "model",
) -> AuditReport:
    """Train once with canaries in the data, and bound epsilon from below.

    Canaries are examples of the data with a wrong label, which only memory can know. About half of them are
    left out; the other examples are all in.

    Args:
        epsilon, delta: what the trainer claims for one example added or removed.
        canaries: so many. More find more, and cost accuracy: half of them are wrong labels to learn from.
        attack: who guesses; one that needs no shadow models. None: the loss threshold.
        confidence: of the lower bound.
        seed: of the choice of canaries and of the coins. None takes chance from the operating system; a seed
            that others know tells them who was in.

    Raises:
        ConfigError: settings that cannot be.

    Limits: a lower bound: that it lies under the claim does not prove the claim. It sees the finished model
        only; who watches every step, or crafts canaries for the trainer, may find more.
    Source: Steinke, Nasr, Jagielski: Privacy auditing with one (1) training run, NeurIPS 2023, algorithm 1 and
        theorem 5.2, with several numbers of guesses under one confidence (Bonferroni).
    """
    started = time.perf_counter()
    require_within("epsilon", epsilon, "audit_training", "(0, 1000]")
    require_within("delta", delta, "audit_training", "[0, 1)")
    require_within("confidence", confidence, "audit_training", "(0, 1)")
    require_count("canaries", canaries, "audit_training", least=10)
    guesser = attack or LossThreshold()
    if guesser.needs_shadows():
        raise ConfigError(f"audit_training: {guesser.name} compares with shadow models, and one run has none")
    if canaries >= len(data):
        raise ConfigError(f"audit_training: {canaries} canaries cannot be taken from {len(data)} examples")
    source = np.random.default_rng(seed)
    order = torch.from_numpy(source.permutation(len(data)))
    chosen, others = order[:canaries], order[canaries:].sort().values
    offsets = torch.from_numpy(source.integers(1, len(data.classes), canaries))
    wrong = (data.labels[chosen] + offsets) % len(data.classes)
    inside = torch.from_numpy(source.random(canaries) < 0.5)
    training = replace(
        data,
        name=f"{data.name}[{canaries} canaries]",
        images=torch.cat([data.images[others], data.images[chosen[inside]]]),
        labels=torch.cat([data.labels[others], wrong[inside]]),
    )
    classifier = check_classifier(trainer(training))
    asked = replace(data, name="canaries", images=data.images[chosen], labels=wrong)
    scores = guesser(collect(classifier, asked))
    bound = lower_bound(scores.numpy(), inside.numpy(), delta=delta, confidence=confidence)
    record = classifier.evidence[-1] if classifier.evidence else None
    recomputed = recomputed_from(record, delta) if record is not None else None
    holds = bound.epsilon <= epsilon and (recomputed is None or recomputed <= epsilon * (1 + _ROUNDING))
    evidence = Evidence(
        kind="privacy-audit",
        subject={"name": name, "digest": classifier.digest},
        inputs={"dataset": training.describe()},
        parameters={
            "claim": {
                "epsilon": epsilon,
                "delta": delta,
                "unit": "one example",
                "adjacency": "added or removed",
            },
            "canaries": canaries,
            "confidence": confidence,
            "attack": repr(guesser),
        },
        result={
            "lower_bound": bound.epsilon,
            "holds": holds,
            "guesses": bound.guesses,
            "right": bound.right,
            "tried": [list(one) for one in bound.tried],
            "recomputed_epsilon": recomputed,
        },
        seed=seed,
        parents=(record.digest,) if record is not None else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    return AuditReport(evidence, classifier, bound.epsilon, holds)


@dataclass(frozen=True)
class Bound:
    """Args:
    epsilon: the lower bound.
    guesses, right: with which it was found.
    tried: ``(guesses, right, bound)`` of every number of guesses.
    """

    epsilon: float
    guesses: int
    right: int
    tried: tuple[tuple[int, int, float], ...]


def lower_bound(
    scores: NDArray[Any], inside: NDArray[np.bool_], *, delta: float, confidence: float = 0.95
) -> Bound:
    """The best bound from guessing the highest scores in and the lowest out.

    Args:
        scores: ``(m,)``, higher for those that seem to have been in; ties are guessed in the order they stand.
        inside: ``(m,)``, who was in, by independent fair coins.

    Several numbers of guesses are tried, each at its share of the risk, so that the best may be taken.
    """
    m = len(scores)
    numbers = sorted({2 * max(1, round(share * m / 2)) for share in _SHARES if share * m >= 2})
    risk = (1 - confidence) / len(numbers)
    order = np.argsort(scores, kind="stable")
    tried = []
    for guesses in (min(one, m - m % 2) for one in numbers):
        half = guesses // 2
        right = int((~inside[order[:half]]).sum() + inside[order[m - half :]].sum())
        tried.append((guesses, right, _largest_refuted(m, guesses, right, delta, risk)))
    guesses, right, best = max(tried, key=lambda one: one[2])
    return Bound(best, guesses, right, tuple(tried))


def p_value(canaries: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """At most this chance has an (epsilon, delta)-private trainer to let so many guesses be right.

    Source: Steinke et al. 2023, theorem 5.2.
    """
    law = _binomial(guesses, 1 / (1 + math.exp(-epsilon)))
    below = np.cumsum(law[:right][::-1])  # that 1, 2, ... fewer than ``right`` were right
    slack = float((below / np.arange(1, right + 1)).max()) if right else 0.0
    return min(1.0, float(law[right:].sum()) + 2 * canaries * delta * slack)


def _largest_refuted(canaries: int, guesses: int, right: int, delta: float, risk: float) -> float:
    low, high = 0.0, _MOST
    if p_value(canaries, guesses, right, low, delta) > risk:
        return 0.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        refuted = p_value(canaries, guesses, right, middle, delta) <= risk
        low, high = (middle, high) if refuted else (low, middle)
    return low


def _binomial(count: int, chance: float) -> NDArray[np.float64]:
    """The probabilities of 0 to ``count`` successes."""
    places = np.arange(count + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    with np.errstate(divide="ignore", invalid="ignore"):
        misses = np.where(places == count, 0.0, (count - places) * np.log1p(-chance))
    found: NDArray[np.float64] = np.exp(logs[-1] - logs - logs[::-1] + places * math.log(chance) + misses)
    return found
