"""The tutorial's mix: every batch as it is, and its FGSM images against the model as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.settings import require_within
from hauberk.defenses.defense import needed
from hauberk.defenses.training.climbing import frozen
from hauberk.defenses.training.schedule import RobustLesson, ScheduledTraining
from hauberk.models import Classifier
from hauberk.models.stand_in import sighted
from hauberk.models.training import Moment
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class FGSMMixing(ScheduledTraining):
    """``alpha`` times the loss on the images plus ``1 - alpha`` times the loss on their FGSM images.

    Unlike ``fgsm-augment`` the FGSM images are made anew for every batch, against the network as it stands.

    Args:
        alpha: weight of the clean images, 0 up to but not 1.
        warmup, margin, radius: as ``AdversarialTraining``.

    Cost: 3 times the passes of plain training.
    Limits: no random start, so it is the form that overfits to single steps most readily: accuracy under FGSM
        near that on clean images, and next to nothing under PGD. Where that happens only the choice of the best
        held-out epoch is on your side; ``fgsm-rs`` watches for it.
    Source: Goodfellow et al., ICLR 2015, section 6; the overfitting: Wong et al., ICLR 2020.
    """

    name: ClassVar[str] = "fgsm-mix"

    alpha: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("alpha", self.alpha, "FGSMMixing", "[0, 1)")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> MixingLesson:
        return MixingLesson(self, needed(threat, self.name))


@dataclass(frozen=True)
class MixingLesson(RobustLesson):
    """One step of the whole radius from the image itself; both losses."""

    defense: FGSMMixing

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        geometry = self.geometry(moment.fraction)
        lower, upper = model.bounds.tensors(images)
        source = sighted(model) or model
        with frozen(source):
            x = images.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(F.cross_entropy(source(x), labels, reduction="sum"), x)
        scale = geometry.step_scale(model.bounds, model.input_shape)
        return geometry.project(images, images + scale * geometry.steepest(gradient), lower, upper)

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        alpha, logits = self.defense.alpha, model(crafted)
        clean = F.cross_entropy(model(images), labels)
        return alpha * clean + (1 - alpha) * F.cross_entropy(logits, labels), logits
