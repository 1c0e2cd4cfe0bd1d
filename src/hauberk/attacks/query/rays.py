"""RayS: which corner of the Linf ball points to the nearest boundary, sign by sign."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.query.walk import LabelAttack, Walk

_TOLERANCE = 1e-3  # of the radius, where a way back ends


@dataclass(frozen=True, kw_only=True, repr=False)
class RayS(LabelAttack):
    """Ray searching in Linf: flips blocks of signs, halves, quarters, ... down to single values.

    A flip costs one question; only where it is adversarial closer than all before is it kept, and a search
    for the smallest radius follows. No gradient is estimated and nothing needs tuning.

    Limits: untargeted only, as in the paper; finds a near point, not the nearest.
    Source: Chen and Gu, RayS, KDD 2020, algorithms 2 and 3. The first ray has plus signs only, or the signs of
    a carried-over starting point. Here rays end at the bounds.
    """

    name: ClassVar[str] = "rays"
    norms: ClassVar[frozenset[str]] = frozenset({"linf"})
    targetable: ClassVar[bool] = False

    def walk(self, walk: Walk) -> None:
        problem = walk.problem
        signs = torch.ones_like(problem.origin)
        if problem.starts is not None:
            signs = torch.where(problem.starts < problem.origin, -1.0, signs)
            rows = _active(walk)
            walk.try_points(problem.project(problem.origin[rows], problem.starts[rows]), rows)
        rows = _active(walk)
        self._shoot(walk, rows, signs[rows])
        for begin, end in itertools.chain.from_iterable(itertools.repeat(blocks(signs[0].numel()))):
            rows = _active(walk)
            if not len(rows):
                return
            flipped = signs[rows]
            flipped.view(len(rows), -1)[:, begin:end] *= -1  # a view: indexing has copied already
            closer = self._shoot(walk, rows, flipped)
            signs[rows[closer]] = flipped[closer]

    def _shoot(self, walk: Walk, rows: Tensor, signs: Tensor) -> Tensor:
        """Is the ray adversarial closer than the best? Then how close? Boolean: for which it was."""
        problem = walk.problem
        origin = problem.origin[rows]
        farthest = (problem.upper - problem.lower).max().to(origin)
        radius = (walk.distance[rows] * (1 - _TOLERANCE)).clamp(max=farthest)
        points = walk.valid(origin + radius.view(-1, *([1] * (origin.ndim - 1))) * signs)
        closer = walk.try_points(points, rows)
        walk.bisect(points[closer], rows[closer], _TOLERANCE)
        return closer


def _active(walk: Walk) -> Tensor:
    """Samples that still look, whether or not anything adversarial is known: a flip may find it."""
    rows = torch.arange(len(walk.x), device=walk.x.device)
    return rows[~walk.settled(rows) & walk.questions.can_pay(rows)]


def blocks(values: int) -> list[tuple[int, int]]:
    """One pass over the hierarchy: the whole, its halves, quarters, ... single values, as (begin, end)."""
    sizes = [values]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // 2))
    return [(begin, min(begin + size, values)) for size in sizes for begin in range(0, values, size)]
