"""Data augmentation as a defence: ordinary learning from images that are never twice the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hauberk.core.errors import ConfigError
from hauberk.defenses.defense import TrainingDefense
from hauberk.models import Classifier
from hauberk.models.training import Lesson, Plain, TrainingPlan
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class AugmentedTraining(TrainingDefense):
    """Further training on changed images; which changes, says the plan's ``augment``.

    Limits: robust to what it has seen, which no attacker is held to: against gradient attacks the gain is small
    (most of it from the noise), against shifts, rotations and corruptions it is real. Good together with
    adversarial training, whose plan takes ``augment`` too.
    Source: Shorten, Khoshgoftaar: A survey on image data augmentation, Journal of Big Data 2019; each change
        names its own.
    """

    name: ClassVar[str] = "augment"
    needs_threat: ClassVar[bool] = False
    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(
        epochs=10, schedule="one-cycle", augment=("shift", "rotation", "noise", "cutout")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.plan.augment:
            raise ConfigError(
                "AugmentedTraining: augment is empty, and nothing would be changed",
                hint="name what to do to the images: augment = ['shift', 'rotation', 'noise', 'cutout']",
            )

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return Plain()
