"""The worst case: a cascade of attacks, every candidate judged here, a verdict for each sample."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hauberk.attacks import FGSM, RFGSM, Attack
from hauberk.attacks.attack import check_indices, check_targets
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.progress import SILENT, Progress
from hauberk.core.seeds import derive_seed
from hauberk.datasets import Dataset
from hauberk.evaluation import flags
from hauberk.evaluation.board import AttackRow, Board, Carried, Verdict
from hauberk.evaluation.intervals import wilson
from hauberk.evaluation.standard import standard_attacks
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels, probe
from hauberk.threats import Geometry, ThreatModel


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
    carried: Sequence[Carried] = (),
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
        carried: candidates made on other models, judged before all else.
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
    behaviour = probe(classifier, images)
    targets = check_targets(classifier, threat, labels, targets)
    cascade = tuple(attacks) if attacks is not None else standard_attacks(classifier, threat)
    if not cascade and not alone and not carried:
        raise ConfigError("an evaluation needs at least one attack")
    for one in (*alone, *cascade):
        if not isinstance(one, Attack):
            raise ConfigError(f"an evaluation runs attacks such as PGD(steps=40), got {one!r}")
    if indices is None:
        indices = torch.arange(len(images))
    indices = check_indices(indices, len(images)).cpu()

    board = Board(classifier, images, labels, targets, threat)
    runs = [(attack, True) for attack in alone] + [(attack, False) for attack in cascade]
    rows = [board.carry(one) for one in carried]
    for position, (name_of, (attack, is_alone)) in enumerate(zip(_labels(runs), runs, strict=True)):
        # a seed for each place in the order: two PGDs must not start from the same points
        own = derive_seed(seed, "attack", position)
        rows.append(board.run(name_of, attack, indices, own, gradients_from, progress, alone=is_alone))
    found = (
        *flags.zero_gradients(board.zero_share),
        *flags.one_step_beats_many(*_one_step_and_many(rows[len(carried) :])),
        *flags.randomised(behaviour.largest_change if behaviour.randomized else None),
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
            "carried": [{"name": one.name, "recipe": one.recipe, "model": one.source} for one in carried],
            "alone": [repr(attack) for attack in alone],
            "attacks": [repr(attack) for attack in cascade],
            "targets": None if targets is None else targets.tolist(),
            "gradients_from": None if gradients_from is None else gradients_from.digest,
            "device": str(classifier.device),
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


def _labels(runs: Sequence[tuple[Attack, bool]]) -> list[str]:
    """A name for each attack that no other has: ``pgd``, ``pgd-2``."""
    seen: dict[str, int] = {}
    labels = []
    for attack, _ in runs:
        seen[attack.name] = seen.get(attack.name, 0) + 1
        count = seen[attack.name]
        labels.append(attack.name if count == 1 else f"{attack.name}-{count}")
    return labels


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
