"""Certified training by CROWN-IBP: intervals inside the network, linear bounds for the margins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from hauberk.core.settings import require_within
from hauberk.defenses.defense import needed
from hauberk.defenses.training.interval import IntervalLesson, IntervalTraining
from hauberk.models import Classifier
from hauberk.models.bounds import Box, chain, check_walk, walked_logits, worst_logits
from hauberk.models.training import Moment
from hauberk.threats import ThreatModel


@dataclass(frozen=True, kw_only=True)
class CrownIntervalTraining(IntervalTraining):
    """Like ``ibp``, with margins by linear relaxation while the radius grows.

    The margins learnt from are ``beta`` parts CROWN's and ``1 - beta`` parts IBP's; ``beta`` falls from 1 to
    ``final_beta`` while the radius grows. Linear bounds are much tighter while the network is not yet used to
    intervals, and are no longer needed once it is.

    Args:
        final_beta: share of CROWN's margins in the end; at 0 they are not computed any more.

    Cost: while beta is above 0, about one further pass for each class; then that of ``ibp``.
    Limits: as ``ibp``; no average pooling.
    Source: Zhang et al., "Towards Stable and Efficient Training of Verifiably Robust Neural Networks", ICLR
        2020 (arXiv 1906.06316).
    """

    name: ClassVar[str] = "crown-ibp"

    final_beta: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("final_beta", self.final_beta, "CrownIntervalTraining", "[0, 1]")

    def lesson(self, classifier: Classifier, threat: ThreatModel | None) -> CrownLesson:
        check_walk(chain(classifier))
        return CrownLesson(self, needed(threat, self.name), self.final_beta)


@dataclass(frozen=True)
class CrownLesson(IntervalLesson):
    """The interval lesson with mixed margins."""

    final_beta: float = 0.0

    def beta(self, fraction: float) -> float:
        """Share of CROWN's margins after ``fraction`` of all steps."""
        return 1 - (1 - self.final_beta) * self.defense.grown(fraction)

    def worst(self, layers: list[nn.Module], seen: list[Box], labels: Tensor, moment: Moment) -> Tensor:
        carried, beta = worst_logits(layers, seen, labels), self.beta(moment.fraction)
        return beta * walked_logits(layers, seen, labels) + (1 - beta) * carried if beta else carried
