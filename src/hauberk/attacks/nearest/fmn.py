"""FMN and DDN: walk along the gradient on a ball whose radius shrinks while adversarial and grows while not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.nearest.base import NearestAttack
from hauberk.attacks.nearest.hunt import Hunt, Sight, per_sample, positions
from hauberk.attacks.nearest.norms import CONVEX, NORMS
from hauberk.attacks.objectives import CrossEntropy, Objective
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_number, require_positive


def annealed(number: int, steps: int, last: float) -> float:
    """From 1 down to ``last`` along half a cosine."""
    return last + (1 - last) * (1 + math.cos(math.pi * number / steps)) / 2


def movable(hunt: Hunt, gradient: Tensor) -> Tensor:
    """The gradient without what would only press against the bounds."""
    x = hunt.active.x
    pressed = ((x <= hunt.lower) & (gradient < 0)) | ((x >= hunt.upper) & (gradient > 0))
    return gradient.masked_fill(pressed, 0.0)


@dataclass(frozen=True, kw_only=True, repr=False)
class FMN(NearestAttack):
    """Fast minimum norm: the first choice for "how far is the closest adversarial input".

    Args:
        steps: gradient steps.
        step_size: of the first step, in L2 as a share of the valid range; falls to a hundredth of it.
        gamma: share by which the radius shrinks or grows at first; falls to a thousandth.

    Cost: ``steps`` forward and backward passes, then one forward and the refinements.
    Source: Pintor et al., NeurIPS 2021, algorithm 1. Here gradients that press against the bounds are left
    out, the radius never falls before something adversarial is known, an L1 ball is projected on together
    with the box, an L0 ball counts pixels, the last point is looked at too, and the result is refined.
    """

    name: ClassVar[str] = "fmn"

    steps: int = 100
    step_size: float = 1.0
    gamma: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, "FMN")
        require_positive("step_size", self.step_size, "FMN")
        check_share("gamma", self.gamma, "FMN")

    def ticks(self) -> int:
        return self.steps

    def search(self, hunt: Hunt) -> None:
        norm = NORMS[hunt.norm]
        radius = torch.full_like(hunt.distance, torch.inf)
        if hunt.norm == "l0":
            radius = torch.ones_like(radius)
        radius = torch.where(hunt.found, hunt.distance, radius)
        hunt.active.memory["radius"] = radius[hunt.active.rows]
        for number in range(self.steps):
            sight = hunt.look()
            if sight is None:
                return
            gamma = max(self.gamma * annealed(number, self.steps, 0.0), 1e-3)
            memory, active = hunt.active.memory, hunt.active
            resize = self._resize_count if hunt.norm == "l0" else self._resize
            memory["radius"] = resize(hunt, sight, gamma)
            step = self.step_size * hunt.step_unit * annealed(number, self.steps, 0.01)
            ahead = active.x + step * CONVEX["l2"].shortest(movable(hunt, sight.slope))
            hunt.go(norm.project(active.origin, ahead, memory["radius"], hunt.lower, hunt.upper))
            hunt.tick()
        hunt.ask()

    def _resize(self, hunt: Hunt, sight: Sight, gamma: float) -> Tensor:
        norm, active = CONVEX[hunt.norm], hunt.active
        radius, best = active.memory["radius"], hunt.distance[active.rows]
        # the distance to the plane that the boundary looks like, as long as no point beyond it is known
        gap = sight.surplus.abs() / norm.dual(sight.slope).clamp_min(1e-37)
        estimate = norm.length(active.x - active.origin) + gap
        estimate = torch.where(torch.isinf(radius), estimate, torch.maximum(estimate, radius))
        shrunk = torch.minimum(radius * (1 - gamma), best)
        grown = torch.where(hunt.found[active.rows], radius, estimate) * (1 + gamma)
        return torch.where(sight.won, shrunk, grown)

    def _resize_count(self, hunt: Hunt, sight: Sight, gamma: float) -> Tensor:
        radius, best = hunt.active.memory["radius"], hunt.distance[hunt.active.rows]
        shrunk = torch.minimum(torch.minimum(radius - 1, (radius * (1 - gamma)).floor()), best)
        grown = torch.maximum(radius + 1, (radius * (1 + gamma)).floor())
        most = float(positions(hunt.active.x).shape[2])
        return torch.where(sight.won, shrunk, grown).clamp(1, most)


@dataclass(frozen=True, kw_only=True, repr=False)
class DDN(NearestAttack):
    """Decoupled direction and norm: FMN's forerunner for L2, on cross-entropy.

    Args:
        steps: gradient steps.
        radius: of the first ball, as a share of the valid range.
        gamma: share by which the radius shrinks or grows.

    Cost: as FMN.
    Source: Rony et al., CVPR 2019, algorithm 1, without rounding to 256 levels; the last point is looked at
    too, and the result is refined.
    """

    name: ClassVar[str] = "ddn"
    norms: ClassVar[frozenset[str]] = frozenset({"l2"})
    climbs: ClassVar[Objective] = CrossEntropy()

    steps: int = 100
    radius: float = 1.0
    gamma: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, "DDN")
        require_positive("radius", self.radius, "DDN")
        check_share("gamma", self.gamma, "DDN")

    def ticks(self) -> int:
        return self.steps

    def search(self, hunt: Hunt) -> None:
        norm = CONVEX["l2"]
        first = torch.full_like(hunt.distance, self.radius * hunt.step_unit)
        hunt.active.memory["radius"] = torch.where(hunt.found, hunt.distance, first)[hunt.active.rows]
        for number in range(self.steps):
            sight = hunt.look()
            if sight is None:
                return
            active = hunt.active
            factor = torch.where(sight.won, 1 - self.gamma, 1 + self.gamma)
            radius = active.memory["radius"] = active.memory["radius"] * factor
            step = hunt.step_unit * annealed(number, self.steps, 0.01)
            delta = active.x - active.origin + step * norm.shortest(sight.slope)
            # onto the sphere, not only into the ball
            hunt.go(active.origin + delta * per_sample(radius / norm.length(delta).clamp_min(1e-12), delta))
            hunt.tick()
        hunt.ask()


def check_share(name: str, value: object, where: str) -> None:
    """A number above 0 and below 1."""
    require_number(name, value, where)
    if not 0 < value < 1:  # type: ignore[operator]
        raise ConfigError(f"{where}: {name} must lie between 0 and 1, got {value!r}")
