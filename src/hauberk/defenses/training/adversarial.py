"""Adversarial training: learn from the worst point that an inner attack finds around each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from hauberk.core.settings import require_count, require_positive
from hauberk.defenses.defense import needed
from hauberk.defenses.training.climbing import climb
from hauberk.defenses.training.schedule import RobustLesson, ScheduledTraining
from hauberk.models import Classifier
from hauberk.models.training import Moment
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class InnerAttackTraining(ScheduledTraining):
    """Training at the points where an inner attack of several steps ends.

    Args:
        steps: of the inner attack.
        reach: how far the inner attack can travel, in radii: its step is ``reach * eps / steps``.
    """

    steps: int = 7
    reach: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        where = type(self).__name__
        require_count("steps", self.steps, where)
        require_positive("reach", self.reach, where)


@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(InnerAttackTraining):
    """PGD adversarial training with radius warm-up, weight averaging and the best held-out epoch.

    Args:
        steps: of the inner attack.
        reach: how far the inner attack can travel, in radii: its step is ``reach * eps / steps``.
        warmup: share of the training in which the radius grows from 0 to the threat's.
        margin: the radius trained at, relative to the threat's; a little above 1 can help at the edge.
        radius: shape of the growth: ``linear``, ``cosine``, or ``constant`` for none.

    Cost: ``steps + 1`` times the passes of plain training.
    Limits: robust at this norm and radius and, as far as measured, not beyond.
    Source: Madry et al., ICLR 2018; averaging after Izmailov et al., UAI 2018 and Rebuffi et al., 2021.
        The inner attack runs in eval mode, so batch norm's statistics are learnt from one pass only.
    """

    name: ClassVar[str] = "pgd"

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> AdversarialLesson:
        return AdversarialLesson(self, needed(threat, self.name))


@dataclass(frozen=True)
class AdversarialLesson(RobustLesson):
    """The inner maximisation and the outer loss."""

    defense: InnerAttackTraining

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        return climb(
            model,
            images,
            lambda logits: F.cross_entropy(logits, labels, reduction="sum"),
            self.geometry(moment.fraction),
            moment,
            steps=self.defense.steps,
            reach=self.defense.reach,
        )

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        return F.cross_entropy(logits, labels), logits
