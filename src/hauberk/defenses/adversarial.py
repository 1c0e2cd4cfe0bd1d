"""Adversarial training: learn from the worst point that an inner attack finds around each image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.attacks import PGD
from hauberk.attacks.objectives import CrossEntropy
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.defenses.defense import Defense
from hauberk.models import Classifier
from hauberk.models.training import Moment, TrainingPlan, accuracy
from hauberk.threats import Geometry, ThreatModel

_SCORING = PGD(steps=20)  # on held-out data after each epoch


@dataclass(frozen=True, kw_only=True)
class AdversarialTraining(Defense):
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
class AdversarialLesson:
    """The inner maximisation and the outer loss."""

    defense: AdversarialTraining
    threat: ThreatModel
    select: str = "held_out_robust"

    def eps(self, fraction: float) -> float:
        grown = min(1.0, fraction / self.defense.warmup) if self.defense.warmup else 1.0
        return max(grown * self.defense.margin, 1e-3) * self.threat.geometry.eps

    def loss(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> tuple[Tensor, Tensor]:
        radius = self.eps(moment.fraction)
        geometry = self.threat.geometry.with_eps(_whole(self.threat.geometry, radius))
        lower, upper = model.bounds.tensors(images)
        start = geometry.project(images, images + geometry.uniform(images, moment.streams), lower, upper)
        scale = geometry.step_scale(model.bounds, model.input_shape)
        x = start
        with frozen(model):
            for _ in range(self.defense.steps):
                x = x.detach().requires_grad_(True)
                climbed = CrossEntropy()(model(x), labels, None).sum()
                (gradient,) = torch.autograd.grad(climbed, x)
                ahead = x.detach() + self.defense.reach * scale / self.defense.steps * geometry.steepest(
                    gradient
                )
                x = geometry.project(images, ahead, lower, upper)
        logits = model(x.detach())
        return F.cross_entropy(logits, labels), logits

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        # white box and without a query budget, whatever the threat: as the training itself
        result = _SCORING(model, held_out.images, held_out.labels, self.threat.geometry, seed=seed)
        return {
            "held_out_accuracy": accuracy(model, held_out.images, held_out.labels),
            "held_out_robust": result.robust_accuracy,
        }


def _whole(geometry: Geometry, radius: float) -> float:
    """A counting norm takes whole radii only."""
    return max(1.0, round(radius)) if geometry.norm == "l0" else radius


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Eval mode without parameter gradients, for looking at the input's gradient alone."""
    training = [one for one in model.modules() if one.training]
    learning = [one for one in model.parameters() if one.requires_grad]
    model.eval()
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
        for module in training:
            module.training = True
