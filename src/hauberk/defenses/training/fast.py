"""Fast adversarial training: one step from a random start, and an eye on what one step cannot see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks import FGSM
from hauberk.attacks.attack import require_count, require_number
from hauberk.core.errors import ConfigError
from hauberk.datasets import Dataset
from hauberk.defenses.training.climbing import attacked, climb, frozen
from hauberk.defenses.training.schedule import RobustLesson, ScheduledTraining
from hauberk.models import Classifier
from hauberk.models.training import Moment
from hauberk.threats import ThreatModel

_SLOW_REACH = 2.0  # of the steps that the guard takes, as in PGD training


@dataclass(frozen=True, kw_only=True)
class FastAdversarialTraining(ScheduledTraining):
    """FGSM from a random start as the inner attack, guarded against catastrophic overfitting.

    A network that learns from single steps can bend its loss such that single steps miss: within a few batches
    its accuracy under FGSM rises, and under PGD it falls to nothing. So on the first ``guard_images`` of every
    batch a PGD of ``guard_steps`` is tried beside the single step. Where accuracy at the single step's points
    exceeds that at PGD's by more than ``guard``, all the batch is learnt from PGD's points. Each batch decides
    by the model as it is: nothing must be remembered, and the single step returns when it can be trusted again.

    Args:
        reach: length of the single step, in radii.
        guard: by how much accuracy at the single step may exceed that under PGD; 1 turns the guard off.
        guard_images: of each batch that are watched.
        guard_steps: of that PGD.
        warmup, margin, radius: as ``AdversarialTraining``.

    Cost: 2 times the passes of plain training, and ``guard_steps * guard_images / batch_size`` for the guard;
        ``guard_steps`` more for a batch that it takes over.
    Limits: as adversarial training, and usually a little weaker than PGD training of the same length. The
        history's ``held_out_fgsm`` beside ``held_out_robust`` shows whether single steps were worth anything.
    Source: Wong et al., ICLR 2020 (start, step of 1.25 radii); they check a batch with PGD to stop early, here
        training goes on with more steps.
    """

    name: ClassVar[str] = "fgsm-rs"

    reach: float = 1.25
    guard: float = 0.2
    guard_images: int = 32
    guard_steps: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        where = type(self).__name__
        for name in ("reach", "guard"):
            require_number(name, getattr(self, name), where)
        if not self.reach > 0:
            raise ConfigError(f"{where}: reach must be above 0, got {self.reach!r}")
        if not 0 <= self.guard <= 1:
            raise ConfigError(f"{where}: guard must lie in [0, 1], got {self.guard!r}", hint="1 turns it off")
        require_count("guard_images", self.guard_images, where)
        require_count("guard_steps", self.guard_steps, where)

    def lesson(self, classifier: Classifier, threat: ThreatModel) -> FastLesson:
        return FastLesson(self, threat)


@dataclass(frozen=True)
class FastLesson(RobustLesson):
    """Single steps while they find what many would."""

    defense: FastAdversarialTraining

    def craft(self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment) -> Tensor:
        fast = self._walk(model, images, labels, moment, 1, self.defense.reach)
        if self.defense.guard < 1 and self.missed(model, images, labels, fast, moment) > self.defense.guard:
            return self._walk(model, images, labels, moment, self.defense.guard_steps, _SLOW_REACH)
        return fast

    def missed(self, model: Classifier, images: Tensor, labels: Tensor, fast: Tensor, moment: Moment) -> float:
        """By how much accuracy at the single step's points exceeds that at PGD's, on the watched images."""
        watched = torch.arange(min(self.defense.guard_images, len(images)), device=images.device)
        few = replace(moment, streams=moment.streams[watched])
        images, labels = images[watched], labels[watched]
        slow = self._walk(model, images, labels, few, self.defense.guard_steps, _SLOW_REACH)
        with frozen(model), torch.no_grad():
            right = [(model(x).argmax(dim=1) == labels).float().mean() for x in (fast[watched], slow)]
        return float(right[0] - right[1])

    def _walk(
        self, model: Classifier, images: Tensor, labels: Tensor, moment: Moment, steps: int, reach: float
    ) -> Tensor:
        return climb(
            model,
            images,
            lambda logits: F.cross_entropy(logits, labels, reduction="sum"),
            self.geometry(moment.fraction),
            moment,
            steps=steps,
            reach=reach,
        )

    def loss(
        self, model: Classifier, images: Tensor, labels: Tensor, crafted: Tensor, moment: Moment
    ) -> tuple[Tensor, Tensor]:
        logits = model(crafted)
        return F.cross_entropy(logits, labels), logits

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        single = attacked(model, held_out, self.threat, seed, FGSM())
        return {**super().score(model, held_out, seed), "held_out_fgsm": single.robust_accuracy}
