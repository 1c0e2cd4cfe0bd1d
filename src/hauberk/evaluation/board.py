"""The score board of an evaluation: a verdict for each sample, a row for each attack."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from hauberk.core.progress import Progress
from hauberk.evaluation.cascade import Stage
from hauberk.evaluation.chance import drawing
from hauberk.evaluation.journal import Journal
from hauberk.evaluation.judge import judge, predictions
from hauberk.evaluation.pictures import choose, image_record
from hauberk.evaluation.pieces import Found, Piece
from hauberk.models import Classifier
from hauberk.threats import ThreatModel

_NOTHING = (0, 0)


class Team(Protocol):
    """Whoever carries out a stage: this process, several, or a cluster."""

    def run(self, whole: Piece, journal: Journal | None, progress: Progress) -> Iterator[Found]:
        """What was found, piece by piece, in any order."""


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
        indices: Tensor,
        journal: Journal | None,
    ) -> None:
        self.classifier, self.threat = classifier, threat
        self.indices, self.journal = indices, journal
        self.images, self.labels, self.targets = images, labels, targets
        self.clean_prediction = predictions(classifier, images)
        self.right = self.clean_prediction == labels
        self.standing = self.right.clone()
        self.by: list[str | None] = [None] * len(images)
        self.prediction = self.clean_prediction.clone()
        self.distance = torch.zeros(len(images), dtype=torch.float64)
        self.queries = torch.zeros(len(images), dtype=torch.int64)
        self.closest = images.clone()
        self.margin = torch.full((len(images),), -torch.inf)  # the attacker's, at the closest point
        self._zero = torch.zeros(len(images), dtype=torch.bool)

    def run(
        self,
        label: str,
        stage: Stage,
        seed: int,
        team: Team,
        progress: Progress,
        *,
        alone: bool,
    ) -> AttackRow:
        """Run a stage on all samples (``alone``) or on those of its share, and judge what it hands out."""
        rows = self._chosen(stage, alone=alone)
        if not len(rows):
            return self._row(label, stage.recipe, rows, _NOTHING, alone, 0.0, 0.0)
        whole = Piece(
            name=label.replace(" ", "-").replace("(", "").replace(")", ""),
            attack=stage.attack,
            threat=self.threat,
            seed=seed,
            rows=rows,
            images=self.images[rows],
            labels=self.labels[rows],
            targets=None if self.targets is None else self.targets[rows],
            indices=self.indices[rows],
            starts=self.closest[rows] if stage.carried else None,
            gradients_from=stage.gradients_from,
        )
        started = time.perf_counter()
        broke = invalid = 0
        spent = torch.zeros(0, dtype=torch.int64)
        for found in team.run(whole, self.journal, progress):
            self.queries[found.rows] += found.queries
            self._zero[found.rows] |= found.zero_gradient
            with drawing(self.classifier.device, seed, "judge", int(found.rows[0])):  # they come in any order
                more = self._judge(label, found.rows, found.candidates, found.margins)
            broke, invalid = broke + more[0], invalid + more[1]
            spent = torch.cat([spent, found.queries])
        seconds = time.perf_counter() - started
        queries = float(spent.double().mean())
        return self._row(label, stage.recipe, rows, (broke, invalid), alone, queries, seconds)

    def _chosen(self, stage: Stage, *, alone: bool) -> Tensor:
        """Whom a stage attacks: everybody, or of those that stand the ones closest to falling."""
        if alone:
            return self.right.nonzero().squeeze(1)
        rows = self.standing.nonzero().squeeze(1)
        most = math.ceil(stage.share * len(self.images))
        if len(rows) <= most:
            return rows
        order = self.margin[rows].argsort(descending=True, stable=True)
        return rows[order[:most]].sort().values

    def carry(self, carried: Carried) -> AttackRow:
        """Judge candidates that were made on another model."""
        rows = self.right.nonzero().squeeze(1)
        tally = self._judge(carried.name, rows, carried.candidates[rows]) if len(rows) else _NOTHING
        return self._row(carried.name, carried.recipe, rows, tally, True, 0.0, 0.0)

    def _judge(
        self,
        name: str,
        rows: Tensor,
        candidates: Tensor,
        margins: Tensor | None = None,
    ) -> tuple[int, int]:
        """Enter what the judge says of candidates for ``rows``; returns how many broke and were invalid."""
        targets = None if self.targets is None else self.targets[rows]
        judgement = judge(
            self.classifier, self.images[rows], candidates, self.labels[rows], self.threat, targets
        )
        fresh = judgement.broken & self.standing[rows]
        if margins is None:
            margins = torch.full(rows.shape, -torch.inf)
        nearer = self.standing[rows] & ~judgement.invalid & (margins > self.margin[rows])
        shown = fresh | nearer
        self.closest[rows[shown]] = candidates[shown].to(self.images.dtype)
        self.margin[rows[nearer]] = margins[nearer]
        won = rows[fresh]
        for row in won.tolist():
            self.by[row] = name
        self.prediction[won] = judgement.prediction[fresh]
        self.distance[won] = judgement.distance[fresh]
        self.standing[won] = False
        if self.journal is not None:
            for row in won.tolist():
                told = {"index": int(self.indices[row]), "by": name, "distance": float(self.distance[row])}
                self.journal.tell({**told, "prediction": int(self.prediction[row])})
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

    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(
            Verdict(
                index=int(self.indices[row]),
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

    def gallery(self) -> list[dict[str, Any]]:
        """A few samples with the point that broke them or at which the last attack came closest."""
        return [
            {
                "index": int(self.indices[row]),
                "label": self.classifier.labels[int(self.labels[row])],
                "clean_prediction": self.classifier.label(int(self.clean_prediction[row])),
                "prediction": self.classifier.label(int(self.prediction[row])),
                "by": self.by[row],
                "distance": float(self.distance[row]) if self.by[row] else None,
                "original": image_record(self.images[row], self.classifier),
                "adversarial": image_record(self.closest[row], self.classifier),
            }
            for row in choose(self.labels)
        ]
