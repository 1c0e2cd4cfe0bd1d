"""Gradients guessed from differences of scores: what NES and SPSA share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from hauberk.attacks.query.hunt import Hunt, ScoreAttack
from hauberk.attacks.query.query_attack import draws, groups
from hauberk.core.settings import require_count, require_positive
from hauberk.threats import Streams


@dataclass(frozen=True, kw_only=True, repr=False)
class EstimatedGradient(ScoreAttack):
    """Steps along a gradient estimated from pairs of points ``x + s u`` and ``x - s u``.

    Args:
        pairs: directions per step; a step costs ``2 pairs + 1`` questions.
        reach: the ``s`` above, as a share of the valid range.
        step_size: length of a step in the input's scale (in the threat's norm); None fits it to the budget.
    """

    pairs: int = 25
    reach: float = 0.01
    step_size: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        where = type(self).__name__
        require_count("pairs", self.pairs, where)
        require_positive("reach", self.reach, where)
        if self.step_size is not None:
            require_positive("step_size", self.step_size, where)

    @abstractmethod
    def directions(self, streams: Streams, shape: tuple[int, ...]) -> Tensor:
        """Random directions ``(n, *shape)`` whose values have variance 1."""

    @abstractmethod
    def advance(self, hunt: Hunt, slope: Tensor, number: int, length: float) -> Tensor:
        """The next points from the estimate; ``number`` counts steps from 1. Projected by the caller."""

    def hunt(self, hunt: Hunt) -> None:
        steps = max(1, hunt.left // (2 * self.pairs + 1))
        length = self.step_size or hunt.problem.geometry.eps * max(2.5 / steps, 0.05)
        number = 0
        while hunt:
            pairs = min(self.pairs, (hunt.left - 1) // 2)
            if pairs == 0:
                return
            number += 1
            slope = self._estimate(hunt, hunt.streams.fork(number), pairs)
            points = self.advance(hunt, slope, number, length)
            hunt.move(hunt.problem.project(hunt.origin, points))

    def _estimate(self, hunt: Hunt, streams: Streams, pairs: int) -> Tensor:
        """The gradient of the objective at ``hunt.x``, up to noise."""
        lower, upper = hunt.problem.lower, hunt.problem.upper
        reach = self.reach * (upper - lower)
        shape = hunt.x.shape[1:]
        values = shape.numel()
        slopes = []
        for part in groups(len(hunt.rows), pairs * values):
            total = torch.zeros_like(hunt.x[part])
            mine = Streams(streams.keys[part])
            here = hunt.x[part].unsqueeze(1)
            for number, block in enumerate(draws(pairs, values)):
                size = (block.stop - block.start, *shape)
                way = self.directions(mine.fork(number), size).to(here.dtype)
                # asked within the bounds: a model may refuse what no camera delivers
                ahead, behind = (
                    hunt.probe(torch.clamp(here + sign * reach * way, lower, upper), part) for sign in (1, -1)
                )
                total += torch.einsum("nk,nk...->n...", (ahead - behind).to(way.dtype), way)
            slopes.append(total / pairs)
        return torch.cat(slopes)
