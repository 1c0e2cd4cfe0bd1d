"""The worst case: a cascade of attacks, every candidate judged here, a verdict for each sample."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hauberk.attacks import FGSM, RFGSM, Attack, AttackResult
from hauberk.attacks.attack import check_indices, check_targets
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.evaluation import flags
from hauberk.evaluation.intervals import wilson
from hauberk.evaluation.judge import Judgement, judge, predictions
from hauberk.evaluation.pictures import choose, image_record
from hauberk.evaluation.standard import standard_attacks
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels, probe
from hauberk.threats import Geometry, ThreatModel


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
class Evaluation:
    """The measured truth about a classifier under one threat.

    Args:
        clean_accuracy, robust_accuracy: shares in [0, 1]; ``robust_accuracy`` is the worst case over the
            attacks run, an upper bound on the true one.
        clean_interval, robust_interval: 95 % Wilson.
        attacks: one row per attack, in the order run.
        verdicts: one per sample, in the order given.
        flags: why the figures may mislead.
        candidates: per sample the adversarial input that broke it, or where the last attack came closest.
        evidence: all of it as a document.
    """

    samples: int
    clean_accuracy: float
    clean_interval: tuple[float, float]
    robust_accuracy: float
    robust_interval: tuple[float, float]
    attacks: tuple[AttackRow, ...]
    verdicts: tuple[Verdict, ...]
    flags: tuple[flags.Flag, ...]
    candidates: Tensor = field(repr=False)
    evidence: Evidence = field(repr=False)

    def __repr__(self) -> str:
        low, high = self.robust_interval
        return (
            f"Evaluation({self.samples} samples: clean {self.clean_accuracy:.1%}, worst case "
            f"{self.robust_accuracy:.1%} [{low:.1%}, {high:.1%}])"
        )


def evaluate(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    threat: ThreatModel | Geometry,
    *,
    attacks: Sequence[Attack] | None = None,
    alone: Sequence[Attack] = (),
    targets: Tensor | None = None,
    seed: int = 0,
    indices: Tensor | None = None,
    gradients_from: Classifier | None = None,
    name: str = "model",
    dataset: Dataset | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Accuracy without attack and in the worst case, with a verdict for each sample.

    Args:
        classifier: in eval mode.
        images, labels: as for an attack.
        threat: a ``ThreatModel``, or a geometry such as ``Linf(0.3)``. A query budget holds for each attack
            by itself.
        attacks: the cascade: each sees only what the ones before it left standing. None takes a standard
            one of iterated attacks with three losses.
        alone: attacks that are given every sample first, for a figure of their own.
        targets: int64 ``(n,)``, the wanted classes, when the threat is targeted.
        indices: each sample's number in its data set; names its random stream and its verdict.
        gradients_from: see ``Attack``.
        name: of the model, for reports.
        dataset: where images and labels are from, for the evidence; None records the batch itself.

    Raises:
        ConfigError, DataError, UnsupportedModel: as ``Attack``.

    Cost: in a cascade broken samples cost little; each that stands costs the passes of all attacks.
    Limits: the figure is an upper bound. No attack in the list succeeding proves nothing about others. A
        randomised model is judged by a single answer to each candidate.
    """
    started = time.perf_counter()
    threat = ThreatModel.of(threat)
    check_classifier(classifier)
    images = check_images(classifier, images).detach().cpu()
    labels = check_labels(classifier, labels, len(images)).cpu()
    threat.check_fits(classifier.bounds, classifier.input_shape)
    probe(classifier, images)
    targets = check_targets(classifier, threat, labels, targets)
    cascade = tuple(attacks) if attacks is not None else standard_attacks(classifier, threat)
    if not cascade and not alone:
        raise ConfigError("an evaluation needs at least one attack")
    for one in (*alone, *cascade):
        if not isinstance(one, Attack):
            raise ConfigError(f"an evaluation runs attacks such as PGD(steps=40), got {one!r}")
    if indices is None:
        indices = torch.arange(len(images))
    indices = check_indices(indices, len(images)).cpu()

    board = _Board(classifier, images, labels, targets, threat)
    ask = (indices, seed, gradients_from, progress)
    rows = [board.run(attack, *ask, alone=True) for attack in alone]
    rows += [board.run(attack, *ask, alone=False) for attack in cascade]
    found = (
        *flags.zero_gradients(board.zero_share),
        *flags.one_step_beats_many(*_one_step_and_many(rows)),
        *flags.few_samples(len(images)),
    )
    verdicts = board.verdicts(indices)
    right, standing = int(board.right.sum()), int(board.standing.sum())
    result: dict[str, Any] = {
        "samples": len(images),
        "clean_accuracy": right / len(images),
        "clean_interval": list(wilson(right, len(images))),
        "robust_accuracy": standing / len(images),
        "robust_interval": list(wilson(standing, len(images))),
        "attacks": [vars(row) for row in rows],
        "verdicts": [vars(verdict) for verdict in verdicts],
        "gallery": board.gallery(indices),
        "flags": [flag.describe() for flag in found],
    }
    evidence = Evidence(
        kind="evaluation",
        subject={"name": name, "digest": classifier.digest},
        inputs={"dataset": (dataset or _batch(images, labels, classifier)).describe()},
        parameters={
            "threat": threat.describe(),
            "alone": [repr(attack) for attack in alone],
            "attacks": [repr(attack) for attack in cascade],
            "targets": None if targets is None else targets.tolist(),
            "gradients_from": None if gradients_from is None else gradients_from.digest,
        },
        result=result,
        seed=seed,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    return Evaluation(
        samples=len(images),
        clean_accuracy=result["clean_accuracy"],
        clean_interval=wilson(right, len(images)),
        robust_accuracy=result["robust_accuracy"],
        robust_interval=wilson(standing, len(images)),
        attacks=tuple(rows),
        verdicts=verdicts,
        flags=found,
        candidates=board.closest,
        evidence=evidence,
    )


class _Board:
    """Who still stands; all tensors on the CPU, one row per sample."""

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
        attack: Attack,
        indices: Tensor,
        seed: int,
        gradients_from: Classifier | None,
        progress: Progress,
        *,
        alone: bool,
    ) -> AttackRow:
        mask = self.right if alone else self.standing
        rows = mask.nonzero().squeeze(1)
        broke = invalid = 0
        queries, seconds = 0.0, 0.0
        if len(rows):
            targets = None if self.targets is None else self.targets[rows]
            result = attack(
                self.classifier,
                self.images[rows],
                self.labels[rows],
                self.threat,
                targets=targets,
                seed=seed,
                indices=indices[rows],
                gradients_from=gradients_from,
                progress=progress,
            )
            judgement = judge(
                self.classifier, self.images[rows], result.candidates, self.labels[rows], self.threat, targets
            )
            self._enter(attack, rows, result, judgement)
            broke, invalid = int(judgement.broken.sum()), int(judgement.invalid.sum())
            queries, seconds = float(result.queries.double().mean()), result.seconds
        samples = len(self.images)
        return AttackRow(
            name=attack.name,
            recipe=repr(attack),
            attacked=len(rows),
            broke=broke,
            alone_accuracy=(len(rows) - broke) / samples if alone else None,
            robust_after=int(self.standing.sum()) / samples,
            queries_mean=round(queries, 2),
            seconds=round(seconds, 3),
            invalid=invalid,
        )

    def _enter(self, attack: Attack, rows: Tensor, result: AttackResult, judgement: Judgement) -> None:
        self.queries[rows] += result.queries
        self._zero[rows] |= result.zero_gradient
        fresh = judgement.broken & self.standing[rows]
        shown = fresh | (self.standing[rows] & ~judgement.invalid)
        self.closest[rows[shown]] = result.candidates[shown].to(self.images.dtype)
        won = rows[fresh]
        for row in won.tolist():
            self.by[row] = attack.name
        self.prediction[won] = judgement.prediction[fresh]
        self.distance[won] = judgement.distance[fresh]
        self.standing[won] = False

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


def _batch(images: Tensor, labels: Tensor, classifier: Classifier) -> Dataset:
    """A bare batch as a data set, for its digest."""
    lower, upper = classifier.bounds.tensors(images)
    return Dataset("batch", images.float(), labels, classifier.labels, (float(lower.min()), float(upper.max())))


def _one_step_and_many(rows: Sequence[AttackRow]) -> tuple[float | None, float | None]:
    """Accuracy under FGSM alone, and under the strongest iterated attack alone, where measured."""
    one = [row.alone_accuracy for row in rows if row.name == FGSM.name and row.alone_accuracy is not None]
    single = (FGSM.name, RFGSM.name)
    many = [row.alone_accuracy for row in rows if row.name not in single and row.alone_accuracy is not None]
    return (min(one) if one else None), (min(many) if many else None)
