"""Adversarial training: learn from the worst point that an inner attack finds around each image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense
from hauberk.defenses.training.climbing import at_radius, climb, robust_scores
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment, TrainingPlan
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(TrainingDefense):
    """PGD adversarial training with radius warm-up, weight averaging and the best held-out epoch.

    Args:
        steps: of the inner attack.
        reach: how far the inner attack can travel, in radii: its step is ``reach * eps / steps``.
        warmup: share of the training in which the radius grows from 0 to the threat's.
        margin: the radius trained at, relative to the threat's; a little above 1 can help at the edge.

    Cost: ``steps + 1`` times the passes of plain training.
    Limits: robust at this norm and radius and, as far as measured, not beyond.
    Source: Madry et al., ICLR 2018; averaging after Izmailov et al., UAI 2018 and Rebuffi et al., 2021.
        The inner attack runs in eval mode, so batch norm's statistics are learnt from one pass only.
    """

    name: ClassVar[str] = "pgd"

    plan: TrainingPlan = TrainingPlan(epochs=10, schedule="one-cycle", learning_rate=2e-3, averaging=0.998)
    held_out: int | None = None
    steps: int = 7
    reach: float = 2.0
    warmup: float = 0.3
    margin: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("reach", "warmup", "margin"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ConfigError(f"AdversarialTraining: {name} must be a number, got {value!r}")
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise ConfigError(f"AdversarialTraining: steps must be at least 1, got {self.steps!r}")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"AdversarialTraining: warmup must lie in [0, 1), got {self.warmup!r}")
        if not self.reach > 0 or not self.margin > 0:
            raise ConfigError("AdversarialTraining: reach and margin must be above 0")

    def lesson(self, classifier: Classifier, threat: ThreatModel) -> AdversarialLesson:
        return AdversarialLesson(self, threat)


@dataclass(frozen=True)
class AdversarialLesson(Lesson):
    """The inner maximisation and the outer loss."""

    select: ClassVar[str] = "held_out_robust"

    defense: AdversarialTraining
    threat: ThreatModel

    def eps(self, fraction: float) -> float:
        grown = min(1.0, fraction / self.defense.warmup) if self.defense.warmup else 1.0
        return max(grown * self.defense.margin, 1e-3) * self.threat.geometry.eps

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        geometry = at_radius(self.threat.geometry, self.eps(moment.fraction))
        return climb(
            model,
            images,
            lambda logits: F.cross_entropy(logits, labels, reduction="sum"),
            geometry,
            moment,
            steps=self.defense.steps,
            reach=self.defense.reach,
        )

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        return F.cross_entropy(logits, labels), logits

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        return robust_scores(model, held_out, self.threat, seed)
