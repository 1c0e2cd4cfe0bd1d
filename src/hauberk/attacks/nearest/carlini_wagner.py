"""Carlini and Wagner's attacks: distance plus a weighted margin, minimised by Adam inside the box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.nearest.base import NearestAttack
from hauberk.attacks.nearest.hunt import Hunt, Sight, per_sample
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count, require_number, require_positive

_INSIDE = 0.99  # images on the bounds would lie at infinity, and near them a step of w would move nothing
_PATIENCE = 0.2  # share of the steps without progress after which a sample leaves its round
_PROGRESS = 1e-4  # relative


class Weights:
    """The weight of the margin for each sample: ten times more until it suffices, then bisection."""

    def __init__(self, first: Tensor) -> None:
        self.now = first.clone()
        self._low = torch.zeros_like(first)
        self._high = torch.full_like(first, torch.inf)

    def learn(self, rows: Tensor, sufficed: Tensor) -> None:
        """After a round of the samples ``rows``."""
        now = self.now[rows]
        self._high[rows] = torch.where(sufficed, now, self._high[rows])
        self._low[rows] = torch.where(sufficed, self._low[rows], now)
        middle = (self._low[rows] + self._high[rows]) / 2
        self.now[rows] = torch.where(torch.isinf(self._high[rows]), now * 10, middle)


def stalled(memory: dict[str, Tensor], loss: Tensor, number: int, steps: int) -> Tensor:
    """Boolean ``(n,)``: the least loss is what it was at the last check; checked five times in a round."""
    least = memory["least"] = torch.minimum(memory.get("least", loss), loss)
    every = max(1, round(_PATIENCE * steps))
    if number % every:
        return torch.zeros_like(loss, dtype=torch.bool)
    last = memory.get("checked", torch.full_like(loss, torch.inf))
    memory["checked"] = least
    return least > (1 - _PROGRESS) * last


@dataclass(frozen=True, kw_only=True, repr=False)
class WeightedAttack(NearestAttack):
    """Base of attacks that minimise ``distance + weight * lag`` and search the weight.

    Args:
        steps: steps of a round.
        rounds: values of the weight that are tried.
        step_size: of the optimiser, before tanh.
        weight: the first one.
        confidence: how far ahead, in logits, the attack tries to come; points that are ahead by less count too.
    """

    steps: int = 200
    rounds: int = 5
    step_size: float = 0.05
    weight: float = 0.1
    confidence: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        where = type(self).__name__
        require_count("steps", self.steps, where)
        require_count("rounds", self.rounds, where)
        require_positive("step_size", self.step_size, where)
        require_positive("weight", self.weight, where)
        require_number("confidence", self.confidence, where)
        if self.confidence < 0:
            raise ConfigError(f"{where}: confidence must be at least 0, got {self.confidence!r}")

    def ticks(self) -> int:
        return self.rounds * self.steps


def bisect_weight(attack: WeightedAttack, hunt: Hunt, minimise: Callable[[Hunt, Tensor, Tensor], None]) -> None:
    """Rounds of a minimisation with better and better weights.

    Args:
        minimise: given the hunt, the weights and a boolean in which it enters whom the weight sufficed for;
            both with a row per sample of the problem.
    """
    weights = Weights(torch.full_like(hunt.distance, attack.weight))
    for number in range(attack.rounds):
        hunt.begin(number)
        rows, ticked = hunt.active.rows, hunt.ticked
        won = torch.zeros_like(hunt.found)
        minimise(hunt, weights.now, won)
        hunt.tick(ticked + attack.steps - hunt.ticked)
        weights.learn(rows, won[rows])


class Adam:
    """Kingma and Ba's optimiser on the active samples; its state lives in their memory."""

    def __init__(self, hunt: Hunt, step_size: float) -> None:
        self._hunt, self._step_size, self._times = hunt, step_size, 0
        memory = hunt.active.memory
        memory["first"], memory["second"] = torch.zeros_like(hunt.active.x), torch.zeros_like(hunt.active.x)

    def step(self, gradient: Tensor) -> Tensor:
        """What to add."""
        memory = self._hunt.active.memory
        self._times += 1
        memory["first"] = 0.9 * memory["first"] + 0.1 * gradient
        memory["second"] = 0.999 * memory["second"] + 0.001 * gradient.square()
        mean = memory["first"] / (1 - 0.9**self._times)
        spread = (memory["second"] / (1 - 0.999**self._times)).sqrt()
        return -self._step_size * mean / (spread + 1e-8)


class Cube:
    """The change of variables that keeps points inside the bounds, ``tanh(w)``, less its value at the start.

    Taking the start's value away lets the first point be the image itself, although ``w`` has to begin a little
    inside the cube to be able to move.
    """

    def __init__(self, hunt: Hunt) -> None:
        middle, self._half = (hunt.upper + hunt.lower) / 2, (hunt.upper - hunt.lower) / 2
        inner = (hunt.active.x - middle) / self._half * _INSIDE
        memory = hunt.active.memory
        memory["w"] = torch.atanh(inner)
        memory["start"], memory["inner"] = hunt.active.x, torch.tanh(memory["w"])

    def enter(self, hunt: Hunt) -> None:
        """Go to the point that ``w`` stands for."""
        memory = hunt.active.memory
        hunt.go(memory["start"] + self._half * (torch.tanh(memory["w"]) - memory["inner"]))

    def move(self, hunt: Hunt, adam: Adam, gradient: Tensor) -> None:
        """A step of ``w`` down a gradient with respect to the point."""
        memory = hunt.active.memory
        slope = self._half * (1 - torch.tanh(memory["w"]).square())
        memory["w"] = memory["w"] + adam.step(gradient * slope)


def lag(sight: Sight, confidence: float) -> tuple[Tensor, Tensor]:
    """How far the attacker is behind, ``(n,)``, and whether that still counts."""
    behind = confidence - sight.margin
    return behind.clamp_min(0), behind > 0


@dataclass(frozen=True, kw_only=True, repr=False)
class CarliniWagner(WeightedAttack):
    """The L2 attack that defences were measured by for years; DDN reaches the same distances sooner.

    Cost: at most ``rounds * steps`` forward and backward passes; a sample leaves a round when it stalls.
    Source: Carlini and Wagner, S&P 2017, section V and VI.A (f6, tanh, Adam). Here the distance is in units of
    the valid range, so that the weight means the same for every input scale; steps are larger and ``tanh``
    begins farther inside (see ``Cube``), which a fiftieth of the paper's steps needs; stalled samples leave
    one by one; and the result is refined.
    """

    name: ClassVar[str] = "cw"
    norms: ClassVar[frozenset[str]] = frozenset({"l2"})

    def search(self, hunt: Hunt) -> None:
        bisect_weight(self, hunt, self._minimise)

    def _minimise(self, hunt: Hunt, weights: Tensor, won: Tensor) -> None:
        cube = Cube(hunt)
        adam = Adam(hunt, self.step_size)
        for number in range(self.steps):
            cube.enter(hunt)
            sight = hunt.look()
            if sight is None:
                return
            active = hunt.active
            won[active.rows] |= sight.won
            delta = (active.x - active.origin) / hunt.step_unit
            behind, counts = lag(sight, self.confidence)
            weight = weights[active.rows]
            loss = delta.square().flatten(1).sum(dim=1) + weight * behind
            push = per_sample(torch.where(counts, weight, 0.0), delta)
            cube.move(hunt, adam, 2 * delta / hunt.step_unit - push * sight.slope)
            hunt.drop(stalled(hunt.active.memory, loss, number, self.steps))
            hunt.tick()


_SHRINK = 0.9  # of the limit, as in the paper


@dataclass(frozen=True, kw_only=True, repr=False)
class CarliniWagnerLinf(WeightedAttack):
    """Carlini and Wagner's Linf attack: only changes beyond a limit are punished, and the limit shrinks.

    Cost: as ``CarliniWagner``.
    Source: Carlini and Wagner, S&P 2017, section VI.D. Here the limit shrinks as soon as a point within it is
    found rather than after a whole minimisation; a round begins at the closest point so far, with half the step
    size of the round before. Where a round found nothing new, the next one has ten times the weight if
    nothing is known at all, and a limit halfway back to the best distance otherwise.
    """

    name: ClassVar[str] = "cw-linf"
    norms: ClassVar[frozenset[str]] = frozenset({"linf"})

    step_size: float = 0.1
    weight: float = 1.0

    def search(self, hunt: Hunt) -> None:
        weights = torch.full_like(hunt.distance, self.weight)
        limits = _SHRINK * hunt.distance.clamp(max=hunt.step_unit)
        for number in range(self.rounds):
            known = per_sample(hunt.found, hunt.closest)
            hunt.begin(number, torch.where(known, hunt.closest, hunt.problem.origin))
            before, ticked = hunt.distance.clone(), hunt.ticked
            self._shrink(hunt, self.step_size / 2**number, weights, limits)
            hunt.tick(ticked + self.steps - hunt.ticked)
            idle = hunt.distance >= before
            weights[idle & ~hunt.found] *= 10
            halfway = idle & hunt.found
            limits[halfway] = (limits[halfway] + hunt.distance[halfway]) / 2

    def _shrink(self, hunt: Hunt, step_size: float, weights: Tensor, limits: Tensor) -> None:
        cube = Cube(hunt)
        adam = Adam(hunt, step_size)
        for number in range(self.steps):
            cube.enter(hunt)
            sight = hunt.look()
            if sight is None:
                return
            active = hunt.active
            delta = active.x - active.origin
            distance = delta.abs().flatten(1).amax(dim=1)
            limit = limits[active.rows]
            within = sight.won & (distance <= limit)
            limit = limits[active.rows] = torch.where(within, _SHRINK * distance, limit)
            excess = (delta.abs() - per_sample(limit, delta)).clamp_min(0)
            behind, counts = lag(sight, self.confidence)
            weight = weights[active.rows]
            loss = excess.flatten(1).sum(dim=1) / hunt.step_unit + weight * behind
            push = per_sample(torch.where(counts, weight, 0.0), delta)
            gradient = delta.sign() * (excess > 0) / hunt.step_unit - push * sight.slope
            cube.move(hunt, adam, gradient)
            # a new limit, a new loss
            for name in {"least", "checked"} & hunt.active.memory.keys():
                hunt.active.memory[name] = hunt.active.memory[name].masked_fill(within, torch.inf)
            hunt.drop(stalled(hunt.active.memory, loss, number, self.steps))
            hunt.tick()
