"""What is learnt: a lesson turns a batch into a loss, and scores the model on held-out data every epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.datasets import Dataset
from hauberk.models.classifier import Classifier
from hauberk.models.training.team import ALONE, Team
from hauberk.models.twin import pass_size, passes
from hauberk.threats import Streams


@dataclass(frozen=True, eq=False)
class Moment:
    """Where in the run a batch stands.

    Args:
        fraction: share of all steps done, 0 to 1.
        streams: a random stream for each sample of the batch, fresh each epoch.
        rows: int64, the samples' numbers in the training data, on the CPU; None where there are none.
        team: who holds the other shares of the batch. What decides for all must be added up over it.
        first: how many of the batch's images come before this worker's.
        last_images, last_crafted: of the step before, None at the first; where ``last_crafted`` asked for a
            gradient, the step has left it there. For lessons that go on from where they were (``replays``).
    """

    fraction: float
    streams: Streams
    rows: Tensor | None = None
    team: Team = ALONE
    first: int = 0
    last_images: Tensor | None = None
    last_crafted: Tensor | None = None


class Lesson(ABC):
    """What is learnt. Implementations are configured and immutable.

    Class attributes: ``select`` is the history key by which the best epoch is chosen (higher is better);
    ``mixes`` says whether ``loss`` understands labels of several classes at once, float ``(n, classes)``.
    """

    select: ClassVar[str] = "held_out_accuracy"
    mixes: ClassVar[bool] = False

    @property
    def replays(self) -> int:
        """Steps taken on each batch before the next one comes."""
        return 1

    def learns(self, model: Classifier) -> Iterable[nn.Parameter]:
        """The weights that learn; the others stay, and what consists of them alone stays in eval mode."""
        return model.parameters()

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        """The points, shape of the images, at which the loss is taken: where an inner attack ended, say."""
        return images

    @abstractmethod
    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        """Scalar loss, and the logits ``(n, classes)`` that count for training accuracy.

        May be called twice for a batch: see ``TrainingPlan.weight_perturbation``.
        """

    def settle(self, model: Classifier) -> None:  # noqa: B027 (most have nothing to do)
        """Called after each step: what must hold for the weights is made to hold, in place."""

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        """Figures on held-out data by history key."""
        return {"held_out_accuracy": accuracy(model, held_out.images, held_out.labels)}

    def eps(self, fraction: float) -> float | None:
        """The radius trained at, for the history; None when there is none."""
        return None


@dataclass(frozen=True)
class Plain(Lesson):
    """Ordinary learning: cross-entropy on the images as they are."""

    mixes: ClassVar[bool] = True

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        return F.cross_entropy(logits, labels), logits


@torch.no_grad()
def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Share of images classified rightly."""
    right = 0
    for part in passes(len(images), pass_size(classifier)):
        logits = classifier(images[part].to(classifier.device))
        right += int((logits.argmax(dim=1).cpu() == labels[part].cpu()).sum())
    return right / len(images)
