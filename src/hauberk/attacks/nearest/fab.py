"""FAB: project image and iterate onto the nearest boundary plane inside the box, and go between the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.nearest.base import NearestAttack
from hauberk.attacks.nearest.deepfool import Planes, ranked_rivals
from hauberk.attacks.nearest.hunt import Hunt, per_sample
from hauberk.attacks.nearest.norms import CONVEX, Convex
from hauberk.core.settings import require_count

_PULL = 0.1  # most weight of the image's projection (alpha_max in the paper)
_BEYOND = 1.05  # how far past the plane (eta)
_BACK = 0.9  # share of the way that is kept after a success (beta)


@dataclass(frozen=True, kw_only=True, repr=False)
class FAB(NearestAttack):
    """Fast adaptive boundary: no step size to choose, indifferent to the scale of the logits.

    Args:
        steps: steps of a restart.
        restarts: the first from the image itself, each further one from a random point no farther than half of
            the best distance so far.
        rivals: how many wrong classes are weighed, the likeliest at the image first. A targeted search has one
            plane, between the wanted class and the best of the others.

    Cost: a step takes two forward and ``rivals`` backward passes (one when targeted).
    Source: Croce and Hein, Minimally distorted adversarial examples, ICML 2020, algorithm 1, with its
    alpha_max, eta and beta. Its final search is the refinement here.
    """

    name: ClassVar[str] = "fab"
    norms: ClassVar[frozenset[str]] = frozenset(CONVEX)

    steps: int = 50
    restarts: int = 1
    rivals: int = 9

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("steps", "restarts", "rivals"):
            require_count(field, getattr(self, field), "FAB")

    def ticks(self) -> int:
        return self.restarts * self.steps

    def search(self, hunt: Hunt) -> None:
        starts = torch.where(per_sample(hunt.found, hunt.closest), hunt.closest, hunt.problem.origin)
        planes = None
        if hunt.problem.targets is None:
            rivals = ranked_rivals(hunt, self.rivals)
            if rivals is None:
                return
            planes = Planes(hunt, rivals)
        for restart in range(self.restarts):
            if restart == 0:
                hunt.begin(0, starts)
            else:
                self._scatter(hunt, restart)
            self._walk(hunt, planes)

    def _walk(self, hunt: Hunt, planes: Planes | None) -> None:
        norm = CONVEX[hunt.norm]
        for _ in range(self.steps):
            sight = hunt.look() if planes is None else planes.look()
            if sight is None:
                return
            normal, gap = (sight.slope, -sight.margin) if planes is None else planes.nearest(sight)
            hunt.go(_between(hunt, norm, normal, gap))
            landed = hunt.ask()
            if landed is None:
                return
            active = hunt.active
            back = active.origin + _BACK * (active.x - active.origin)
            hunt.go(torch.where(per_sample(landed.won, back), back, active.x))
            hunt.tick()

    def _scatter(self, hunt: Hunt, restart: int) -> None:
        """Random points within half of the best distance, or of the threat's radius while there is none."""
        geometry = hunt.problem.geometry
        hunt.begin(restart)
        active = hunt.active
        if not len(active.rows):
            return
        best = torch.where(hunt.found, hunt.distance, geometry.eps)[active.rows]
        offset = geometry.uniform(active.origin, active.streams)
        reach = torch.minimum(best, torch.full_like(best, geometry.eps)) / (2 * geometry.eps)
        hunt.go(active.origin + offset * per_sample(reach, offset))


def _between(hunt: Hunt, norm: Convex, normal: Tensor, gap: Tensor) -> Tensor:
    """The next iterate: mostly the iterate's projection onto the plane, a little the image's; equation (9)."""
    active = hunt.active
    x, origin = active.x, active.origin
    at_image = gap - (normal * (origin - x)).flatten(1).sum(dim=1)  # the same plane, seen from the image
    step = norm.onto(x, normal, gap, hunt.lower, hunt.upper) - x
    step_image = norm.onto(origin, normal, at_image, hunt.lower, hunt.upper) - origin
    length, length_image = norm.length(step), norm.length(step_image)
    pull = (length / (length + length_image).clamp_min(1e-12)).clamp(0, _PULL)
    pull = per_sample(pull, x)
    return (1 - pull) * (x + _BEYOND * step) + pull * (origin + _BEYOND * step_image)
