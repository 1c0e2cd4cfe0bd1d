"""TRADES: right on the image, and of the same opinion all around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.settings import require_positive
from hauberk.defenses.defense import needed
from hauberk.defenses.training.adversarial import InnerAttackTraining
from hauberk.defenses.training.climbing import climb, frozen
from hauberk.defenses.training.divergence import divergence
from hauberk.defenses.training.schedule import RobustLesson
from hauberk.models import Classifier
from hauberk.models.training import Moment
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class TRADES(InnerAttackTraining):
    """Cross-entropy on the image plus ``beta`` times the divergence between image and worst point.

    The worst point is where the divergence is largest, which needs no label. ``beta`` trades accuracy on clean
    images for robustness. Further settings as ``AdversarialTraining``.

    Args:
        beta: weight of the divergence, above 0; the paper finds 1 to 6 good (there 1 / lambda). A large one at
            a radius that is hard for the network first makes all answers alike: train longer, or lower it.

    Cost: ``steps + 2`` times the forward and backward passes of plain training, and a forward pass.
    Limits: as adversarial training: this norm, this radius, as far as measured.
    Source: Zhang et al., ICML 2019, equation 5 and algorithm 1. The inner attack starts anywhere in the ball
        where the paper's starts next to the image, whose own divergence has no slope.
    """

    name: ClassVar[str] = "trades"

    beta: float = 6.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("beta", self.beta, "TRADES", hint="train plainly for no robustness at all")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> TRADESLesson:
        return TRADESLesson(self, needed(threat, self.name))


@dataclass(frozen=True)
class TRADESLesson(RobustLesson):
    """Climbs the divergence; weighs it against the clean loss."""

    defense: TRADES

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        with frozen(model), torch.no_grad():
            clean = model(images)
        return climb(
            model,
            images,
            lambda logits: divergence(clean, logits).sum(),
            self.geometry(moment.fraction),
            moment,
            steps=self.defense.steps,
            reach=self.defense.reach,
        )

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        clean, worst = model(images), model(crafted)
        apart = divergence(clean, worst).mean()
        return F.cross_entropy(clean, labels) + self.defense.beta * apart, worst
