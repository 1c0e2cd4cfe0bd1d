"""Free adversarial training: one backward pass serves the weights and the attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count
from hauberk.defenses.defense import needed
from hauberk.defenses.training.climbing import require_sight
from hauberk.defenses.training.schedule import RobustLesson, ScheduledTraining
from hauberk.models import Classifier
from hauberk.models.training import Moment
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class FreeAdversarialTraining(ScheduledTraining):
    """Each batch is learnt from ``replays`` times in a row, and the perturbation moves on with every pass.

    The gradient with respect to the images comes with the one for the weights, so the attack costs nothing of
    its own. What it found for one batch is where it starts on the next; it starts from nothing in each epoch.

    Args:
        replays: steps on each batch, at least 2; the paper's m.
        warmup, margin, radius: as ``AdversarialTraining``.

    Cost: ``replays`` times the passes of plain training, and as many steps of the optimiser: fewer epochs than
        for other methods will do.
    Limits: as adversarial training, and usually a little weaker than PGD training of the same length.
    Source: Shafahi et al., NeurIPS 2019, algorithm 1.
    """

    name: ClassVar[str] = "free"

    replays: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("replays", self.replays, type(self).__name__)
        if self.replays < 2:
            raise ConfigError(
                f"{type(self).__name__}: replays must be at least 2, got {self.replays!r}",
                hint="with one pass a batch the perturbation would always be of other images",
            )

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> FreeLesson:
        require_sight(classifier, self.name, hint="method pgd takes its own, by a bridge over such parts")
        return FreeLesson(self, needed(threat, self.name))


@dataclass(frozen=True)
class FreeLesson(RobustLesson):
    """Steps along the gradient that the last step of training left."""

    defense: FreeAdversarialTraining

    @property
    def replays(self) -> int:
        return self.defense.replays

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        if moment.last_crafted is None or moment.last_images is None or moment.last_crafted.grad is None:
            return images.clone().requires_grad_(True)
        geometry = self.geometry(moment.fraction)
        lower, upper = model.bounds.tensors(images)
        scale = geometry.step_scale(model.bounds, model.input_shape)
        moved = moment.last_crafted.detach() - moment.last_images
        ahead = images + moved + scale * geometry.steepest(moment.last_crafted.grad)
        return geometry.project(images, ahead, lower, upper).requires_grad_(True)

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        return F.cross_entropy(logits, labels), logits
