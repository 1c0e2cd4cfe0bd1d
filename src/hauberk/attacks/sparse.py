"""Sparse-PGD: where to change an image and how are two variables, climbed side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.attack import Problem
from hauberk.attacks.gradient import Batch, GradientAttack
from hauberk.attacks.nearest.hunt import positions
from hauberk.attacks.oracle import Look
from hauberk.core.settings import require_count, require_positive

_STUCK = 3  # steps without a change of the positions, after which they are drawn anew
_HEAD_START = 3.0  # of the positions that a given starting point changes, in standard deviations of the draw
_FLAT = 2e-8  # a slope of the positions below this says nothing


@dataclass(frozen=True, kw_only=True, repr=False)
class SparsePGD(GradientAttack):
    """The strongest white-box attack here for a given number of pixels.

    Args:
        steps: gradient steps of a restart.
        restarts: random starting points. The changes' own gradient is taken at the chosen positions only in the
            even restarts and, weighted, everywhere in the odd ones, which explore more.
        step_size: of the changes, as a share of the valid range, and of the positions.

    Cost: as PGD.
    Source: Zhong, Huang and Liu, ICML 2024, algorithm 1 (sPGD with projected and unprojected gradients).
    """

    name: ClassVar[str] = "sparse-pgd"
    norms: ClassVar[frozenset[str]] = frozenset({"l0"})

    steps: int = 100
    restarts: int = 2
    step_size: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, "SparsePGD")
        require_count("restarts", self.restarts, "SparsePGD")
        require_positive("step_size", self.step_size, "SparsePGD")

    @property
    def _rounds(self) -> tuple[int, int]:
        return self.restarts, self.steps

    def start(self, problem: Problem, batch: Batch, restart: int) -> Tensor:
        shape = batch.origin.shape[1:]
        drawn = batch.streams.fork(0).uniform(shape).to(batch.origin.dtype)
        batch.memory["values"] = problem.lower + drawn * (problem.upper - problem.lower)
        batch.memory["scores"] = self._draw(batch, 0)
        everywhere = torch.full_like(batch.rows, restart % 2, dtype=torch.bool)
        self._begin(problem, batch, everywhere)
        return self._point(batch)

    def step(self, number: int, problem: Problem, batch: Batch, look: Look) -> Tensor:
        memory = batch.memory
        if "chosen" not in memory:  # begun from another attack's points
            changed = (positions(batch.x - batch.origin) != 0).any(dim=1)
            memory["values"] = batch.x
            memory["scores"] = self._draw(batch, 0) + _HEAD_START * changed
            self._begin(problem, batch, torch.zeros_like(batch.rows, dtype=torch.bool))
        self._step_values(problem, batch, look.gradient)
        self._step_scores(batch, look.gradient)
        self._choose(problem, batch, number)
        return self._point(batch)

    def _begin(self, problem: Problem, batch: Batch, everywhere: Tensor) -> None:
        batch.memory["everywhere"] = everywhere
        batch.memory["stuck"] = torch.zeros_like(batch.rows)
        batch.memory["chosen"] = _strongest(batch.memory["scores"], int(problem.geometry.eps))

    def _step_values(self, problem: Problem, batch: Batch, gradient: Tensor) -> None:
        """What the changed positions become; exploring restarts move the others too."""
        memory = batch.memory
        shown = memory["chosen"] | memory["everywhere"][:, None]
        ascent = (positions(gradient) * shown[:, None]).view_as(gradient).sign()
        moved = memory["values"] + self.step_size * (problem.upper - problem.lower) * ascent
        memory["next_values"] = torch.minimum(torch.maximum(moved, problem.lower), problem.upper)

    def _step_scores(self, batch: Batch, gradient: Tensor) -> None:
        """Where to change: up the slope of the sigmoid mask."""
        memory = batch.memory
        soft = torch.sigmoid(memory["scores"])
        delta = memory["values"] - batch.origin
        slope = positions(gradient * delta).sum(dim=1) * soft * (1 - soft)
        length = slope.norm(dim=1, keepdim=True)
        size = self.step_size * slope.shape[1] ** 0.5
        step = torch.where(length > _FLAT, size * slope / length.clamp_min(1e-30), 0.0)
        memory["scores"] = memory["scores"] + step
        memory["values"] = memory.pop("next_values")

    def _choose(self, problem: Problem, batch: Batch, number: int) -> None:
        memory = batch.memory
        count = int(problem.geometry.eps)
        chosen = _strongest(memory["scores"], count)
        same = (chosen == memory["chosen"]).all(dim=1)
        stuck = torch.where(same, memory["stuck"] + 1, 0)
        anew = stuck >= _STUCK
        if bool(anew.any()):
            fresh = self._draw(batch, 1 + number)
            memory["scores"] = torch.where(anew[:, None], fresh, memory["scores"])
            chosen = _strongest(memory["scores"], count)
        memory["stuck"] = torch.where(anew, 0, stuck)
        memory["chosen"] = chosen

    @staticmethod
    def _draw(batch: Batch, number: int) -> Tensor:
        """Scores from a standard normal."""
        size = positions(batch.origin).shape[2]
        return batch.streams.fork(1 + number).normal((size,)).to(batch.origin.dtype)

    @staticmethod
    def _point(batch: Batch) -> Tensor:
        chosen = batch.memory["chosen"][:, None].expand_as(positions(batch.origin))
        return torch.where(chosen.reshape(batch.origin.shape), batch.memory["values"], batch.origin)


def _strongest(scores: Tensor, count: int) -> Tensor:
    """Boolean, the ``count`` highest of each row."""
    top = scores.topk(min(count, scores.shape[1]), dim=1).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, top, True)
