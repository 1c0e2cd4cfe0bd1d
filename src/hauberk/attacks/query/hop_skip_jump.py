"""HopSkipJump: the slope of the decision boundary from random labels, a step along it, back to the boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.query.query_attack import draws, groups
from hauberk.attacks.query.walk import Walk, WalkFromNoise
from hauberk.core.settings import require_count
from hauberk.threats import Linf, Streams

_MOST_PROBES = 10_000  # B_max in the paper


@dataclass(frozen=True, kw_only=True, repr=False)
class HopSkipJump(WalkFromNoise):
    """Boundary walk with estimated normals, in L2 and Linf.

    Args:
        probes: directions of the first estimate; estimate t takes ``probes * sqrt(t)``.

    Cost: an estimate, a few questions for the step and about ``log2(values^1.5)`` for the way back (L2).
    Limits: finds a near point of one stretch of the boundary, not the nearest; no proof.
    Source: Chen, Jordan, Wainwright, HopSkipJumpAttack, IEEE S&P 2020, algorithm 2 with its constants (100
    probes, theta = values^-1.5 in L2 and values^-2 in Linf). Here the walk goes on from the closest point
    found, with ``settle`` each way back asks first about the point at the edge of the ball, and an estimate
    that sees one label only (on models that round their input) doubles the reach of the next.
    """

    name: ClassVar[str] = "hop-skip-jump"
    norms: ClassVar[frozenset[str]] = frozenset({"linf", "l2"})

    probes: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("probes", self.probes, "HopSkipJump")

    def walk(self, walk: Walk) -> None:
        values = walk.x[0].numel()
        tolerance = float(values) ** (-2.0 if isinstance(walk.problem.geometry, Linf) else -1.5)
        reserve = math.ceil(-math.log2(tolerance)) + 2  # what a step and the way back cost at least
        rows = walk.active()
        walk.bisect(walk.x[rows], rows, tolerance)
        # the first point is far away: a tenth of the range
        reach = torch.full_like(walk.distance, 0.1 * float((walk.problem.upper - walk.problem.lower).max()))
        wider = torch.ones_like(reach)
        number = 1
        while len(rows := walk.active(reserve + 1)):
            count = min(round(self.probes * math.sqrt(number)), _MOST_PROBES)
            counts = (walk.questions.left(rows) - reserve).clamp(max=count)
            way, agreed = self._normal(walk, rows, counts, reach[rows], number)
            self._step(walk, rows, way, number, tolerance)
            wider[rows] = torch.where(agreed, wider[rows] * 2, (wider[rows] / 2).clamp_min(1))
            reach = walk.distance / values * wider
            number += 1

    def _normal(
        self, walk: Walk, rows: Tensor, counts: Tensor, reach: Tensor, number: int
    ) -> tuple[Tensor, Tensor]:
        """The direction into the adversarial side at ``walk.x[rows]``, from ``counts`` labels for each.

        Also says which of them saw one label only and learned little.
        """
        values, most = walk.x[0].numel(), int(counts.max())
        streams = walk.problem.streams[rows].fork(self.tries + number).keys
        votes, shares = [], []
        for part in groups(len(rows), most * values):
            vote, share = self._vote(walk, rows[part], counts[part], reach[part], Streams(streams[part]))
            votes.append(vote)
            shares.append(share)
        share = torch.cat(shares)
        return walk.problem.geometry.steepest(torch.cat(votes)), (share == 0) | (share == 1)

    def _vote(
        self, walk: Walk, rows: Tensor, counts: Tensor, reach: Tensor, streams: Streams
    ) -> tuple[Tensor, Tensor]:
        """Labels around a point, multiplied by where they were seen; and the share of adversarial ones."""
        x = walk.x[rows].unsqueeze(1)  # (m, 1, ...)
        shape = x.shape[2:]
        wide = (-1, *([1] * len(shape)))
        reach = reach.view(-1, 1, *wide[1:])
        ayes, all_of_them = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0])
        share = torch.zeros_like(walk.distance[rows])
        for number, block in enumerate(draws(int(counts.max()), shape.numel())):
            way = self._directions(walk, streams.fork(number), (block.stop - block.start, *shape)).to(x.dtype)
            points = walk.valid(x + reach * way)
            asked = torch.arange(block.start, block.stop, device=x.device) < counts[:, None]
            labels = torch.zeros_like(asked)
            labels[asked] = walk.questions.fooled(points[asked], rows[:, None].expand_as(asked)[asked])
            way = (points - x) / reach  # what the bounds left of it
            ayes += torch.einsum("mk,mk...->m...", labels.to(x.dtype), way)
            all_of_them += torch.einsum("mk,mk...->m...", asked.to(x.dtype), way)
            share += labels.sum(dim=1) / counts
        mean = share.view(wide)
        # the sum of (label - mean label) * way, with labels of -1 and +1, up to a factor
        vote = ayes - mean * all_of_them
        one_sided = (mean == 0) | (mean == 1)
        return torch.where(one_sided, (2 * mean - 1) * all_of_them, vote), share

    def _directions(self, walk: Walk, streams: Streams, size: tuple[int, ...]) -> Tensor:
        """Random directions ``(m, *size)`` of length 1."""
        even = isinstance(walk.problem.geometry, Linf)
        way = streams.uniform(size) * 2 - 1 if even else streams.normal(size)
        length = way.flatten(2).norm(dim=2)
        unit: Tensor = way / length.view(*length.shape, *([1] * (len(size) - 1)))
        return unit

    def _step(self, walk: Walk, rows: Tensor, way: Tensor, number: int, tolerance: float) -> None:
        """Half as far until adversarial, then back to the boundary."""
        start, length = walk.x[rows], walk.distance[rows] / math.sqrt(number)
        landed = start.clone()
        arrived = torch.zeros_like(rows, dtype=torch.bool)
        for _ in range(20):
            who = (~arrived & walk.questions.can_pay(rows) & ~walk.settled(rows)).nonzero().squeeze(1)
            if not len(who):
                break
            wide = (-1, *([1] * (start.ndim - 1)))
            points = walk.valid(start[who] + length[who].view(wide) * way[who])
            fooled = walk.try_points(points, rows[who])
            landed[who[fooled]] = points[fooled]
            arrived[who] = fooled
            length[who] /= 2
        walk.bisect(landed[arrived], rows[arrived], tolerance)
