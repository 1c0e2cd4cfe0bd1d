"""Learning under Gaussian noise: what randomised smoothing needs of its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.settings import require_above_zero
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Moment, TrainingPlan
from hauberk.models.twin import pass_size, passes
from hauberk.threats import Streams, ThreatModel

_LOOKS = 4  # noisy copies of each held-out image


@dataclass(frozen=True, kw_only=True)
class GaussianTraining(TrainingDefense):
    """Trains on images with fresh Gaussian noise in every batch.

    The noise is the same whatever the threat's radius; held-out data choose the epoch by accuracy under noise.

    Args:
        sigma: of the noise, in the input's own scale; give ``smoothing`` the same.

    Cost: that of plain training.
    Limits: by itself a little robustness to small L2 changes and none worth the name in Linf. Made for what
        comes after it: ``harden --method smoothing``, and a certificate.
    Source: Cohen, Rosenfeld, Kolter, ICML 2019, section 3.3.
    """

    name: ClassVar[str] = "gaussian"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=10, schedule="one-cycle", learning_rate=2e-3)
    held_out: int | None = None
    sigma: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        require_above_zero("sigma", self.sigma, "GaussianTraining")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return GaussianLesson(self.sigma)


@dataclass(frozen=True)
class GaussianLesson(Lesson):
    """Cross-entropy at noisy images; noise may leave the valid bounds, as it does in smoothing."""

    select: ClassVar[str] = "held_out_noisy"
    mixes: ClassVar[bool] = True

    sigma: float

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        return images + self.sigma * moment.streams.normal(images.shape[1:]).to(images.dtype)

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        return F.cross_entropy(logits, labels), logits

    @torch.no_grad()
    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        """Accuracy as it is, and under noise that is the same after every epoch."""
        right = 0
        streams = Streams.for_samples(seed, torch.arange(len(held_out)), "held-out noise")
        for look in range(_LOOKS):
            noise = self.sigma * streams.fork(look).normal(held_out.input_shape)
            for part in passes(len(held_out), pass_size(model)):
                logits = model((held_out.images[part] + noise[part]).to(model.device))
                right += int((logits.argmax(dim=1).cpu() == held_out.labels[part]).sum())
        return {
            **super().score(model, held_out, seed),
            "held_out_noisy": right / (_LOOKS * len(held_out)),
        }
