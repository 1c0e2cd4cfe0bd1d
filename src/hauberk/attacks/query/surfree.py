"""SurFree: circles through the image and the boundary, without asking for any slope."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.query.canvas import Canvas, cosines
from hauberk.attacks.query.walk import Walk, WalkFromNoise
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_number
from hauberk.threats import Streams

_LARGEST = math.pi / 2 * 0.9  # at a right angle the circle is back at the image
_PATIENCE = 0.98  # the first angle shrinks by this with each failure, and grows with each success
_ANGLES = (1, -1, 2 / 3, -2 / 3, 1 / 3, -1 / 3)  # of the largest, in the order of the gain that they promise
_REFINEMENTS = 6


@dataclass(frozen=True, kw_only=True, repr=False)
class SurFree(WalkFromNoise):
    """Geometric label-only attack in L2: every adversarial point on a circle is closer than the last.

    The circle runs in the plane of the way home and a random direction at right angles to it; its point at
    angle ``a`` lies at ``distance * cos(a)`` from the image.

    Args:
        share: of the frequencies of an image that random directions use, the low ones, in (0, 1].

    Cost: one to six questions a direction, and six more where one of them succeeds.
    Limits: as every walk, finds a near point, not the nearest.
    Source: Maho, Furon, Le Merrer, SurFree, CVPR 2021, algorithm 1. Here directions are at right angles to the
    way home only, not to earlier directions, and six halvings refine the angle.
    """

    name: ClassVar[str] = "surfree"

    share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("share", self.share, "SurFree")
        if not 0 < self.share <= 1:
            raise ConfigError(f"SurFree: share must lie in (0, 1], got {self.share!r}")

    def walk(self, walk: Walk) -> None:
        rows = walk.active()
        walk.bisect(walk.x[rows], rows, 0.01)
        waves = Waves(Canvas.of(walk.x), self.share, walk.x)
        widest = torch.full_like(walk.distance, math.pi / 6)
        number = 0
        while len(rows := walk.active()):
            number += 1
            noise = waves.noise(walk.problem.streams[rows].fork(self.tries + number))
            turned = self._turn(walk, Circle(walk, rows, noise), widest[rows])
            change = torch.where(turned, 1 / _PATIENCE, _PATIENCE).to(widest)
            widest[rows] = (widest[rows] * change).clamp(max=_LARGEST)

    def _turn(self, walk: Walk, circle: Circle, widest: Tensor) -> Tensor:
        """An adversarial angle of each circle, as wide as it goes; boolean: for which there is one."""
        good = torch.zeros_like(widest)  # adversarial at this angle
        bad = torch.zeros_like(widest)  # and no longer at this one, which is wider
        for factor in _ANGLES:
            who = ((good == 0) & circle.wants()).nonzero().squeeze(1)
            if not len(who):
                break
            angle = factor * widest[who]
            good[who] = torch.where(circle.ask(who, angle), angle, 0.0)
            wider = (1.5 if abs(factor) == 1 else abs(factor) + 1 / 3) * widest[who]
            bad[who] = torch.where(good[who] != 0, angle.sign() * wider.clamp(max=math.pi / 2), 0.0)
        for _ in range(_REFINEMENTS):
            who = ((good != 0) & circle.wants()).nonzero().squeeze(1)
            if not len(who):
                break
            middle = (good[who] + bad[who]) / 2
            fooled = circle.ask(who, middle)
            good[who], bad[who] = torch.where(fooled, middle, good[who]), torch.where(fooled, bad[who], middle)
        return good != 0


class Circle:
    """For each of ``rows`` the circle through its image and its point, in the plane of ``noise``."""

    def __init__(self, walk: Walk, rows: Tensor, noise: Tensor) -> None:
        self.walk, self.rows = walk, rows
        self.origin = walk.problem.origin[rows]
        out = (walk.x[rows] - self.origin).flatten(1)
        self.radius = out.norm(dim=1, keepdim=True)
        self.out = out / self.radius
        aside = noise.flatten(1)
        aside = aside - (aside * self.out).sum(dim=1, keepdim=True) * self.out
        self.aside = aside / aside.norm(dim=1, keepdim=True).clamp_min(1e-12)

    def wants(self) -> Tensor:
        """Boolean: who may and needs to ask on."""
        return self.walk.questions.can_pay(self.rows) & ~self.walk.settled(self.rows)

    def ask(self, who: Tensor, angle: Tensor) -> Tensor:
        """Is the circle's point at ``angle`` adversarial? Boolean ``(m,)``."""
        near, across = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
        delta = self.radius[who] * near * (near * self.out[who] + across * self.aside[who])
        points = self.origin[who] + delta.view_as(self.origin[who])
        return self.walk.try_points(self.walk.valid(points), self.rows[who])


class Waves:
    """Smooth random directions: for the eye's sake in the paper, and because models heed them."""

    def __init__(self, canvas: Canvas, share: float, like: Tensor) -> None:
        self._canvas, self._like = canvas, like
        self._tall, self._wide = (
            cosines(size)[: max(1, round(share * size))].to(like) for size in (canvas.height, canvas.width)
        )

    def noise(self, streams: Streams) -> Tensor:
        """Directions ``(n, ...)``, not of length 1."""
        shape = (self._canvas.channels, len(self._tall), len(self._wide))
        weights = streams.normal(shape).to(self._like)
        mixed = torch.einsum("ncij,ih,jw->nchw", weights, self._tall, self._wide)
        return mixed.reshape(len(weights), *self._like.shape[1:])
