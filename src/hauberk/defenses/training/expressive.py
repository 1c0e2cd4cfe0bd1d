"""Adversarial training that keeps an eye on bounds: between what attacks find and what can be proven."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import needed
from hauberk.defenses.training.adversarial import AdversarialLesson, AdversarialTraining
from hauberk.defenses.training.interval import certified_share, check_bounds
from hauberk.models import Classifier
from hauberk.models.bounds import ball, boxes, chain, worst_logits
from hauberk.models.training import Moment
from hauberk.threats import Geometry, ThreatModel


@dataclass(frozen=True, kw_only=True)
class ExpressiveTraining(AdversarialTraining):
    """PGD adversarial training with a share of the interval bounds' loss (MTL-IBP).

    Args:
        bounds: weight of the bounds' loss, the attack's loss has the rest; it grows with the radius. A few
            hundredths make attacks harder to find; a few tenths allow certificates, at a price in accuracy.

    Cost: that of adversarial training and about three passes more.
    Limits: Linf only, and networks as for ``ibp``. With small ``bounds`` few samples can be certified.
    Source: De Palma et al., Expressive losses for verified robustness via convex combinations, ICLR 2024.
    """

    name: ClassVar[str] = "mtl-ibp"

    bounds: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("bounds", self.bounds, "ExpressiveTraining", "(0, 1)")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> ExpressiveLesson:
        return ExpressiveLesson(self, needed(threat, self.name))

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
        """As ``TrainingDefense.fit``.

        Raises:
            ConfigError: another norm than Linf.
            UnsupportedModel: a layer through which bounds cannot be propagated.
        """
        check_bounds(classifier, threat, self.name)
        return super().fit(
            classifier, data, threat, seed=seed, name=name, checkpoint=checkpoint, progress=progress
        )


@dataclass(frozen=True)
class ExpressiveLesson(AdversarialLesson):
    """The attack's loss and the bounds' loss, convexly combined."""

    defense: ExpressiveTraining

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        attacked, logits = super().loss(model, images, labels, crafted, moment)
        layers = chain(model)
        radius = self.eps(moment.fraction)
        seen = boxes(layers[:-1], ball(model, images, radius))
        worst = F.cross_entropy(worst_logits(layers, seen, labels), labels)
        weight = self.defense.bounds * min(1.0, radius / self.threat.geometry.eps)
        return (1 - weight) * attacked + weight * worst, logits

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        certified = certified_share(model, held_out, self.threat.geometry.eps)
        return {**super().score(model, held_out, seed), "held_out_certified": certified}
