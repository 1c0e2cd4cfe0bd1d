"""SimBA: one direction of an orthogonal basis after the other, forwards or backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from hauberk.attacks.query.canvas import Canvas, cosines
from hauberk.attacks.query.hunt import Hunt, ScoreAttack
from hauberk.core.errors import check_known
from hauberk.core.settings import require_positive
from hauberk.threats import Streams

_BASES = ("pixels", "frequencies")


@dataclass(frozen=True, kw_only=True, repr=False)
class SimBA(ScoreAttack):
    """Simple black-box attack: keeps every small step that helps.

    Args:
        basis: ``pixels`` (one value at a time, in random order) or ``frequencies`` (cosines over the image,
            the low ones first, which photographs need).
        step_size: Euclidean length of a step in the input's scale; None takes twice eps in Linf, where one
            value crosses its interval, and a fifth of eps in L2.

    Cost: one or two questions per direction.
    Limits: greedy; slow where no single direction of the basis helps.
    Source: Guo, Gardner, You, Wilson, Weinberger, Simple black-box adversarial attacks, ICML 2019, algorithm
    1. Here the margin is raised in place of the class probability, steps are projected into the ball, and when
    all directions are used up they are tried again in a new order.
    """

    name: ClassVar[str] = "simba"

    basis: Literal["pixels", "frequencies"] = "pixels"
    step_size: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_known([self.basis], _BASES, what="basis", where="SimBA")
        if self.step_size is not None:
            require_positive("step_size", self.step_size, "SimBA")

    def hunt(self, hunt: Hunt) -> None:
        eps = hunt.problem.geometry.eps
        default = {"linf": 2 * eps, "l2": 0.2 * eps}[hunt.problem.geometry.norm]
        length = self.step_size or default
        basis = Basis(Canvas.of(hunt.origin), frequencies=self.basis == "frequencies", like=hunt.origin)
        memory = hunt.memory
        memory["turn"] = torch.zeros_like(hunt.rows)
        memory["back"] = torch.zeros_like(hunt.rows, dtype=torch.bool)
        memory["order"] = basis.order(hunt.streams.fork(0))
        hunt.offer(hunt.x)  # how far the image itself is from falling
        while hunt:
            points = self._points(hunt, basis, length)
            took = hunt.offer(points)
            everyone = torch.arange(len(took), device=took.device)
            self._next(hunt, everyone, ~took, took)

    def _points(self, hunt: Hunt, basis: Basis, length: float) -> Tensor:
        """The next point of each sample; where a value is at its end already, there is nothing to ask."""
        points = torch.empty_like(hunt.x)
        who = torch.arange(len(hunt.rows), device=points.device)
        while len(who):
            x, turn, back = hunt.x[who], hunt.memory["turn"][who], hunt.memory["back"][who]
            way = basis.directions(hunt.memory["order"][who].gather(1, turn[:, None])[:, 0])
            lengths = torch.where(back, -length, length).to(x).view(-1, 1)
            points[who] = hunt.problem.project(hunt.origin[who], x + (lengths * way).view_as(x))
            idle = (points[who] == x).flatten(1).all(dim=1)
            who = who[idle]
            self._next(
                hunt, who, torch.ones_like(who, dtype=torch.bool), torch.zeros_like(who, dtype=torch.bool)
            )
        return points

    def _next(self, hunt: Hunt, who: Tensor, refused: Tensor, took: Tensor) -> None:
        """Turn round where the way forwards was refused; else take the next direction."""
        turn, back, order = (hunt.memory[name] for name in ("turn", "back", "order"))
        over = took | back[who]
        back[who] = refused & ~over
        turn[who] += over
        done = who[turn[who] == order.shape[1]]
        if len(done):
            shuffle = hunt.streams[done].fork(1).uniform(order.shape[1:]).argsort(dim=1)
            order[done] = order[done].gather(1, shuffle)
            turn[done] = 0


class Basis:
    """Orthonormal directions of a canvas, by their numbers."""

    def __init__(self, canvas: Canvas, *, frequencies: bool, like: Tensor) -> None:
        self.canvas = canvas
        self.waves = [cosines(size).to(like) for size in (canvas.height, canvas.width)] if frequencies else None

    def order(self, streams: Streams) -> Tensor:
        """A permutation of the directions for each sample, int64 ``(n, values)``."""
        canvas = self.canvas
        chance = streams.uniform((canvas.channels * canvas.pixels,))
        if self.waves is None:
            return chance.argsort(dim=1)
        down, across = (torch.arange(size, device=chance.device) for size in (canvas.height, canvas.width))
        speed = torch.maximum(down[:, None], across).flatten().repeat(canvas.channels)
        return (speed + chance).argsort(dim=1)

    def directions(self, which: Tensor) -> Tensor:
        """Directions number ``which`` ``(n,)`` as ``(n, values)``."""
        canvas = self.canvas
        values = canvas.channels * canvas.pixels
        if self.waves is None:
            return torch.nn.functional.one_hot(which, values)
        tall, wide = self.waves
        place = which % canvas.pixels
        wave = torch.einsum("nh,nw->nhw", tall[place // canvas.width], wide[place % canvas.width]).flatten(1)
        channel = torch.nn.functional.one_hot(which // canvas.pixels, canvas.channels).to(wave)
        return torch.einsum("nc,np->ncp", channel, wave).flatten(1)
