"""Regularisation: ordinary learning with something besides the loss that keeps the function tame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_positive, require_within
from hauberk.defenses.defense import TrainingDefense
from hauberk.defenses.training.climbing import require_sight
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment, Plain, TrainingPlan
from hauberk.threats import ThreatModel

_PART_LAST = "train the network first, and put the part around it afterwards"
_PROJECTIONS = 700  # the label of the streams from which they are drawn


@dataclass(frozen=True, kw_only=True)
class WeightDecay(TrainingDefense):
    """Further training that pulls all weights towards 0; how strongly, says the plan's ``weight_decay``.

    Limits: against overfitting; as a defence against adversarial inputs it is worth little.
    Source: Krogh, Hertz: A simple weight decay can improve generalization, NeurIPS 1991. The plan is SGD,
        where decay and a squared-norm penalty are the same thing.
    """

    name: ClassVar[str] = "weight-decay"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(
        epochs=10, optimizer="sgd", learning_rate=0.05, schedule="one-cycle", weight_decay=5e-4
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.plan.weight_decay > 0:
            raise ConfigError(
                f"WeightDecay: weight_decay must be above 0, got {self.plan.weight_decay!r}",
                hint="5e-4 is usual with SGD",
            )

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return Plain()


@dataclass(frozen=True, kw_only=True)
class LabelSmoothing(TrainingDefense):
    """Further training towards labels that leave ``smoothing`` of their certainty to all classes alike.

    Args:
        smoothing: in (0, 1).

    Limits: shrinks the logits' gaps and with them the gradients that some attacks follow; attacks with a margin
    objective see through it. No robustness of its own.
    Source: Szegedy et al., CVPR 2016; as a defence Warde-Farley, Goodfellow, 2016.
    """

    name: ClassVar[str] = "label-smoothing"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=10, schedule="one-cycle")
    smoothing: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("smoothing", self.smoothing, "LabelSmoothing", "(0, 1)")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> SmoothedLesson:
        return SmoothedLesson(self.smoothing)


@dataclass(frozen=True)
class SmoothedLesson(Lesson):
    """Cross-entropy to ``(1 - smoothing) * label + smoothing / classes``."""

    mixes: ClassVar[bool] = True

    smoothing: float

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        return F.cross_entropy(logits, labels, label_smoothing=self.smoothing), logits


@dataclass(frozen=True, kw_only=True)
class GradientPenalty(TrainingDefense):
    """Training from new weights that punishes the loss for depending on the pixels.

    Where a network has learnt its images by heart their loss is flat already, and the penalty finds nothing to
    punish: hence ``fresh``.

    Args:
        weight: of the squared L2 norm of the loss's gradient by the image, averaged over the batch.

    Cost: twice the passes of plain training, and a second derivative through the network.
    Limits: a local promise, first order, at the training images: it holds for small radii only, and costs clean
    accuracy when the weight is large.
    Source: Ross, Doshi-Velez: Improving the adversarial robustness and interpretability of deep neural
        networks by regularizing their input gradients, AAAI 2018; Drucker, Le Cun, 1992.
    """

    name: ClassVar[str] = "gradient-penalty"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=20, schedule="one-cycle", learning_rate=3e-3)
    fresh: bool = True
    weight: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("weight", self.weight, "GradientPenalty")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> GradientLesson:
        require_sight(classifier, self.name, hint=_PART_LAST)
        return GradientLesson(self.weight)


@dataclass(frozen=True)
class GradientLesson(Lesson):
    """Cross-entropy plus ``weight`` times the mean of ``||d cross-entropy / d image||^2``."""

    mixes: ClassVar[bool] = True

    weight: float

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        x = crafted.detach().requires_grad_(True)
        logits = model(x)
        losses = F.cross_entropy(logits, labels, reduction="none")
        (slope,) = torch.autograd.grad(losses.sum(), x, create_graph=True)
        penalty = slope.flatten(1).square().sum(dim=1).mean()
        return losses.mean() + self.weight * penalty, logits


@dataclass(frozen=True, kw_only=True)
class JacobianPenalty(TrainingDefense):
    """Training from new weights that punishes the logits for depending on the pixels, whatever the label.

    Args:
        weight: of half the squared Frobenius norm of the logits' Jacobian by the image.
        projections: random directions by which that norm is estimated on each image; the estimate is right on
            average with any number, and steadier with more.

    Cost: ``1 + projections`` times the passes of plain training, and second derivatives through the network.
    Limits: as ``GradientPenalty``: first order, small radii.
    Source: Hoffman, Roberts, Yaida: Robust learning with Jacobian regularization, 2019, algorithm 1; directions
        come from each sample's own stream.
    """

    name: ClassVar[str] = "jacobian-penalty"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=20, schedule="one-cycle", learning_rate=3e-3)
    fresh: bool = True
    weight: float = 0.01
    projections: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("weight", self.weight, "JacobianPenalty")
        require_count("projections", self.projections, "JacobianPenalty")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> JacobianLesson:
        require_sight(classifier, self.name, hint=_PART_LAST)
        return JacobianLesson(self.weight, self.projections)


@dataclass(frozen=True)
class JacobianLesson(Lesson):
    """Cross-entropy plus ``weight / 2`` times an unbiased estimate of the mean ``||J||_F^2``."""

    mixes: ClassVar[bool] = True

    weight: float
    projections: int

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        x = crafted.detach().requires_grad_(True)
        logits = model(x)
        norm = logits.new_zeros(())
        for number in range(self.projections):
            direction = moment.streams.fork(_PROJECTIONS + number).normal(logits.shape[1:]).to(logits)
            direction = F.normalize(direction, dim=1)  # uniform on the sphere
            (slope,) = torch.autograd.grad((logits * direction).sum(), x, create_graph=True)
            norm = norm + slope.flatten(1).square().sum(dim=1).mean()
        estimate = logits.shape[1] * norm / self.projections
        return F.cross_entropy(logits, labels) + self.weight / 2 * estimate, logits
