"""The radius that is trained at: small at first, the threat's later, alike for every robust lesson.

A network with random weights learns nothing from points that are far away: it ends by giving every image one
class. A radius that grows spares it that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from hauberk.core.errors import check_known
from hauberk.core.settings import require_positive, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import TrainingDefense
from hauberk.defenses.training.climbing import at_radius, robust_scores
from hauberk.models import Classifier
from hauberk.models.training import Lesson, TrainingPlan
from hauberk.threats import Geometry, ThreatModel

_SHAPES = ("linear", "cosine", "constant")
_LEAST = 1e-3  # of the threat's radius: no geometry has the radius 0


@dataclass(frozen=True, kw_only=True)
class ScheduledTraining(TrainingDefense):
    """Training at points within a radius that grows, with weight averaging and the best held-out epoch.

    Args:
        warmup: share of the training in which the radius grows from 0 to the threat's.
        margin: the radius trained at, relative to the threat's; a little above 1 can help at the edge.
        radius: how it grows: ``linear``, ``cosine`` (slow at both ends), or ``constant``: not at all, it is the
            whole radius from the first step on, and ``warmup`` has no meaning.
    """

    plan: TrainingPlan = TrainingPlan(epochs=10, schedule="one-cycle", learning_rate=2e-3, averaging=0.998)
    held_out: int | None = None
    warmup: float = 0.3
    margin: float = 1.0
    radius: Literal["linear", "cosine", "constant"] = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        where = type(self).__name__
        require_within(
            "warmup", self.warmup, where, "[0, 1)",
            hint="it is a share of the training, and the whole radius must be reached before the end",
        )  # fmt: skip
        require_positive("margin", self.margin, where)
        check_known([self.radius], _SHAPES, what="radius", where=where)

    def share(self, fraction: float) -> float:
        """The radius relative to the threat's after ``fraction`` (0 to 1) of all steps."""
        rises = self.warmup and self.radius != "constant"
        grown = min(1.0, fraction / self.warmup) if rises else 1.0
        if self.radius == "cosine":
            grown = (1 - math.cos(math.pi * grown)) / 2
        return max(grown * self.margin, _LEAST)


@dataclass(frozen=True)
class RobustLesson(Lesson):
    """What all lessons against a threat have in common: the radius of the moment, and how they are scored."""

    select: ClassVar[str] = "held_out_robust"

    defense: ScheduledTraining
    threat: ThreatModel

    def eps(self, fraction: float) -> float:
        return self.defense.share(fraction) * self.threat.geometry.eps

    def geometry(self, fraction: float) -> Geometry:
        """The threat's geometry at the radius of the moment."""
        return at_radius(self.threat.geometry, self.eps(fraction))

    def score(self, model: Classifier, held_out: Dataset, seed: int) -> dict[str, float]:
        return robust_scores(model, held_out, self.threat, seed)
