"""Fusion of a model trained on clean images (M1) with a hardened one (M2), by a trained gate."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count, require_positive, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import Defense, TrainingDefense, check_threat, needed
from hauberk.defenses.several.inner import (
    HARDENING_PLAN,
    beside,
    check_inner,
    configured,
    describe_inner,
    joint_evidence,
    own_seed,
)
from hauberk.defenses.training.climbing import attacked, climb
from hauberk.models import Classifier, load, read
from hauberk.models.several import Gated, fusion
from hauberk.models.training import Lesson, Moment, TrainingPlan, accuracy
from hauberk.models.twin import pass_size, passes
from hauberk.threats import Geometry, ThreatModel


@dataclass(frozen=True, kw_only=True)
class Fusion(Defense):
    """M1 + M2: the given classifier and a hardened one, weighed for each image by a gate.

    The members stay as they are; the gate alone learns, from clean images and from adversarial ones that are
    made anew for each batch, against members and gate together.

    Args:
        plan: how M2 learns.
        inner: the training method that makes M2 from the given classifier, by name or configured (its own plan,
            ``held_out`` and ``fresh`` are overruled).
        fresh: M2 starts from new random weights instead of M1's.
        partner: an M2 that exists already, as a classifier or as the path of its package; ``plan``, ``inner``
            and ``fresh`` are then without effect.
        held_out: as in ``TrainingDefense``, for M2 and for the gate.
        gate_epochs, gate_rate: how long the gate learns, and its highest learning rate.
        steps, reach: of the attack on the whole, as in ``AdversarialTraining``.
        clean_share: what the loss on clean images counts, the rest being the loss on adversarial ones.
        width: of the gate; see ``hauberk.models.several.Gate``.

    Cost: M2's, and ``gate_epochs * (steps + 2)`` passes of both members over the data; in use both.
    Limits: seldom more robust than M2 alone, since whoever sees the gate can turn it; it buys back some of the
        clean accuracy that M2 gave up, and pays with some of M2's robustness. Compare it with M1, M2 and their
        plain average (``hauberk.models.several.apart``) before choosing it.
    Source: the "M1 + M2" fusion of the field's Chinese texts; here the gate is trained against attacks on the
        whole, without which it only recognises the samples of one attack on M1.
    """

    name: ClassVar[str] = "fusion"
    learns: ClassVar[bool] = True

    plan: TrainingPlan = HARDENING_PLAN
    inner: str | TrainingDefense = "pgd"
    fresh: bool = False
    partner: Classifier | str | Path | None = None
    held_out: int | None = None
    gate_epochs: int = 5
    gate_rate: float = 2e-3
    steps: int = 7
    reach: float = 2.0
    clean_share: float = 0.5
    width: int = 16

    def __post_init__(self) -> None:
        check_inner(self.inner, where="Fusion")
        if not isinstance(self.plan, TrainingPlan):
            raise ConfigError(f"Fusion: plan must be a TrainingPlan, got {self.plan!r}")
        configured(self.inner, self.plan, held_out=self.held_out, fresh=self.fresh)  # refuses what cannot be
        if self.partner is not None and not isinstance(self.partner, Classifier | str | Path):
            raise ConfigError(f"Fusion: partner is a classifier or a package, got {self.partner!r}")
        for name in ("gate_epochs", "width"):
            require_count(name, getattr(self, name), "Fusion")
        self._gate_training({})

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None = None,
        *,
        seed: int = 0,
        name: str = "hardened",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """As ``Defense.fit``; the evidence names M1 (``model``) and M2 (``partner``), has the last
        records of both as parents, and says what the gate does with each.

        Raises:
            ConfigError: a partner that does not fit the classifier.
        """
        threat = needed(check_threat(classifier, threat), self.name)
        hardened, made_by = self._hardened(classifier, data, threat, seed, name, checkpoint, progress)
        start = fusion([classifier, hardened], width=self.width, seed=seed)
        start.evidence = joint_evidence([classifier, hardened])
        training = self._gate_training({"M1": classifier.digest, "M2": hardened.digest, "M2_made_by": made_by})
        made = training.fit(start, data, threat, seed=seed, name=name, checkpoint=checkpoint, progress=progress)
        *earlier, last = made.evidence
        born = [one.evidence[-1] for one in (classifier, hardened) if one.evidence]
        record = replace(
            last,
            inputs={**last.inputs, "model": _named(classifier), "partner": _named(hardened)},
            parents=tuple({one.digest: None for one in born}),
        )
        made.evidence = (*earlier, record)
        return made

    def inputs(self) -> dict[str, str]:
        """The digest of ``partner``: of all of its package, where it is one."""
        if self.partner is None:
            return {}
        given = self.partner
        return {"partner": given.digest if isinstance(given, Classifier) else read(given).digest}

    def _hardened(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel,
        seed: int,
        name: str,
        checkpoint: str | Path | None,
        progress: Progress,
    ) -> tuple[Classifier, dict[str, Any] | None]:
        """M2, and the method that made it; None where it was given."""
        if isinstance(self.partner, Classifier):
            return copy.deepcopy(self.partner), None
        if self.partner is not None:
            return load(self.partner, device=classifier.device), None
        method = configured(self.inner, self.plan, held_out=self.held_out, fresh=self.fresh)
        made = method.fit(
            classifier,
            data,
            threat,
            seed=own_seed(seed, "M2"),
            name=f"{name} M2",
            checkpoint=beside(checkpoint, "M2"),
            progress=progress,
        )
        return made, describe_inner(self.inner)

    def _gate_training(self, members: dict[str, Any]) -> _GateTraining:
        plan = TrainingPlan(
            epochs=self.gate_epochs,
            learning_rate=self.gate_rate,
            schedule="one-cycle",
            batch_size=self.plan.batch_size,
        )
        return _GateTraining(
            plan=plan,
            held_out=self.held_out,
            members=members,
            steps=self.steps,
            reach=self.reach,
            clean_share=self.clean_share,
        )


@dataclass(frozen=True, kw_only=True)
class _GateTraining(TrainingDefense):
    """The second half of ``Fusion``: trains the gate of a fusion whose members are done."""

    name: ClassVar[str] = Fusion.name

    members: dict[str, Any]
    steps: int
    reach: float
    clean_share: float

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, "Fusion")
        require_positive("reach", self.reach, "Fusion")
        require_within("clean_share", self.clean_share, "Fusion", "[0, 1)")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return _GateLesson(self, needed(threat, self.name))


@dataclass(frozen=True)
class _GateLesson(Lesson):
    """Cross-entropy of the whole on clean images and on attacks on the whole, learnt by the gate alone."""

    select: ClassVar[str] = "held_out_robust"

    training: _GateTraining
    threat: ThreatModel

    def eps(self, fraction: float) -> float:
        return self.threat.geometry.eps

    def learns(self, model: Classifier) -> Iterable[nn.Parameter]:
        return _gated(model).gate.parameters()

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        return climb(
            model,
            images,
            lambda logits: F.cross_entropy(logits, labels, reduction="sum"),
            self.threat.geometry,
            moment,
            steps=self.training.steps,
            reach=self.training.reach,
        )

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        clean, worst = model(torch.cat([images, crafted])).chunk(2)
        share = self.training.clean_share
        loss = share * F.cross_entropy(clean, labels) + (1 - share) * F.cross_entropy(worst, labels)
        return loss, worst

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        """Beside the accuracies: how much M2 counts on clean and on attacked images."""
        found = attacked(model, held_out, self.threat, seed)
        return {
            "held_out_accuracy": accuracy(model, held_out.images, held_out.labels),
            "held_out_robust": found.robust_accuracy,
            "hardened_share_clean": _mean_share(model, held_out.images),
            "hardened_share_attacked": _mean_share(model, found.candidates),
        }


def _named(model: Classifier) -> dict[str, Any]:
    """A model as an input of evidence: by the name it was born with, if any, and its digest."""
    born = dict(model.evidence[-1].subject) if model.evidence else {}
    return {**born, "digest": model.digest}


def _gated(model: Classifier) -> Gated:
    assert isinstance(model.module, Gated)
    return model.module


@torch.no_grad()
def _mean_share(model: Classifier, images: Tensor) -> float:
    """What the last member counts, on average."""
    total = 0.0
    for part in passes(len(images), pass_size(model)):
        total += float(_gated(model).shares(images[part].to(model.device, model.dtype))[:, -1].sum())
    return total / len(images)
