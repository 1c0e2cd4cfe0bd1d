"""What the norms mean to a search whose radius differs from sample to sample.

``threats.Geometry`` projects a batch on one radius; here each sample has its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.nearest.hunt import per_sample, positions

_TINY = 1e-12  # far below any distance that matters
_LEAST = 1e-37  # above float32's denormals


def _flat(x: Tensor) -> Tensor:
    return x.flatten(1)


class Norm(ABC):
    """One norm; all methods take ``(n, ...)`` and work row by row."""

    @abstractmethod
    def length(self, delta: Tensor) -> Tensor:
        """The norm, ``(n,)``."""

    @abstractmethod
    def project(self, origin: Tensor, x: Tensor, radius: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """``x`` brought into the bounds and to within ``radius`` ``(n,)`` of ``origin``."""


class Convex(Norm):
    """A norm with a dual: the distance to a plane is the gap divided by the dual norm of its normal."""

    @abstractmethod
    def dual(self, normal: Tensor) -> Tensor:
        """The dual norm, ``(n,)``."""

    @abstractmethod
    def shortest(self, normal: Tensor) -> Tensor:
        """The step of length 1 that goes farthest along ``normal``."""

    @abstractmethod
    def _amounts(self, steep: Tensor, room: Tensor, gap: Tensor) -> Tensor:
        """How far each value ``(n, d)`` moves, from 0 to ``room``, so that ``steep`` times it sums to ``gap``
        ``(n,)`` on the shortest way; everything moves fully where that is out of reach.
        """

    def onto(self, x: Tensor, normal: Tensor, gap: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """The closest point ``z`` in the bounds with ``normal . (z - x) = gap``; exact.

        Source: Croce and Hein, ICML 2020 (FAB), section 3.1 and appendix A.
        """
        # on a scale where the largest slope is 1 (and positive along the way), so that tiny ones do not vanish
        scale = _flat(normal).abs().amax(dim=1).clamp_min(_LEAST) * torch.where(gap < 0, -1.0, 1.0).to(x.dtype)
        uphill, gap = normal / per_sample(scale, normal), gap / scale
        room = torch.where(uphill > 0, upper - x, x - lower)
        room = torch.where(uphill == 0, torch.zeros_like(room), room).clamp_min(0)
        amounts = self._amounts(_flat(uphill).abs(), _flat(room), gap)
        moved = x + uphill.sign() * amounts.view_as(x)
        return torch.minimum(torch.maximum(moved, lower), upper)


def _fill_together(steep: Tensor, rate: Tensor, room: Tensor, gap: Tensor) -> Tensor:
    """All values move at once, each at its ``rate`` until its room is used up, until the gap is closed.

    The sum gained is piecewise linear in time, with a bend where a value stops: sort the bends, find the piece.
    """
    stops = torch.where(rate > 0, room / rate.clamp_min(_TINY), torch.zeros_like(room))
    ordered, order = stops.sort(dim=1)
    full = (steep * room).gather(1, order).cumsum(dim=1)  # gained by those that stopped, up to each bend
    speed = (steep * rate).gather(1, order)
    left = speed.flip(1).cumsum(dim=1).flip(1) - speed  # speed of those still moving after each bend
    gained = full + ordered * left
    piece = (gained < gap[:, None]).sum(dim=1, keepdim=True)  # the first bend past the gap
    before = (piece - 1).clamp_min(0)
    started = torch.where(piece > 0, full.gather(1, before), torch.zeros_like(gap[:, None]))
    moving = torch.where(piece > 0, left.gather(1, before), speed.sum(dim=1, keepdim=True))
    time = (gap[:, None] - started) / moving.clamp_min(_TINY)
    time = torch.where(piece == steep.shape[1], torch.inf, time)
    return torch.minimum(torch.where(rate > 0, time * rate, torch.zeros_like(rate)), room)


class _Linf(Convex):
    def length(self, delta: Tensor) -> Tensor:
        return _flat(delta).abs().amax(dim=1)

    def dual(self, normal: Tensor) -> Tensor:
        return _flat(normal).abs().sum(dim=1)

    def shortest(self, normal: Tensor) -> Tensor:
        return normal.sign()

    def project(self, origin: Tensor, x: Tensor, radius: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        reach = per_sample(radius, x)
        low, high = torch.maximum(origin - reach, lower), torch.minimum(origin + reach, upper)
        return torch.minimum(torch.maximum(x, low), high)

    def _amounts(self, steep: Tensor, room: Tensor, gap: Tensor) -> Tensor:
        return _fill_together(steep, (steep > 0).to(steep.dtype), room, gap)


class _L2(Convex):
    def length(self, delta: Tensor) -> Tensor:
        # by the largest value first: the squares of a saturated network's slopes would underflow
        flat = _flat(delta)
        largest = flat.abs().amax(dim=1).clamp_min(_LEAST)
        length: Tensor = largest * torch.linalg.vector_norm(flat / largest[:, None], dim=1)
        return length

    def dual(self, normal: Tensor) -> Tensor:
        return self.length(normal)

    def shortest(self, normal: Tensor) -> Tensor:
        return normal / per_sample(self.length(normal).clamp_min(_LEAST), normal)

    def project(self, origin: Tensor, x: Tensor, radius: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        delta = x - origin
        shrink = (radius / self.length(delta).clamp_min(_TINY)).clamp(max=1.0)
        return torch.minimum(torch.maximum(origin + delta * per_sample(shrink, delta), lower), upper)

    def _amounts(self, steep: Tensor, room: Tensor, gap: Tensor) -> Tensor:
        return _fill_together(steep, steep, room, gap)


class _L1(Convex):
    _HALVINGS: ClassVar[int] = 26  # of the threshold: below the resolution of float32

    def length(self, delta: Tensor) -> Tensor:
        return _flat(delta).abs().sum(dim=1)

    def dual(self, normal: Tensor) -> Tensor:
        return _flat(normal).abs().amax(dim=1)

    def shortest(self, normal: Tensor) -> Tensor:
        flat = _flat(normal)
        top = flat.abs().argmax(dim=1, keepdim=True)
        return torch.zeros_like(flat).scatter_(1, top, flat.gather(1, top).sign()).view_as(normal)

    def project(self, origin: Tensor, x: Tensor, radius: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        # on ball and box together, as in threats.L1: one after the other loses most of the radius
        delta = _flat(x - origin)
        low, high = _flat((lower - origin).expand_as(x)), _flat((upper - origin).expand_as(x))

        def shrunk(threshold: Tensor) -> Tensor:
            soft = delta.sign() * (delta.abs() - threshold[:, None]).clamp_min(0)
            return torch.minimum(torch.maximum(soft, low), high)

        below = torch.zeros_like(radius)
        above = delta.abs().amax(dim=1)
        above = torch.where(shrunk(below).abs().sum(dim=1) <= radius, below, above)
        for _ in range(self._HALVINGS):
            middle = (below + above) / 2
            within = shrunk(middle).abs().sum(dim=1) <= radius
            above = torch.where(within, middle, above)
            below = torch.where(within, below, middle)
        return torch.minimum(torch.maximum(origin + shrunk(above).view_as(x), lower), upper)

    def _amounts(self, steep: Tensor, room: Tensor, gap: Tensor) -> Tensor:
        # the steepest value first, to its bound, then the next
        ordered, order = steep.sort(dim=1, descending=True)
        gains = ordered * room.gather(1, order)
        before = gains.cumsum(dim=1) - gains
        missing = (gap[:, None] - before).clamp_min(0) / ordered.clamp_min(_TINY)
        amounts = torch.minimum(missing, room.gather(1, order))
        return torch.zeros_like(room).scatter_(1, order, amounts)


class _L0(Norm):
    def length(self, delta: Tensor) -> Tensor:
        return (positions(delta) != 0).any(dim=1).sum(dim=1).to(delta.dtype)

    def project(self, origin: Tensor, x: Tensor, radius: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        x = torch.minimum(torch.maximum(x, lower), upper)
        strength = positions(x - origin).abs().sum(dim=1)
        place = strength.argsort(dim=1, descending=True, stable=True).argsort(dim=1, stable=True)
        kept = (place < radius[:, None])[:, None].expand_as(positions(x))
        return torch.where(kept.reshape(x.shape), x, origin)


CONVEX: dict[str, Convex] = {"linf": _Linf(), "l2": _L2(), "l1": _L1()}
NORMS: dict[str, Norm] = {**CONVEX, "l0": _L0()}
