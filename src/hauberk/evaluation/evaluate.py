"""The worst case: a cascade of attacks, every candidate judged here, a verdict for each sample."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hauberk.attacks import Attack
from hauberk.attacks.attack import check_indices, check_targets
from hauberk.compute import Workers
from hauberk.core.canonical import digest
from hauberk.core.display import render
from hauberk.core.errors import ConfigError
from hauberk.core.evidence import Evidence
from hauberk.core.intervals import wilson
from hauberk.core.progress import SILENT, Progress
from hauberk.datasets import Dataset
from hauberk.evaluation import flags
from hauberk.evaluation.board import AttackRow, Board, Carried, Verdict
from hauberk.evaluation.campaign import Campaign
from hauberk.evaluation.cascade import Stage, stages
from hauberk.evaluation.chance import repeatable
from hauberk.evaluation.journal import Journal
from hauberk.evaluation.pieces import team
from hauberk.evaluation.plan import Plan
from hauberk.models import Classifier
from hauberk.models.checks import check_classifier, check_images, check_labels, probe
from hauberk.models.stand_in import declares
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

    def _repr_html_(self) -> str:
        """A card for notebooks."""
        from hauberk.reports.notebook import evaluation_card  # templates and pictures: not for every evaluation

        return render(evaluation_card(self.evidence))

    def __repr__(self) -> str:
        low, high = self.robust_interval
        return (
            f"Evaluation({self.samples} samples: clean {self.clean_accuracy:.1%}, worst case "
            f"{self.robust_accuracy:.1%} [{low:.1%}, {high:.1%}])"
        )


@repeatable
def evaluate(
    classifier: Classifier,
    images: Tensor,
    labels: Tensor,
    threat: ThreatModel | Geometry,
    *,
    attacks: Sequence[Attack | Stage] | None = None,
    alone: Sequence[Attack] = (),
    carried: Sequence[Carried] = (),
    sources: Sequence[Classifier] = (),
    targets: Tensor | None = None,
    seed: int = 0,
    indices: Tensor | None = None,
    gradients_from: Classifier | None = None,
    name: str = "model",
    dataset: Dataset | None = None,
    journal: Path | None = None,
    workers: Workers | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Accuracy without attack and in the worst case, with a verdict for each sample.

    Args:
        classifier: in eval mode.
        images, labels: as for an attack.
        threat: a ``ThreatModel``, or a geometry such as ``Linf(0.3)``. A query budget holds for each attack
            by itself.
        attacks: the cascade: each attack or ``Stage`` sees only what the ones before it left standing. None
            takes the standard one for the threat, which looks for signs that it is being misled and adds the
            attacks that answer them.
        alone: attacks that are given every sample first, for a figure of their own.
        carried: candidates made on other models, judged before all else.
        sources: other classifiers for the same task, such as the undefended twin: samples are made on them and
            carried over (white-box attackers know them too).
        targets: int64 ``(n,)``, the wanted classes, when the threat is targeted.
        indices: each sample's number in its data set; names its random stream and its verdict.
        gradients_from: for all attacks; see ``Attack``.
        name: of the model, for reports.
        dataset: where images and labels are from, for the evidence; None records the batch itself.
        journal: a folder in which the run keeps what the attacks handed out, so that the same call picks up
            where it was stopped, and ``verdicts.jsonl``, a line for each sample as it falls. Emptied at the
            end.
        workers: who carries the work out (``hauberk.compute``); None: this process. Verdicts do not depend on
            it, rounding in the last digit apart.

    Raises:
        ConfigError, DataError, UnsupportedModel: as ``Attack``.

    Cost: in a cascade broken samples cost little; each that stands costs a hundred passes or so, the few that
        come close to falling some hundreds more.
    Limits: the figure is an upper bound. No attack in the list succeeding proves nothing about others. A
        randomised model is judged by a single answer to each candidate, which the seed names.
    """
    started = time.perf_counter()
    threat = ThreatModel.of(threat)
    check_classifier(classifier)
    images = check_images(classifier, images).detach().cpu()
    labels = check_labels(classifier, labels, len(images)).cpu()
    threat.check_fits(classifier.bounds, classifier.input_shape)
    behaviour = probe(classifier, images)
    targets = check_targets(classifier, threat, labels, targets)
    plan = Plan.make(classifier, threat, attacks, sources, randomized=behaviour.randomized)
    if not plan.stages and not alone and not carried:
        raise ConfigError("an evaluation needs at least one attack")
    lone = stages(alone)
    if indices is None:
        indices = torch.arange(len(images))
    indices = check_indices(indices, len(images)).cpu()
    data = dataset or _batch(images, labels, classifier)
    parameters: dict[str, Any] = {
        "threat": threat.describe(),
        "carried": [{"name": one.name, "recipe": one.recipe, "model": one.source} for one in carried],
        "alone": [one.recipe for one in lone],
        "attacks": "standard" if attacks is None else [one.recipe for one in plan.stages],
        "sources": [one.digest for one in sources],
        "targets": None if targets is None else targets.tolist(),
        "gradients_from": None if gradients_from is None else gradients_from.digest,
        "device": str(classifier.device),
    }
    kept = _open_journal(journal, classifier, data, indices, parameters, seed)

    board = Board(classifier, images, labels, targets, threat, indices, kept)
    drawn = behaviour.randomized or any(
        declares(one, "random") for one in (classifier, *sources, *([gradients_from] if gradients_from else ()))
    )
    campaign = Campaign(board, seed, team(classifier, workers, in_pieces=drawn), gradients_from, progress)
    rows = [board.carry(one) for one in carried]
    with nullcontext() if workers is None else workers.held():
        campaign.run(lone, alone=True)
        found = plan.carry_out(campaign, behaviour)
    rows += campaign.rows
    raised = (*found, *flags.few_samples(len(images)))

    verdicts = board.verdicts()
    right, standing = int(board.right.sum()), int(board.standing.sum())
    result: dict[str, Any] = {
        "samples": len(images),
        "clean_accuracy": right / len(images),
        "clean_interval": list(wilson(right, len(images))),
        "robust_accuracy": standing / len(images),
        "robust_interval": list(wilson(standing, len(images))),
        "attacks": [vars(row) for row in rows],
        "verdicts": [vars(verdict) for verdict in verdicts],
        "gallery": board.gallery(),
        "flags": [flag.describe() for flag in raised],
    }
    evidence = Evidence(
        kind="evaluation",
        subject={"name": name, "digest": classifier.digest},
        inputs={"dataset": data.describe()},
        parameters=parameters,
        result=result,
        seed=seed,
        parents=(classifier.evidence[-1].digest,) if classifier.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
    )
    if kept is not None:
        kept.remove()
    return Evaluation(
        samples=len(images),
        clean_accuracy=result["clean_accuracy"],
        clean_interval=wilson(right, len(images)),
        robust_accuracy=result["robust_accuracy"],
        robust_interval=wilson(standing, len(images)),
        attacks=tuple(rows),
        verdicts=verdicts,
        flags=raised,
        candidates=board.closest,
        evidence=evidence,
    )


def _open_journal(
    folder: Path | None,
    classifier: Classifier,
    data: Dataset,
    indices: Tensor,
    parameters: dict[str, Any],
    seed: int,
) -> Journal | None:
    if folder is None:
        return None
    named = {
        "model": classifier.digest,
        "data": data.digest,
        "indices": indices.tolist(),
        "parameters": parameters,
        "seed": seed,
    }
    return Journal(folder, digest(named))


def _batch(images: Tensor, labels: Tensor, classifier: Classifier) -> Dataset:
    """A bare batch as a data set, for its digest."""
    lower, upper = classifier.bounds.tensors(images)
    return Dataset("batch", images.float(), labels, classifier.labels, (float(lower.min()), float(upper.max())))
