"""Whom a leaked model points at, and how likely it would point so at somebody innocent.

A recipient's score is the sum over the positions of what was read times the recipient's symmetric bit value,
``sqrt((1 - p) / p)`` for a 1 and ``-sqrt(p / (1 - p))`` for a 0 (Škorić et al.): of mean 0 and variance 1 for
anybody whose bits had nothing to do with the leak. Two readings of the word are scored, and the better one
counts:

    plain      the word as it is, which assumes nothing of how colluders mixed their copies
    centred    the word minus what it would be for a random mixture of anybody's copies, divided by the spread
               that is left, which is sharper by far where they did mix or average

An innocent recipient's bits are independent of the colluders' copies, hence of the leaked model and of
everything read from it. Given what was read, the score of an innocent is a sum of independent terms of two
values each, with known probabilities, and Chernoff's bound on its tail holds without any assumption on
colluders, noise or length of the code. The bound, doubled for the two readings, is the p-value, never
said to be below 2^-128, for which the generator of the bits is trusted; it is held
against ``max_false`` over the number of recipients the code is made for (Bonferroni), so that the probability
that anybody innocent is accused of a leak is at most ``max_false``.

Source: Škorić, Katzenbeisser, Celik 2008 for the score; Chernoff's bound on independent two-valued terms; the
    centred reading is the linear form of the score made for interleaving colluders by Oosterwijk, Škorić,
    Doumen, Optimal suspicion functions for Tardos traitor tracing schemes, IH&MMSec 2013.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from hauberk.core.evidence import Evidence
from hauberk.crypto.secret import Secret
from hauberk.models import Classifier
from hauberk.models.classifier import weights_digest
from hauberk.protection.trace.code import Code, Floats, check_max_false
from hauberk.protection.trace.key import commitment, pseudonym
from hauberk.protection.trace.reading import Reading, read_word
from hauberk.protection.trace.register import Register

_LEAST = -128 * math.log(2)
_BATCH = 256  # recipients at a time
_TILTS = np.concatenate([np.arange(1, 200) / 4, np.geomspace(50, 500, 40)])
"""Exponents at which Chernoff's bound is tried, for scores of variance 1. Each of them gives a valid bound."""

_FAR = 3.0  # times the noise beyond 1: what is read there was written there to mislead


@dataclass(frozen=True)
class Suspicion:
    """One recipient.

    Args:
        name: as in the register.
        score: the better reading's, in standard deviations of an innocent's.
        log_p: natural logarithm of the p-value: an upper bound of the probability that an innocent scores so
            high.
        accused: whether it is below the threshold.
    """

    name: str
    score: float
    log_p: float
    accused: bool

    @property
    def log10_p(self) -> float:
        return self.log_p / math.log(10)


@dataclass(frozen=True)
class Accusation:
    """What comes out of a leaked model.

    Args:
        suspicions: all recipients, the most suspicious first.
        evidence: kind ``trace``; it names recipients by the same keyed digests as the evidence of issuing.
        max_false: probability that anybody innocent is accused, at most.
        threshold: natural logarithm of the p-value that is needed.
        found: share of the marked weights that could be compared.
    """

    suspicions: tuple[Suspicion, ...]
    evidence: Evidence
    max_false: float
    threshold: float
    found: float

    @property
    def accused(self) -> tuple[Suspicion, ...]:
        return tuple(one for one in self.suspicions if one.accused)

    def to_json(self, *, others: int = 3) -> dict[str, Any]:
        """As JSON, with so many of those that are not accused."""

        def row(one: Suspicion) -> dict[str, Any]:
            return {"name": one.name, "score": one.score, "log10_p": one.log10_p}

        rest = [one for one in self.suspicions if not one.accused]
        return {
            "accused": [row(one) for one in self.accused],
            "others": [row(one) for one in rest[:others]],
            "recipients": len(self.suspicions),
            "max_false": self.max_false,
            "log10_threshold": self.threshold / math.log(10),
            "found": self.found,
        }


def accusation(
    leaked: Mapping[str, Tensor],
    original: Classifier,
    key: Secret,
    register: Register,
    *,
    max_false: float | None = None,
    name: str = "leaked",
) -> Accusation:
    """Read a leaked model and judge everybody in the register.

    Args:
        leaked: its weights by name.
        original: the model that copies were made from.
        max_false: highest probability that anybody innocent is accused of this leak; None takes the register's.
        name: what the evidence calls the leaked model.

    Raises:
        ConfigError: the register is about another model, or a probability that is none.
        UnsupportedModel: the leaked model has another architecture.

    Limits: a model that was learnt anew from a copy's answers carries no mark. Every leak that is judged has
        its own ``max_false``. Whoever holds the key can make a copy in anybody's name, so an accusation
        convinces those who trust the owner; it is no proof against him.
    """
    started = time.perf_counter()
    register.check_model(original.digest)
    most = check_max_false(register.plan.max_false if max_false is None else max_false)
    reading = read_word(leaked, original, key, register.plan, register.strength)
    suspicions = tuple(
        accuse(reading, Code(register.plan, key, register.model), register.names, max_false=most)
    )
    guilty = {one.name for one in suspicions if one.accused}
    evidence = Evidence(
        kind="trace",
        subject={"name": name, "digest": weights_digest(leaked)},
        inputs={"model": {"name": "original", "digest": register.model}},
        parameters={
            "action": "accuse",
            "code": register.plan.describe(),
            "strength": register.strength,
            "key": commitment(key),
            "max_false": most,
        },
        result={
            "recipients": len(suspicions),
            "accused": [
                {"recipient": pseudonym(key, one.name), "score": one.score, "log10_p": one.log10_p}
                for one in suspicions
                if one.accused
            ],
            "next_log10_p": next((one.log10_p for one in suspicions if not one.accused), None),
            "found": reading.found,
        },
        parents=(
            *(one.digest for one in original.evidence[-1:]),
            *(one.evidence for one in register.issued if one.name in guilty),
        ),
        duration_s=time.perf_counter() - started,
    )
    return Accusation(suspicions, evidence, most, threshold(most, register.plan.recipients), reading.found)


def threshold(max_false: float, recipients: int) -> float:
    """Natural logarithm of the p-value below which one of so many recipients is accused (Bonferroni)."""
    return math.log(max_false / recipients)


def accuse(reading: Reading, code: Code, names: Sequence[str], *, max_false: float) -> list[Suspicion]:
    """All recipients, the most suspicious first.

    Args:
        max_false: highest probability that anybody innocent is accused, over all recipients of the code's plan.

    Cost: the code words of all names, some 0.1 ms each.
    """
    limit = threshold(max_false, max(code.plan.recipients, len(names)))
    rows = [
        Suspicion(name, score, log_p, log_p <= limit) for name, score, log_p in _judged(reading, code, names)
    ]
    return sorted(rows, key=lambda one: (one.log_p, -one.score))


def _judged(reading: Reading, code: Code, names: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    """Each name with its better score and p-value."""
    biases = code.biases
    spread = np.sqrt(biases * (1 - biases))
    weights = np.stack(readings(reading, biases))  # (2, length)
    bounds = [Tail(one / spread, biases) for one in weights]
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        values = (code.words(batch) - biases) / spread  # (n, length), the symmetric bit values
        scores = values @ weights.T
        logs = np.stack([bound.log_p(scores[:, which]) for which, bound in enumerate(bounds)], axis=1)
        best = logs.argmin(axis=1)
        rows = np.arange(len(batch))
        doubled = (logs[rows, best] + math.log(2)).clip(_LEAST, 0.0)
        yield from zip(batch, scores[rows, best].tolist(), doubled.tolist(), strict=True)


def readings(reading: Reading, biases: Floats) -> tuple[Floats, Floats]:
    """The plain and the centred word, each as weights of length 1 (or 0 where nothing was read)."""
    seen = np.isfinite(reading.noise)
    noise = np.where(seen, reading.noise, 1.0)
    limit = 1 + _FAR * np.sqrt(noise)
    word = np.where(seen, reading.word.clip(-limit, limit), 0.0)
    lean, doubt = 2 * biases - 1, 4 * biases * (1 - biases)
    trust = seen / (1 + noise)
    share = float(np.clip((trust * word * lean).sum() / max((trust * lean**2).sum(), 1e-12), 0, 1))
    left = word - share * lean
    mixed = (trust * (left**2 - noise)).sum() / max((trust * doubt).sum(), 1e-12)
    spread = max(float(mixed), 0.05) * doubt + noise
    return _unit(word * trust), _unit(seen * left * np.sqrt(doubt) / spread)


def _unit(weights: Floats) -> Floats:
    length = float(np.sqrt((weights**2).sum()))
    return weights / length if length > 0 else weights


class Tail:
    """Chernoff's bound on a sum of ``slopes * (bit - bias)`` over independent bits.

    Args:
        slopes: float64 ``(length,)``.
        biases: probability of a 1 in each position.
    """

    def __init__(self, slopes: Floats, biases: Floats) -> None:
        zero, one = -slopes * biases, slopes * (1 - biases)
        low, high = np.log1p(-biases), np.log(biases)
        self._cumulants = np.array([np.logaddexp(low + t * zero, high + t * one).sum() for t in _TILTS])

    def log_p(self, scores: Floats) -> Floats:
        """Logarithms of upper bounds of the probability to reach each of ``scores`` ``(n,)``."""
        bounds = self._cumulants[None, :] - _TILTS[None, :] * scores[:, None]
        return np.asarray(np.minimum(bounds.min(axis=1), 0.0))
