"""The boundary attack: a random walk around the image that never leaves the adversarial side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.query.walk import Walk, WalkFromNoise
from hauberk.core.settings import require_positive

_LOOK_ASIDE_EVERY = 5  # rounds; the walk needs to know how many sideways steps alone stay adversarial
_ASIDE_GOAL, _AHEAD_GOAL = 0.5, 0.25  # shares of steps that should stay adversarial
_GAIN = 0.4  # how fast step lengths follow the outcomes


@dataclass(frozen=True, kw_only=True, repr=False)
class Boundary(WalkFromNoise):
    """Decision-based attack in L2: sideways on the sphere around the image, then a little inwards.

    Args:
        sideways, inwards: first step lengths, as shares of the distance; both adapt per sample.

    Cost: one question a step, and one more every fifth.
    Limits: needs tens of thousands of questions where HopSkipJump needs thousands; kept as the reference.
    Source: Brendel, Rauber, Bethge, Decision-based adversarial attacks, ICLR 2018, algorithm 1 and figure 2.
    Here the walk starts on the boundary, and step lengths follow each single outcome rather than averages of
    many.
    """

    name: ClassVar[str] = "boundary"

    sideways: float = 0.1
    inwards: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("sideways", self.sideways, "Boundary")
        require_positive("inwards", self.inwards, "Boundary")

    def walk(self, walk: Walk) -> None:
        rows = walk.active()
        walk.bisect(walk.x[rows], rows, 0.01)
        aside = torch.full_like(walk.distance, self.sideways)
        ahead = torch.full_like(walk.distance, self.inwards)
        number = 0
        while len(rows := walk.active()):
            number += 1
            streams = walk.problem.streams[rows].fork(self.tries + number)
            noise = streams.normal(walk.x.shape[1:]).to(walk.x)
            sphere = self._sideways(walk, rows, noise, aside[rows])
            if number % _LOOK_ASIDE_EVERY == 0:
                stays = walk.try_points(walk.valid(sphere), rows).to(aside)
                aside[rows] *= torch.exp(_GAIN * (stays - _ASIDE_GOAL))
                paid = walk.questions.can_pay(rows)
                rows, sphere = rows[paid], sphere[paid]
                if not len(rows):
                    continue
            origin = walk.problem.origin[rows]
            closer = sphere + ahead[rows].clamp(max=1).view(-1, *([1] * (sphere.ndim - 1))) * (origin - sphere)
            stays = walk.try_points(walk.valid(closer), rows).to(ahead)
            ahead[rows] *= torch.exp(_GAIN * (stays - _AHEAD_GOAL))

    def _sideways(self, walk: Walk, rows: Tensor, noise: Tensor, share: Tensor) -> Tensor:
        """A step of ``share`` of the distance at right angles to the way home, back on the same sphere."""
        origin = walk.problem.origin[rows]
        out = (walk.x[rows] - origin).flatten(1)
        distance = out.norm(dim=1, keepdim=True)
        out = out / distance
        step = noise.flatten(1)
        step = step - (step * out).sum(dim=1, keepdim=True) * out
        step = step / step.norm(dim=1, keepdim=True).clamp_min(1e-12)
        away = (out + share[:, None] * step) / torch.sqrt(1 + share[:, None] ** 2)
        sphere: Tensor = origin + (distance * away).view_as(origin)
        return sphere
