"""JSMA: change the most salient pixel, as far as it goes, until the label flips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks.nearest.base import NearestAttack
from hauberk.attacks.nearest.deepfool import ranked_rivals
from hauberk.attacks.nearest.hunt import Hunt, positions
from hauberk.core.settings import require_count


@dataclass(frozen=True, kw_only=True, repr=False)
class JSMA(NearestAttack):
    """Jacobian-based saliency map attack: a greedy search for few changed pixels.

    Args:
        steps: most pixels that are changed; never more than the threat allows.
        rivals: untargeted, how many wrong classes are tried one after the other, the likeliest first.

    Cost: a pixel takes a forward and two backward passes, for each rival.
    Limits: greedy, and each pixel goes all the way: far from the least count on hard samples.
    Source: Papernot et al., EuroS&P 2016, algorithm 3 and equation (8) on logits. Here pixels are taken one by
    one rather than in pairs, each of its values towards the bound that helps (both directions, as Wiyatno
    and Xu 2018), and where no pixel meets the equation's two conditions the one with the best difference is
    taken.
    """

    name: ClassVar[str] = "jsma"
    norms: ClassVar[frozenset[str]] = frozenset({"l0"})

    steps: int = 100
    rivals: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, "JSMA")
        require_count("rivals", self.rivals, "JSMA")

    def ticks(self) -> int:
        return self.rivals * self.steps

    def search(self, hunt: Hunt) -> None:
        wanted = hunt.problem.targets
        rivals = ranked_rivals(hunt, self.rivals) if wanted is None else wanted[:, None]
        if rivals is None:
            return
        for number in range(rivals.shape[1]):
            hunt.begin(number)
            ticked = hunt.ticked
            self._change(hunt, rivals[:, number])
            hunt.tick(ticked + self.steps - hunt.ticked)

    def _change(self, hunt: Hunt, targets: Tensor) -> None:
        """Change pixels towards ``targets`` (problem's n) until a sample is fooled."""
        target = F.one_hot(targets, hunt.problem.classifier.num_classes).to(hunt.distance.dtype)
        mixtures = torch.stack([target, 1 - target], dim=1)
        fresh = torch.ones_like(positions(hunt.active.x)[:, 0], dtype=torch.bool)
        hunt.active.memory["fresh"] = fresh
        most = min(self.steps, int(hunt.problem.geometry.eps), fresh.shape[1])
        for number in range(most):
            # a count that is no better than what another rival gave is not worth the way
            hunt.drop(hunt.distance[hunt.active.rows] <= number)
            sight = hunt.slopes(mixtures)
            if sight is None:
                return
            hunt.drop(sight.won)
            sight = sight.keep(~sight.won)
            if not len(hunt.active.rows):
                return
            self._change_one(hunt, sight.slope)
            hunt.tick()
        hunt.ask()

    def _change_one(self, hunt: Hunt, slopes: Tensor) -> None:
        active = hunt.active
        towards, others = slopes[:, 0], slopes[:, 1]
        bound = torch.where(towards > others, hunt.upper, hunt.lower)
        change = bound - active.x
        gain = positions(towards * change).sum(dim=1)
        loss = positions(others * change).sum(dim=1)
        salient = (gain > 0) & (loss < 0)
        # products first, then differences: shifted below every product
        difference = gain - loss
        rest = difference - difference.amax(dim=1, keepdim=True) - 1
        score = torch.where(salient, gain * loss.abs(), rest)
        chosen = score.masked_fill(~active.memory["fresh"], -torch.inf).argmax(dim=1, keepdim=True)
        here = torch.zeros_like(active.memory["fresh"]).scatter_(1, chosen, True)
        active.memory["fresh"] = active.memory["fresh"] & ~here
        moved = here[:, None].expand_as(positions(active.x)).reshape(active.x.shape)
        hunt.go(torch.where(moved, bound.expand_as(active.x), active.x))
