"""ADP: members that learn together, and are paid for disagreeing about everything but the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.core.progress import SILENT, Progress
from hauberk.core.settings import require_count, require_number
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense, check_threat, needed
from hauberk.defenses.training.climbing import climb, robust_scores
from hauberk.models import Classifier
from hauberk.models.several import Several, ensemble
from hauberk.models.training import Lesson, Moment, TrainingPlan
from hauberk.threats import Geometry, ThreatModel

_FLOOR = 1e-6  # under the determinant, so that equal members have a finite loss


@dataclass(frozen=True, kw_only=True)
class ADP(TrainingDefense):
    """An ensemble trained jointly with the adaptive diversity promoting regulariser.

    Args:
        members: how many, at least 2 and fewer than there are classes.
        alpha: weight of the entropy of the mean probability.
        beta: weight of the logarithm of the ensemble diversity.
        steps: of an attack on the whole ensemble, on whose points it learns; 0 learns from the images as they
            are, which is the paper's defence.
        reach: of that attack, as in ``AdversarialTraining``.

    Cost: ``members * (steps + 1)`` times the passes of plain training.
    Limits: with ``steps=0`` it makes weak attacks and transfer between its members harder, and falls to attacks
        that go on until they succeed (Tramer et al., On adaptive attacks to adversarial example defenses,
        NeurIPS 2020). What is measured with ``steps`` above 0 is owed to the adversarial training.
    Source: Pang et al., Improving adversarial robustness via promoting ensemble diversity, ICML 2019; alpha
        and beta are the paper's. Learns on the mean of the members' losses rather than their sum, with the
        regulariser divided alike, so that the learning rate means the same for any number of members.
    """

    name: ClassVar[str] = "adp"

    plan: TrainingPlan = TrainingPlan(epochs=10, schedule="one-cycle", learning_rate=2e-3)
    fresh: bool = True
    members: int = 3
    alpha: float = 2.0
    beta: float = 0.5
    steps: int = 0
    reach: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("members", self.members, "ADP")
        if self.members < 2:
            raise ConfigError(f"ADP: members must be at least 2, got {self.members}")
        for name in ("alpha", "beta", "reach"):
            require_number(name, getattr(self, name), "ADP")
        if self.alpha < 0 or self.beta < 0 or not self.reach > 0:
            raise ConfigError("ADP: alpha and beta cannot be negative, and reach must be above 0")
        require_count("steps", self.steps, "ADP", least=0)
        if not self.fresh:
            raise ConfigError("ADP: members that start alike stay alike", hint="leave fresh = true")

    @property
    def needs_threat(self) -> bool:
        return self.steps > 0

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> Lesson:
        return _RobustDiversity(self, needed(threat, self.name)) if self.steps else _Diversity(self)

    def fit(
        self,
        classifier: Classifier,
        data: Dataset,
        threat: ThreatModel | Geometry | None = None,
        *,
        seed: int = 0,
        name: str = "hardened",
        checkpoint: str | Path | None = None,
        progress: Progress = SILENT,
    ) -> Classifier:
        """As ``TrainingDefense.fit``; the result averages the probabilities of its members.

        Raises:
            ConfigError: as many members as classes; such an ensemble has no diversity.
        """
        threat = check_threat(classifier, threat)
        if self.members >= classifier.num_classes:
            raise ConfigError(
                f"ADP: {self.members} members need more than {self.members} classes, the classifier has "
                f"{classifier.num_classes}"
            )
        together = ensemble([classifier] * self.members)
        together.evidence = classifier.evidence
        return super().fit(
            together, data, threat, seed=seed, name=name, checkpoint=checkpoint, progress=progress
        )


def log_diversity(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Logarithm of the ensemble diversity, ``(n,)``.

    The diversity is the squared volume spanned by the members' probabilities of the wrong classes, each scaled
    to length 1: 1 where they are orthogonal, 0 where two agree.

    Args:
        probabilities: ``(members, n, classes)``.
        labels: int64 ``(n,)``, the right classes.
    """
    members, count, classes = probabilities.shape
    wrong = torch.ones(count, classes, dtype=torch.bool, device=labels.device)
    wrong.scatter_(1, labels[:, None], False)
    # (members, n, classes) -> (n, members, classes - 1)
    rest = probabilities.transpose(0, 1)[wrong[:, None].expand(count, members, classes)]
    unit = F.normalize(rest.view(count, members, classes - 1), dim=2)
    diversity: Tensor = torch.linalg.det(unit @ unit.mT)
    return (diversity + _FLOOR).log()


@dataclass(frozen=True)
class _Diversity(Lesson):
    """Cross-entropy of each member, less entropy and diversity."""

    defense: ADP

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        assert isinstance(model.module, Several)
        answers = model.module.answers(crafted).float()
        members = len(answers)
        probabilities = answers.softmax(dim=2)
        mean = probabilities.mean(dim=0)
        entropy = torch.special.entr(mean).sum(dim=1).mean()
        reward = self.defense.alpha * entropy
        reward = reward + self.defense.beta * log_diversity(probabilities, labels).mean()
        each = F.cross_entropy(answers.flatten(0, 1), labels.repeat(members))
        return each - reward / members, mean


@dataclass(frozen=True)
class _RobustDiversity(_Diversity):
    """The same at points that an attack on the whole ensemble has found."""

    select: ClassVar[str] = "held_out_robust"

    threat: ThreatModel

    def eps(self, fraction: float) -> float:
        return self.threat.geometry.eps

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        return climb(
            model,
            images,
            lambda logits: F.cross_entropy(logits, labels, reduction="sum"),
            self.threat.geometry,
            moment,
            steps=self.defense.steps,
            reach=self.defense.reach,
        )

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        return robust_scores(model, held_out, self.threat, seed)
