"""DeepFool: step onto the nearest of the planes that the classes' boundaries look like from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks.nearest.base import NearestAttack
from hauberk.attacks.nearest.hunt import Hunt, Sight
from hauberk.attacks.nearest.norms import CONVEX
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_number


def ranked_rivals(hunt: Hunt, most: int) -> Tensor | None:
    """The wrong classes of each sample, the largest logits at the image first: int64 ``(n, <= most)``.

    Cost: a query. None when nobody can pay.
    """
    hunt.begin(0)
    sight = hunt.ask()
    if sight is None:
        return None
    active = hunt.active
    count = min(most, sight.logits.shape[1] - 1)
    others = sight.logits.scatter(1, active.labels[:, None], -torch.inf)
    ranked = others.argsort(dim=1, descending=True, stable=True)[:, :count]
    rivals = torch.zeros((len(hunt.queries), count), dtype=torch.int64, device=ranked.device)
    rivals[active.rows] = ranked
    return rivals


class Planes:
    """What the boundaries between the label and each rival look like to first order from where a sample is."""

    def __init__(self, hunt: Hunt, rivals: Tensor) -> None:
        self._hunt, self._norm = hunt, CONVEX[hunt.norm]
        classes = hunt.problem.classifier.num_classes
        ahead = F.one_hot(rivals, classes) - F.one_hot(hunt.problem.labels, classes)[:, None]
        self._differences = ahead.to(hunt.problem.origin.dtype)

    def look(self) -> Sight | None:
        """Gradients of each rival's logit less the label's."""
        return self._hunt.slopes(self._differences)

    def nearest(self, sight: Sight) -> tuple[Tensor, Tensor]:
        """Normal ``(n, ...)`` of the nearest plane, and how far the logits are from it, above 0 on the image's
        side.
        """
        differences = self._differences[self._hunt.active.rows]
        gaps = -(differences * sight.logits.to(differences.dtype)[:, None]).sum(dim=2)
        duals = self._norm.dual(sight.slope.flatten(0, 1)).view_as(gaps)
        # a rival without a slope cannot be reached; without any, the sample stands still
        away = torch.where(duals > 0, gaps.abs() / duals, torch.inf)
        chosen = away.argmin(dim=1)
        every = torch.arange(len(chosen), device=chosen.device)
        return sight.slope[every, chosen], gaps[every, chosen]


@dataclass(frozen=True, kw_only=True, repr=False)
class DeepFool(NearestAttack):
    """A fair estimate of the distance in a handful of steps; the quickest of its family.

    Args:
        steps: most steps; a sample leaves as soon as it is fooled.
        overshoot: share added to each step, so that the point comes to lie beyond the boundary.
        rivals: how many wrong classes are weighed, the likeliest at the image first.

    Cost: a forward and ``rivals`` backward passes a step, one forward more for the ranking.
    Limits: greedy: it takes the first boundary it meets and does not come back for a closer point.
    Source: Moosavi-Dezfooli et al., CVPR 2016, algorithm 2 and, for Linf, section 3.3. Here a step goes to the
    plane's closest point inside the box (a step cut by the box may never arrive), overshoots by itself
    rather than in sum, and the result is refined.
    """

    name: ClassVar[str] = "deepfool"
    norms: ClassVar[frozenset[str]] = frozenset({"linf", "l2"})
    targetable: ClassVar[bool] = False

    steps: int = 50
    overshoot: float = 0.02
    rivals: int = 9

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, "DeepFool")
        require_count("rivals", self.rivals, "DeepFool")
        require_number("overshoot", self.overshoot, "DeepFool")
        if self.overshoot < 0:
            raise ConfigError(f"DeepFool: overshoot must be at least 0, got {self.overshoot!r}")

    def ticks(self) -> int:
        return self.steps

    def search(self, hunt: Hunt) -> None:
        norm = CONVEX[hunt.norm]
        rivals = ranked_rivals(hunt, self.rivals)
        if rivals is None:
            return
        planes = Planes(hunt, rivals)
        for _ in range(self.steps):
            sight = planes.look()
            if sight is None:
                return
            hunt.drop(sight.won)
            active = hunt.active
            if not len(active.rows):
                return
            normal, gap = planes.nearest(sight.keep(~sight.won))
            step = norm.onto(active.x, normal, gap, hunt.lower, hunt.upper) - active.x
            hunt.go(active.x + (1 + self.overshoot) * step)
            hunt.tick()
        hunt.ask()
