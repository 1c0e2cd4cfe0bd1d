"""The score board of an evaluation: a verdict for each sample, a row for each attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hauberk.attacks import Attack
from hauberk.core.progress import Progress
from hauberk.evaluation.judge import judge, predictions
from hauberk.evaluation.pictures import choose, image_record
from hauberk.models import Classifier
from hauberk.threats import ThreatModel

_NOTHING = (0, 0)


@dataclass(frozen=True)
class Verdict:
    """What became of one sample.

    Args:
        index: its number in the data set.
        label, clean_prediction: truth, and what the model says without attack.
        status: ``misclassified`` (wrong without attack), ``broken`` or ``robust``.
        by: the attack that broke it first, or None.
        prediction: what the model says of the adversarial input (of the clean one where it stands).
        distance: of the adversarial input, in the threat's norm; None where it stands.
        queries: forward passes spent on it by all attacks.
    """

    index: int
    label: int
    clean_prediction: int
    status: str
    by: str | None
    prediction: int
    distance: float | None
    queries: int


@dataclass(frozen=True)
class AttackRow:
    """What one attack did.

    Args:
        attacked: samples it was given: right without attack and, in a cascade, still standing.
        broke: of those, candidates that the judge let count.
        alone_accuracy: accuracy if this were the only attack; None in a cascade, where it did not see all.
        robust_after: accuracy left after it and all before it.
        invalid: candidates outside the threat; a fault of the attack, never counted as broken.
    """

    name: str
    recipe: str
    attacked: int
    broke: int
    alone_accuracy: float | None
    robust_after: float
    queries_mean: float
    seconds: float
    invalid: int


@dataclass(frozen=True, eq=False)
class Carried:
    """Candidates that were made on another model and are carried over to this one.

    Args:
        name: for tables, such as ``fgsm on undefended``.
        recipe: the attack with its settings, as text.
        source: digest of the model they were made on.
        candidates: one for each image, in order.
    """

    name: str
    recipe: str
    source: str
    candidates: Tensor


class Board:
    """Who still stands after each attack; all tensors on the CPU, one row per sample."""

    def __init__(
        self,
        classifier: Classifier,
        images: Tensor,
        labels: Tensor,
        targets: Tensor | None,
        threat: ThreatModel,
    ) -> None:
        self.classifier, self.threat = classifier, threat
        self.images, self.labels, self.targets = images, labels, targets
        self.clean_prediction = predictions(classifier, images)
        self.right = self.clean_prediction == labels
        self.standing = self.right.clone()
        self.by: list[str | None] = [None] * len(images)
        self.prediction = self.clean_prediction.clone()
        self.distance = torch.zeros(len(images), dtype=torch.float64)
        self.queries = torch.zeros(len(images), dtype=torch.int64)
        self.closest = images.clone()
        self._zero = torch.zeros(len(images), dtype=torch.bool)

    def run(
        self,
        name: str,
        attack: Attack,
        indices: Tensor,
        seed: int,
        gradients_from: Classifier | None,
        progress: Progress,
        *,
        alone: bool,
    ) -> AttackRow:
        """Run an attack on all samples (``alone``) or on those that stand, and judge what it hands out."""
        rows = (self.right if alone else self.standing).nonzero().squeeze(1)
        if not len(rows):
            return self._row(name, repr(attack), rows, _NOTHING, alone, 0.0, 0.0)
        result = attack(
            self.classifier,
            self.images[rows],
            self.labels[rows],
            self.threat,
            targets=None if self.targets is None else self.targets[rows],
            seed=seed,
            indices=indices[rows],
            gradients_from=gradients_from,
            progress=progress,
        )
        self.queries[rows] += result.queries
        self._zero[rows] |= result.zero_gradient
        tally = self._judge(name, rows, result.candidates)
        queries = float(result.queries.double().mean())
        return self._row(name, repr(attack), rows, tally, alone, queries, result.seconds)

    def carry(self, carried: Carried) -> AttackRow:
        """Judge candidates that were made on another model."""
        rows = self.right.nonzero().squeeze(1)
        tally = self._judge(carried.name, rows, carried.candidates[rows]) if len(rows) else _NOTHING
        return self._row(carried.name, carried.recipe, rows, tally, True, 0.0, 0.0)

    def _judge(self, name: str, rows: Tensor, candidates: Tensor) -> tuple[int, int]:
        """Enter what the judge says of candidates for ``rows``; returns how many broke and were invalid."""
        targets = None if self.targets is None else self.targets[rows]
        judgement = judge(
            self.classifier, self.images[rows], candidates, self.labels[rows], self.threat, targets
        )
        fresh = judgement.broken & self.standing[rows]
        shown = fresh | (self.standing[rows] & ~judgement.invalid)
        self.closest[rows[shown]] = candidates[shown].to(self.images.dtype)
        won = rows[fresh]
        for row in won.tolist():
            self.by[row] = name
        self.prediction[won] = judgement.prediction[fresh]
        self.distance[won] = judgement.distance[fresh]
        self.standing[won] = False
        return int(judgement.broken.sum()), int(judgement.invalid.sum())

    def _row(
        self,
        name: str,
        recipe: str,
        rows: Tensor,
        tally: tuple[int, int],
        alone: bool,
        queries: float,
        seconds: float,
    ) -> AttackRow:
        broke, invalid = tally
        samples = len(self.images)
        return AttackRow(
            name=name,
            recipe=recipe,
            attacked=len(rows),
            broke=broke,
            alone_accuracy=(len(rows) - broke) / samples if alone else None,
            robust_after=int(self.standing.sum()) / samples,
            queries_mean=round(queries, 2),
            seconds=round(seconds, 3),
            invalid=invalid,
        )

    @property
    def zero_share(self) -> float:
        return float(self._zero[self.right].float().mean()) if bool(self.right.any()) else 0.0

    def status(self, row: int) -> str:
        if not self.right[row]:
            return "misclassified"
        return "robust" if self.standing[row] else "broken"

    def verdicts(self, indices: Tensor) -> tuple[Verdict, ...]:
        return tuple(
            Verdict(
                index=int(indices[row]),
                label=int(self.labels[row]),
                clean_prediction=int(self.clean_prediction[row]),
                status=self.status(row),
                by=self.by[row],
                prediction=int(self.prediction[row]),
                distance=float(self.distance[row]) if self.by[row] else None,
                queries=int(self.queries[row]),
            )
            for row in range(len(self.images))
        )

    def gallery(self, indices: Tensor) -> list[dict[str, Any]]:
        """A few samples with the point that broke them or at which the last attack came closest."""
        return [
            {
                "index": int(indices[row]),
                "label": self.classifier.labels[int(self.labels[row])],
                "clean_prediction": self.classifier.labels[int(self.clean_prediction[row])],
                "prediction": self.classifier.labels[int(self.prediction[row])],
                "by": self.by[row],
                "distance": float(self.distance[row]) if self.by[row] else None,
                "original": image_record(self.images[row], self.classifier),
                "adversarial": image_record(self.closest[row], self.classifier),
            }
            for row in choose(self.labels)
        ]
