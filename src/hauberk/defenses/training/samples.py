"""Adversarial samples of the model as it was are added to its training set, once, and it is trained again."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from hauberk.attacks import FGSM, AdvGANPlan, Attack, train_advgan
from hauberk.core.settings import require_count
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense, needed
from hauberk.defenses.training.climbing import require_sight
from hauberk.models import Classifier
from hauberk.models.stand_in import sighted
from hauberk.models.training import Lesson, Plain, TrainingPlan
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class SampleAugmentation(TrainingDefense):
    """Train on the clean images and, once and for all, an attack's images against the model as it was."""

    mixes: ClassVar[bool] = True

    plan: TrainingPlan = TrainingPlan(epochs=5)

    @abstractmethod
    def attack(self, classifier: Classifier, data: Dataset, threat: ThreatModel, seed: int) -> Attack:
        """What makes the samples."""

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return Plain()

    def prepare(self, classifier: Classifier, data: Dataset, threat: ThreatModel | None, seed: int) -> Dataset:
        threat = needed(threat, self.name)
        attack = self.attack(classifier, data, threat, seed)
        source = sighted(classifier) if attack.takes_gradients else None
        attacked = attack(
            classifier, data.images, data.labels, threat.geometry, seed=seed, gradients_from=source
        ).candidates
        return replace(
            data,
            name=f"{data.name}+{attack.name}",
            images=torch.cat([data.images, attacked]),
            labels=torch.cat([data.labels, data.labels]),
        )


@dataclass(frozen=True, kw_only=True)
class FGSMAugmentation(SampleAugmentation):
    """Train on the clean images and, once and for all, their FGSM images against the model as it was.

    Limits: the samples do not move while the model learns, so it learns those samples and not the threat:
    iterated attacks, and FGSM against the retrained model, still break it. It is here because the field's
    standard tutorial teaches it; measure it with ``evaluate`` and see.
    Source: the "adversarial retraining" of Goodfellow et al., ICLR 2015, in its offline form.
    """

    name: ClassVar[str] = "fgsm-augment"

    def attack(self, classifier: Classifier, data: Dataset, threat: ThreatModel, seed: int) -> Attack:
        return FGSM()


@dataclass(frozen=True, kw_only=True)
class AdvGANAugmentation(SampleAugmentation):
    """Train on the clean images and on what an AdvGAN generator, trained against the model as it was, makes.

    Args:
        generator_epochs: of the generator's training.
        generator_images: how many of the data's first images it learns from; it then perturbs all of them.

    Cost: ``generator_epochs * generator_images`` passes forward and back through classifier and generator
        before the training, which are made again when a stopped run is resumed; then twice plain training.
    Limits: as ``FGSMAugmentation``: the samples stand still, so it learns one generator's habits and not the
        threat. A generator that is trained against the new model breaks it, and so does PGD.
    Source: the generator is that of Xiao et al., IJCAI 2018, who measure it against models trained on other
        attacks' samples; the retraining is that of ``FGSMAugmentation``.
    """

    name: ClassVar[str] = "advgan-augment"

    generator_epochs: int = 10
    generator_images: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("generator_epochs", "generator_images"):
            require_count(name, getattr(self, name), "AdvGANAugmentation")

    def attack(self, classifier: Classifier, data: Dataset, threat: ThreatModel, seed: int) -> Attack:
        require_sight(classifier, self.name, hint="method fgsm-augment bridges such parts")
        few = data.head(min(self.generator_images, len(data)))
        return train_advgan(
            classifier, few, threat.geometry, AdvGANPlan(epochs=self.generator_epochs), seed=seed
        )
