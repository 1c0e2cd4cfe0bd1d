"""How far an attacker may go: the Linf, L2, L1 and L0 balls around an image, cut by the valid bounds.

A geometry is a frozen value with a radius ``eps`` in the classifier's own input scale. Attacks never ask
which one they hold: it projects, starts, steps and measures. All tensors are ``(n, ...)`` with one image a
row; everything is per sample, so the result for one image never depends on its neighbours.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.threats.bounds import Bounds
from hauberk.threats.streams import Streams

_TINY = 1e-12  # far below any distance that matters


def _flat(x: Tensor) -> Tensor:
    return x.reshape(len(x), -1)


def _like(vector: Tensor, x: Tensor) -> Tensor:
    """(n,) -> (n, 1, ..., 1) for products with x."""
    return vector.view(-1, *([1] * (x.ndim - 1)))


def _unit(x: Tensor, p: float) -> Tensor:
    # By the largest value first: the squares of a saturated network's gradients would underflow, and a step
    # of length 0 makes it look robust.
    largest = _flat(x).abs().amax(dim=1)
    x = x / _like(torch.where(largest > 0, largest, 1.0), x)
    norm = torch.linalg.vector_norm(_flat(x), ord=p, dim=1)
    return x / _like(norm.clamp_min(_TINY), x)


@dataclass(frozen=True)
class Geometry(ABC):
    """A ball of radius ``eps``.

    Raises:
        ConfigError: ``eps`` is not a positive, finite number.
    """

    eps: float
    norm: ClassVar[str]

    def __post_init__(self) -> None:
        try:
            sound = not isinstance(self.eps, bool) and math.isfinite(self.eps)
        except (TypeError, OverflowError):
            sound = False
        if not sound:
            raise ConfigError(f"{type(self).__name__}: eps must be a finite number, got {self.eps!r}")
        if self.eps <= 0:
            raise ConfigError(f"{type(self).__name__}: eps must be greater than 0, got {self.eps!r}")

    def with_eps(self, eps: float) -> Self:
        """The same geometry with another radius."""
        return replace(self, eps=eps)

    def describe(self) -> dict[str, object]:
        """JSON for evidence."""
        return {"norm": self.norm, "eps": float(self.eps)}

    @abstractmethod
    def largest(self, bounds: Bounds, shape: tuple[int, ...]) -> float:
        """The radius that reaches every valid image from every other: no eps beyond it means anything."""

    def step_scale(self, bounds: Bounds, shape: tuple[int, ...]) -> float:
        """How far an attack must be able to travel: its default step is a share of this."""
        return self.eps

    @abstractmethod
    def distance(self, delta: Tensor) -> Tensor:
        """Norm of each perturbation, ``(n,)``."""

    @abstractmethod
    def project(self, origin: Tensor, x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """A point of the ball around ``origin`` within ``[lower, upper]`` close to ``x`` (a new tensor).

        Exact Euclidean projection for Linf and L1; for L2 the ball, then the box, which stays in the ball
        because ``origin`` lies in the box.
        """

    @abstractmethod
    def uniform(self, origin: Tensor, streams: Streams) -> Tensor:
        """A random perturbation in the ball, same shape as ``origin``."""

    @abstractmethod
    def steepest(self, gradient: Tensor) -> Tensor:
        """The step along which a linear loss grows fast: the best one of length 1 for Linf and L2.

        For L1 the strongest twentieth of the values share the length of 1; for L0 the ``eps`` strongest
        positions move by 1 in every value. No gradient, no step.
        """


@dataclass(frozen=True)
class Linf(Geometry):
    """Every value may change by at most ``eps``."""

    norm: ClassVar[str] = "linf"

    def largest(self, bounds: Bounds, shape: tuple[int, ...]) -> float:
        return max(bounds.widths(shape))

    def distance(self, delta: Tensor) -> Tensor:
        return _flat(delta).abs().amax(dim=1)

    def project(self, origin: Tensor, x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        low = torch.maximum(origin - self.eps, lower)
        high = torch.minimum(origin + self.eps, upper)
        return torch.minimum(torch.maximum(x, low), high)

    def uniform(self, origin: Tensor, streams: Streams) -> Tensor:
        return (streams.uniform(origin.shape[1:]).to(origin.dtype) * 2 - 1) * self.eps

    def steepest(self, gradient: Tensor) -> Tensor:
        return gradient.sign()


@dataclass(frozen=True)
class L2(Geometry):
    """The Euclidean length of the change is at most ``eps``."""

    norm: ClassVar[str] = "l2"

    def largest(self, bounds: Bounds, shape: tuple[int, ...]) -> float:
        per_value = math.prod(shape) / len(bounds.widths(shape))
        return math.sqrt(sum(width**2 * per_value for width in bounds.widths(shape)))

    def distance(self, delta: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(_flat(delta), dim=1)
        return length

    def project(self, origin: Tensor, x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        delta = x - origin
        shrink = (self.eps / self.distance(delta).clamp_min(_TINY)).clamp(max=1.0)
        return torch.minimum(torch.maximum(origin + delta * _like(shrink, delta), lower), upper)

    def uniform(self, origin: Tensor, streams: Streams) -> Tensor:
        size = math.prod(origin.shape[1:])
        direction = _unit(streams.fork(0).normal(origin.shape[1:]).to(origin.dtype), 2)
        radius = streams.fork(1).uniform((1,)).to(origin.dtype).view(-1) ** (1.0 / size)
        return direction * _like(radius * self.eps, direction)

    def steepest(self, gradient: Tensor) -> Tensor:
        return _unit(gradient, 2)


@dataclass(frozen=True)
class L1(Geometry):
    """The absolute changes add up to at most ``eps``.

    Projection is exact on ball and box together, which an L1 attack needs: projecting on one after the other
    loses most of the budget (Croce and Hein, Mind the box, ICML 2021).
    """

    norm: ClassVar[str] = "l1"
    _STEP_SHARE: ClassVar[float] = 0.05  # share of the values that one step moves

    def largest(self, bounds: Bounds, shape: tuple[int, ...]) -> float:
        widths = bounds.widths(shape)
        return sum(widths) * math.prod(shape) / len(widths)

    def distance(self, delta: Tensor) -> Tensor:
        return _flat(delta).abs().sum(dim=1)

    def project(self, origin: Tensor, x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        # The minimiser is clip(soft(delta, t)) for the smallest t >= 0 that meets the budget; its length
        # falls with t, so halving the interval finds t and its upper end is always feasible.
        delta = _flat(x - origin)
        low = _flat((lower - origin).expand_as(x))
        high = _flat((upper - origin).expand_as(x))

        def shrunk(t: Tensor) -> Tensor:
            soft = delta.sign() * (delta.abs() - t[:, None]).clamp_min(0)
            return torch.minimum(torch.maximum(soft, low), high)

        below = torch.zeros_like(delta[:, 0])
        above = delta.abs().amax(dim=1)
        fits = shrunk(below).abs().sum(dim=1) <= self.eps
        above = torch.where(fits, below, above)
        for _ in range(30):  # 2**-30 of the largest change: below float32's resolution
            middle = (below + above) / 2
            within = shrunk(middle).abs().sum(dim=1) <= self.eps
            above = torch.where(within, middle, above)
            below = torch.where(within, below, middle)
        # lower - origin was rounded, so that adding origin again may leave the box by a last digit
        return torch.minimum(torch.maximum(origin + shrunk(above).view_as(x), lower), upper)

    def uniform(self, origin: Tensor, streams: Streams) -> Tensor:
        # Exponential spacings with random signs, scaled: uniform on the sphere, then on the ball.
        size = math.prod(origin.shape[1:])
        shares = -torch.log1p(-streams.fork(0).uniform(origin.shape[1:]))
        direction = _unit((shares * streams.fork(1).signs(origin.shape[1:])).to(origin.dtype), 1)
        radius = streams.fork(2).uniform((1,)).to(origin.dtype).view(-1) ** (1.0 / size)
        return direction * _like(radius * self.eps, direction)

    def steepest(self, gradient: Tensor) -> Tensor:
        # The true maximiser moves one value; a handful at once converges in far fewer steps.
        flat = _flat(gradient)
        count = max(1, int(flat.shape[1] * self._STEP_SHARE))
        top = flat.abs().topk(count, dim=1).indices
        chosen = torch.zeros_like(flat).scatter_(1, top, flat.gather(1, top).sign())
        return _unit(chosen, 1).view_as(gradient)


@dataclass(frozen=True)
class L0(Geometry):
    """At most ``eps`` positions may change, each as far as the bounds allow.

    In images ``(channels, height, width)`` a position is a pixel with all its channels, as in the sparse-attack
    literature; elsewhere it is one value.
    """

    norm: ClassVar[str] = "l0"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eps != int(self.eps):
            raise ConfigError(f"L0: eps counts positions and must be a whole number, got {self.eps!r}")

    @staticmethod
    def _positions(x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, h*w); anything else -> (n, 1, values)."""
        if x.ndim == 4:
            return x.reshape(len(x), x.shape[1], -1)
        return x.reshape(len(x), 1, -1)

    def largest(self, bounds: Bounds, shape: tuple[int, ...]) -> float:
        return float(math.prod(shape[1:]) if len(shape) == 3 else math.prod(shape))

    def step_scale(self, bounds: Bounds, shape: tuple[int, ...]) -> float:
        return max(bounds.widths(shape))  # eps counts positions; each may travel the whole range

    def distance(self, delta: Tensor) -> Tensor:
        changed = (self._positions(delta) != 0).any(dim=1)
        return changed.sum(dim=1).to(torch.float32)

    def _keep_strongest(self, delta: Tensor, strength: Tensor) -> Tensor:
        count = min(int(self.eps), strength.shape[1])
        top = strength.topk(count, dim=1).indices
        mask = torch.zeros_like(strength).scatter_(1, top, 1.0)
        return (self._positions(delta) * mask[:, None]).view_as(delta)

    def project(self, origin: Tensor, x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        delta = torch.minimum(torch.maximum(x, lower), upper) - origin
        kept = self._keep_strongest(delta, self._positions(delta).abs().sum(dim=1))
        # adding the kept change back can round differently from x: take x itself where it was kept
        return torch.where(kept != 0, torch.minimum(torch.maximum(x, lower), upper), origin)

    def uniform(self, origin: Tensor, streams: Streams) -> Tensor:
        values = (streams.fork(0).uniform(origin.shape[1:]) * 2 - 1).to(origin.dtype)
        order = streams.fork(1).uniform(self._positions(origin).shape[2:]).to(origin.dtype)
        return self._keep_strongest(values, order)

    def steepest(self, gradient: Tensor) -> Tensor:
        strength = self._positions(gradient).abs().sum(dim=1)
        return self._keep_strongest(gradient.sign(), strength)


GEOMETRIES: dict[str, type[Geometry]] = {kind.norm: kind for kind in (Linf, L2, L1, L0)}
