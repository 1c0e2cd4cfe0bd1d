"""MART: adversarial training that cares most for the images that the model does not yet get right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_number
from hauberk.defenses.defense import needed
from hauberk.defenses.training.adversarial import AdversarialLesson, InnerAttackTraining
from hauberk.defenses.training.divergence import divergence
from hauberk.models import Classifier
from hauberk.models.training import Moment
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class MART(InnerAttackTraining):
    """Misclassification-aware adversarial training.

    The points are those of ``AdversarialTraining``. The loss pushes the label up and the strongest rival down
    there, and draws the answer at the point to the answer at the image, the more the less sure the model is of
    the image. Further settings as ``AdversarialTraining``.

    Args:
        beta: weight of that second term, 0 or more (the paper's lambda, 5 or 6 there).

    Cost: ``steps + 2`` times the passes of plain training.
    Limits: as adversarial training. Its confidence is low by design, and part of what it wins against PGD on
        the cross-entropy is lost to attacks on the margin: measure with the standard attacks, which have both.
    Source: Wang et al., ICLR 2020, equations 8 to 11.
    """

    name: ClassVar[str] = "mart"

    beta: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("beta", self.beta, "MART")
        if self.beta < 0:
            raise ConfigError(f"MART: beta cannot be negative, got {self.beta!r}")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> MARTLesson:
        return MARTLesson(self, needed(threat, self.name))


@dataclass(frozen=True)
class MARTLesson(AdversarialLesson):
    """Boosted cross-entropy at the worst point, and the weighted divergence."""

    defense: MART

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        clean, worst = model(images), model(crafted)
        doubt = 1 - F.softmax(clean.float(), dim=1).gather(1, labels[:, None]).squeeze(1)
        drawn = (divergence(clean, worst) * doubt).mean()
        return boosted_cross_entropy(worst, labels).mean() + self.defense.beta * drawn, worst


def boosted_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log p(label) - log(1 - p(strongest rival))``, ``(n,)``."""
    logs = F.log_softmax(logits.float(), dim=1)
    rival = logs.scatter(1, labels[:, None], -torch.inf).argmax(dim=1)
    # 1 - p as the sum of all others: the difference itself would be 0 where the rival is sure of itself
    without = logs.scatter(1, rival[:, None], -torch.inf).logsumexp(dim=1)
    return F.nll_loss(logs, labels, reduction="none") - without
