"""Square: random squares of the image at the edge of the ball. No gradient, so none to be masked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.query.canvas import Canvas
from hauberk.attacks.query.hunt import Hunt, ScoreAttack
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_number
from hauberk.threats import Streams

_HALVINGS = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]  # of 10,000 questions: the paper's section 3.2
_TINY = 1e-12


def window_share(largest: float, asked: int, budget: int) -> float:
    """Share of the pixels that a window covers after ``asked`` of ``budget`` questions."""
    return largest / float(2 ** bisect_left(_HALVINGS, asked * 10_000 // budget))


@dataclass(frozen=True, kw_only=True, repr=False)
class Square(ScoreAttack):
    """Random search over windows, in Linf and L2; the strongest attack here that needs no gradient.

    Args:
        share: of the image that the first windows cover, in (0, 1].

    Inputs that are not ``(channels, height, width)`` are taken as one row of values.

    Cost: one forward pass per question.
    Limits: a sample that holds may fall to more questions or to gradients; nothing is proven.
    Source: Andriushchenko, Croce, Flammarion, Hein, Square Attack, ECCV 2020, algorithms 1 to 3; share 0.8 as
    in AutoAttack (ICML 2020). The schedule is stretched over the budget. Here every sample has windows of its
    own, windows reach the last row and column, and in Linf none is proposed that would change nothing.
    Carried-over starting points compete with the stripes (Linf) or tiles (L2).
    """

    name: ClassVar[str] = "square"

    share: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("share", self.share, "Square")
        if not 0 < self.share <= 1:
            raise ConfigError(f"Square: share must lie in (0, 1], got {self.share!r}")

    def hunt(self, hunt: Hunt) -> None:
        squares = LinfSquares(hunt) if hunt.problem.geometry.norm == "linf" else L2Squares(hunt)
        budget = hunt.left
        hunt.offer(squares.first(hunt))
        while hunt:
            asked = budget - hunt.left
            area = window_share(self.share, asked, budget) * squares.canvas.pixels
            hunt.offer(squares.next(hunt, hunt.streams.fork(asked), area))


class Squares(ABC):
    """How windows change the image in one geometry."""

    def __init__(self, hunt: Hunt) -> None:
        self.canvas = Canvas.of(hunt.origin)

    @abstractmethod
    def first(self, hunt: Hunt) -> Tensor:
        """A first point for each standing sample."""

    @abstractmethod
    def next(self, hunt: Hunt, streams: Streams, area: float) -> Tensor:
        """Their points, changed in a window of ``area`` pixels."""


class LinfSquares(Squares):
    """Every value sits at one end of its interval; a window moves to one end, channel by channel."""

    def __init__(self, hunt: Hunt) -> None:
        super().__init__(hunt)
        eps = hunt.problem.geometry.eps
        hunt.memory["low"] = hunt.problem.project(hunt.origin, hunt.origin - eps)
        hunt.memory["high"] = hunt.problem.project(hunt.origin, hunt.origin + eps)

    def first(self, hunt: Hunt) -> Tensor:
        canvas = self.canvas
        stripes = hunt.streams.fork(0).signs((canvas.channels, 1, canvas.width))
        up = (stripes > 0).expand(-1, -1, canvas.height, -1).reshape(hunt.x.shape)
        return torch.where(up, hunt.memory["high"], hunt.memory["low"])

    def next(self, hunt: Hunt, streams: Streams, area: float) -> Tensor:
        canvas = self.canvas
        window = canvas.windows(streams, *canvas.size(area)).expand(-1, canvas.channels, -1)
        now, low, high = (
            canvas.flat(one).gather(2, window) for one in (hunt.x, hunt.memory["low"], hunt.memory["high"])
        )
        up = streams.fork(2).signs((canvas.channels, 1)) > 0
        proposed, opposite = torch.where(up, high, low), torch.where(up, low, high)
        idle = (proposed == now).flatten(1).all(dim=1).view(-1, 1, 1)  # nothing to learn from this question
        changed = torch.where(idle, opposite, proposed)
        return canvas.flat(hunt.x).scatter(2, window, changed).view_as(hunt.x)


class L2Squares(Squares):
    """Windows with a bright and a dark half; budget moves there from another window."""

    def __init__(self, hunt: Hunt) -> None:
        super().__init__(hunt)
        self._eps = hunt.problem.geometry.eps

    def first(self, hunt: Hunt) -> Tensor:
        canvas = self.canvas
        side = max(1, min(canvas.height, canvas.width) // 5)
        down, across = canvas.height // side, canvas.width // side
        streams = hunt.streams.fork(0)
        upright = streams.fork(0).signs((1, down, across, 1, 1)) > 0
        signs = streams.fork(1).signs((canvas.channels, down, across, 1, 1))
        pattern = halves(side, side).to(hunt.x)
        tiles = signs * torch.where(upright, pattern, pattern.T)
        top, left = (canvas.height - down * side) // 2, (canvas.width - across * side) // 2
        delta = hunt.x.new_zeros((len(hunt.rows), canvas.channels, canvas.height, canvas.width))
        delta[:, :, top : top + down * side, left : left + across * side] = _join(tiles)
        return self._at_the_edge(hunt, canvas.flat(delta))

    def next(self, hunt: Hunt, streams: Streams, area: float) -> Tensor:
        canvas = self.canvas
        height, width = canvas.size(area, least=3, odd=True)
        here = canvas.windows(streams.fork(0), height, width).expand(-1, canvas.channels, -1)
        there = canvas.windows(streams.fork(1), height, width).expand(-1, canvas.channels, -1)
        delta = canvas.flat(hunt.x - hunt.origin)
        rest = delta.scatter(2, here, 0.0).scatter(2, there, 0.0)
        unused = (self._eps**2 - _squares(delta).sum(dim=1, keepdim=True)).clamp_min(0) / canvas.channels
        freed = (_squares(delta) - _squares(rest)).clamp_min(0)
        old = delta.gather(2, here)
        upright = streams.fork(2).signs((1, 1)) > 0
        pattern = torch.where(upright, halves(height, width).flatten(), halves(width, height).T.flatten())
        signs = streams.fork(3).signs((canvas.channels, 1))
        new = (signs * pattern.to(old.device)).to(old) + old / (_squares(old).sqrt() + _TINY)
        new = new / (_squares(new).sqrt() + _TINY) * (unused + freed).sqrt()
        return self._at_the_edge(hunt, rest.scatter(2, here, new))

    def _at_the_edge(self, hunt: Hunt, delta: Tensor) -> Tensor:
        """The change brought to length eps, then into the bounds."""
        length = _squares(delta).sum(dim=1, keepdim=True).sqrt()
        full = (delta / (length + _TINY) * self._eps).view_as(hunt.x)
        return hunt.problem.project(hunt.origin, hunt.origin + full)


def _squares(x: Tensor) -> Tensor:
    """Squared length per channel, (n, c, pixels) -> (n, c, 1)."""
    return x.square().sum(dim=2, keepdim=True)


def _join(tiles: Tensor) -> Tensor:
    """(n, c, down, across, s, s) -> (n, c, down * s, across * s)"""
    count, channels, down, across, side, _ = tiles.shape
    return tiles.transpose(3, 4).reshape(count, channels, down * side, across * side)


def halves(height: int, width: int) -> Tensor:
    """The paper's eta, ``(height, width)`` of length 1: its upper half a hill, its lower half a hollow."""
    upper = height // 2
    shape = torch.cat([_hill(upper, width), -_hill(height - upper, width)])
    unit: Tensor = shape / torch.linalg.vector_norm(shape)
    return unit


def _hill(height: int, width: int) -> Tensor:
    """Layers of weight 1/k^2 (k = 1, 2, ...) stacked around the centre, each reaching one pixel farther."""
    if height == 0:
        return torch.zeros(0, width)
    down, across = ((torch.arange(size) - size // 2).abs() for size in (height, width))
    ring = torch.maximum(down[:, None], across)
    layers = 1.0 / torch.arange(1, int(ring.max()) + 2).float() ** 2
    stacked = layers.flip(0).cumsum(0).flip(0)[ring]
    unit: Tensor = stacked / torch.linalg.vector_norm(stacked)
    return unit
