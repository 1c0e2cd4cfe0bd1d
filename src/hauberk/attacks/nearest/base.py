"""The base of attacks that look for the closest adversarial input, whatever the radius."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from hauberk.attacks.attack import Attack, Outcome, Problem
from hauberk.attacks.nearest.hunt import Hunt
from hauberk.attacks.objectives import Margin, Objective
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count
from hauberk.threats import Knowledge


@dataclass(frozen=True, kw_only=True, repr=False)
class NearestAttack(Attack):
    """Hands out, for each sample, the closest adversarial point it found; the ball says which of them count.

    With a ball that holds everything, such as ``L2(20)``, the result's ``distances`` are how far each sample is
    from being misread. Points found by others (``starts``) are taken in and improved.

    Args:
        settle: True: a sample is done once its closest point lies inside the ball. For cascades, where only
            broken or not matters; distances are then not the least ones.
        refinements: questions at the end that draw each point nearer to its image: along the segment between
            the two, or in L0 putting back the least changed positions.

    Limits: distances are upper bounds of the true ones. A point counts when its margin exceeds the rounding of
        logits; closer ones that sit on the boundary itself are passed over.
    """

    needs: ClassVar[Knowledge] = Knowledge.WHITE_BOX
    climbs: ClassVar[Objective] = Margin()

    settle: bool = False
    refinements: int = 3

    def __post_init__(self) -> None:
        where = type(self).__name__
        if not isinstance(self.settle, bool):
            raise ConfigError(f"{where}: settle is true or false, got {self.settle!r}")
        if self.refinements != 0 or isinstance(self.refinements, bool):
            require_count("refinements", self.refinements, where)

    @abstractmethod
    def search(self, hunt: Hunt) -> None:
        """Move the active samples and look; the hunt keeps the closest points. One ``hunt.tick`` a step."""

    @abstractmethod
    def ticks(self) -> int:
        """Steps in all."""

    def run(self, problem: Problem) -> Outcome:
        hunt = Hunt(problem, self.climbs, settle=self.settle)
        if problem.starts is not None:
            hunt.take_starts(problem.starts)
        self.search(hunt)
        hunt.refine(self.refinements)
        problem.progress.advance(self.ticks() - hunt.ticked, hunt.note)
        return hunt.outcome()
