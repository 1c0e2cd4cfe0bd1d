"""Fine-tuning with a second aim beside the task: what both trained marks have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from hauberk.core.progress import Progress
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import Lesson, TrainingPlan, learn
from hauberk.models.training.lesson import Moment

PLANS = {
    "whitebox": TrainingPlan(epochs=8, batch_size=64, learning_rate=2e-3, schedule="cosine"),
    "blackbox": TrainingPlan(epochs=24, batch_size=64, learning_rate=5e-3, schedule="cosine"),
}
"""How a mark is learnt unless the caller says otherwise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Marking(Lesson):
    """Cross-entropy on the images as they are, plus ``weight`` times what the mark still lacks."""

    weight: float = 1.0

    @abstractmethod
    def lack(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        """Scalar: 0 where the mark is as strong as wanted."""

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(images)
        return F.cross_entropy(logits, labels) + self.weight * self.lack(model, images, labels, moment), logits


def fine_tune(
    classifier: Classifier,
    data: Dataset,
    lesson: Marking,
    plan: TrainingPlan,
    *,
    seed: int,
    name: str,
    progress: Progress,
) -> Classifier:
    """A copy that has learnt ``lesson``; its last evidence holds the history."""
    return learn(
        classifier,
        data,
        plan,
        lesson,
        kind="training",
        method="watermark",
        settings={},
        held_out=None,
        seed=seed,
        name=name,
        checkpoint=None,
        progress=progress,
    )


@contextmanager
def settled(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while: norms use what they have learnt, and learn nothing from keyed inputs."""
    learning = [one for one in model.modules() if one.training]
    model.eval()
    try:
        yield
    finally:
        for one in learning:
            one.training = True
