"""The tutorial's defence: add FGSM samples of the model to its training set, and train again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from hauberk.attacks import FGSM
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Plain, TrainingPlan
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class FGSMAugmentation(TrainingDefense):
    """Train on the clean images and, once and for all, their FGSM images against the model as it was.

    Limits: the samples do not move while the model learns, so it learns those samples and not the threat:
    iterated attacks, and FGSM against the retrained model, still break it. It is here because the field's
    standard tutorial teaches it; measure it with ``evaluate`` and see.
    Source: the "adversarial retraining" of Goodfellow et al., ICLR 2015, in its offline form.
    """

    name: ClassVar[str] = "fgsm-augment"

    plan: TrainingPlan = TrainingPlan(epochs=5)

    def lesson(self, classifier: Classifier, threat: ThreatModel) -> Lesson:
        return Plain()

    def prepare(self, classifier: Classifier, data: Dataset, threat: ThreatModel, seed: int) -> Dataset:
        attacked = FGSM()(classifier, data.images, data.labels, threat.geometry, seed=seed).candidates
        return replace(
            data,
            name=f"{data.name}+fgsm",
            images=torch.cat([data.images, attacked]),
            labels=torch.cat([data.labels, data.labels]),
        )
