"""How a generator's output becomes a point that the threat allows: the same in training and in the attack."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hauberk.attacks.advgan.networks import Generator
from hauberk.threats import Bounds, Geometry

_FREE = 1.0  # how far beyond the ball a generator may wish to go; more saturates its tanh


@dataclass(frozen=True, eq=False)
class Reach:
    """Args:
    geometry: of the threat.
    scale: how far the generator's output of 1 moves a value, in the input's scale.
    lower, upper: the bounds, broadcastable.
    """

    geometry: Geometry
    scale: float
    lower: Tensor
    upper: Tensor

    @classmethod
    def of(cls, geometry: Geometry, bounds: Bounds, like: Tensor) -> Reach:
        """For images ``like`` ``(n, c, h, w)``; no value is moved by more than the width of the bounds."""
        shape = tuple(like.shape[1:])
        scale = min(geometry.step_scale(bounds, shape), max(bounds.widths(shape)))
        return cls(geometry, scale, *bounds.tensors(like))

    def centred(self, x: Tensor) -> Tensor:
        """Images as the networks take them: in [-1, 1]."""
        return (2 * x - self.lower - self.upper) / (self.upper - self.lower)

    def wished(self, network: Generator, x: Tensor, classes: Tensor) -> Tensor:
        """Where the generator wants to go; differentiable."""
        output: Tensor = network(self.centred(x), classes)
        return x + self.scale * output

    def allowed(self, x: Tensor, wished: Tensor) -> Tensor:
        """The nearest point of the ball and the bounds; no gradient."""
        return self.geometry.project(x, wished.detach(), self.lower, self.upper)

    def excess(self, x: Tensor, wished: Tensor) -> Tensor:
        """How far outside the ball each wish lies beyond a free stretch, ``(n,)``; differentiable.

        Both in units of ``scale``. Without the free stretch a hinge draws the generator inside the ball, and it
        leaves part of its radius unused. The bounds do not count: to wish beyond them costs nothing.
        """
        everywhere = torch.full_like(self.lower, torch.inf)
        nearest = self.geometry.project(x, wished.detach(), -everywhere, everywhere)
        distance: Tensor = torch.linalg.vector_norm((wished - nearest).flatten(1), dim=1)
        return (distance / self.scale - _FREE).clamp_min(0)
