"""EAD: elastic-net attacks, which change few values much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.nearest.carlini_wagner import WeightedAttack, bisect_weight, lag, stalled
from hauberk.attacks.nearest.hunt import Hunt, per_sample
from hauberk.core.settings import require_positive


@dataclass(frozen=True, kw_only=True, repr=False)
class EAD(WeightedAttack):
    """The L1 member of Carlini and Wagner's family: squared L2 plus ``beta`` times L1, by FISTA.

    Args:
        step_size: of the gradient steps, in units of the valid range; falls to zero with a square root.
        beta: weight of the L1 distance; changes below it (in units of the valid range) are cut to zero.

    Cost: a step takes two forward passes and a backward one; a sample leaves a round when it stalls.
    Source: Chen et al., AAAI 2018, algorithm 1 with the L1 decision rule. The squared distance is in units of
    the valid range.
    """

    name: ClassVar[str] = "ead"
    norms: ClassVar[frozenset[str]] = frozenset({"l1"})

    step_size: float = 0.01
    beta: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("beta", self.beta, "EAD")

    def search(self, hunt: Hunt) -> None:
        bisect_weight(self, hunt, self._minimise)

    def _minimise(self, hunt: Hunt, weights: Tensor, won: Tensor) -> None:
        unit = hunt.step_unit
        hunt.active.memory["last"] = hunt.active.origin
        for number in range(self.steps):
            sight = hunt.look()  # at the point ahead, where the momentum leads
            if sight is None:
                return
            active = hunt.active
            won[active.rows] |= sight.won
            delta = (active.x - active.origin) / unit
            behind, counts = lag(sight, self.confidence)
            weight = weights[active.rows]
            loss = delta.square().flatten(1).sum(dim=1) + weight * behind
            push = per_sample(torch.where(counts, weight, 0.0), delta)
            size = self.step_size * (1 - number / self.steps) ** 0.5
            delta = delta - size * (2 * delta - push * unit * sight.slope)
            cut = delta.sign() * (delta.abs() - self.beta).clamp_min(0)
            hunt.go(active.origin + unit * cut)
            hunt.drop(stalled(active.memory, loss, number, self.steps))
            landed = hunt.ask()
            if landed is None:
                return
            active = hunt.active
            won[active.rows] |= landed.won
            last, active.memory["last"] = active.memory["last"], active.x
            hunt.go(active.x + number / (number + 3) * (active.x - last))
            hunt.tick()
