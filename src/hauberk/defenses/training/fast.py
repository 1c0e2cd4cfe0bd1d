"""Fast adversarial training: one step from a random start, and an eye on what one step cannot see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks import FGSM
from hauberk.core.settings import require_count, require_positive, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import needed
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
        require_positive("reach", self.reach, where)
        require_within("guard", self.guard, where, "[0, 1]", hint="1 turns it off")
        require_count("guard_images", self.guard_images, where)
        require_count("guard_steps", self.guard_steps, where)

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> FastLesson:
        return FastLesson(self, needed(threat, self.name))


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
        """By how much accuracy at the single step's points exceeds that at PGD's, on the watched images.

        They are the first of the whole batch, whoever of the team holds them, and all decide alike.
        """
        mine = min(max(0, self.defense.guard_images - moment.first), len(images))
        more = 0.0
        if mine:
            watched = torch.arange(mine, device=images.device)
            few = replace(moment, streams=moment.streams[watched])
            seen, truth = images[watched], labels[watched]
            slow = self._walk(model, seen, truth, few, self.defense.guard_steps, _SLOW_REACH)
            with frozen(model), torch.no_grad():
                right = [int((model(x).argmax(dim=1) == truth).sum()) for x in (fast[watched], slow)]
            more = right[0] - right[1]
        return moment.team.total(more, images.device) / moment.team.total(mine, images.device)

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
