"""Auto-PGD: momentum, best-so-far restarts and a step size that halves itself. No step size to choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.attack import Problem
from hauberk.attacks.gradient import Batch, GradientAttack, Record
from hauberk.attacks.objectives import Objective
from hauberk.attacks.oracle import Look, Oracle
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count

_RISE = 0.75  # share of steps that must raise the loss (rho in the paper)
_INERTIA = 0.75  # weight of the new step against the last move (alpha in the paper)


def checkpoints(steps: int) -> list[int]:
    """The step numbers at which the step size is reconsidered: gaps shrink from 22 % to 6 % of the steps."""
    shares = [0, 22]  # in percent: whole numbers do not round up by mistake
    while shares[-1] < 100:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 3, 6))
    return sorted({min(steps, -(-share * steps // 100)) for share in shares[1:]})


@dataclass(frozen=True, kw_only=True, repr=False)
class APGD(GradientAttack):
    """Auto-PGD for Linf and L2 balls (other geometries work, without the paper's special L1 rules).

    Args:
        steps: gradient steps per restart.
        restarts: random starting points.

    Source: Croce and Hein, Reliable evaluation of adversarial robustness, ICML 2020, algorithm 1. Here a
    fooled sample leaves the batch at once, and a sample sent back to its best point goes on without momentum.
    """

    name: ClassVar[str] = "apgd"

    steps: int = 100
    restarts: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("steps", self.steps, type(self).__name__)
        require_count("restarts", self.restarts, type(self).__name__)

    @property
    def _rounds(self) -> tuple[int, int]:
        return self.restarts, self.steps

    def start(self, problem: Problem, batch: Batch, restart: int) -> Tensor:
        return batch.origin + problem.geometry.uniform(batch.origin, batch.streams)

    def step(self, number: int, problem: Problem, batch: Batch, look: Look) -> Tensor:
        memory = batch.memory
        if number == 0:
            scale = problem.geometry.step_scale(problem.classifier.bounds, problem.classifier.input_shape)
            memory["size"] = torch.full_like(look.loss, 2 * scale)
            memory["previous"] = batch.x
            memory["best_x"], memory["best_loss"] = batch.x, look.loss
            memory["best_gradient"] = look.gradient
            memory["rises"] = torch.zeros_like(look.loss)
            memory["last_loss"] = look.loss
            memory["checked_loss"], memory["shrunk"] = look.loss, torch.zeros_like(look.loss)
        else:
            self._remember(batch, look)
        gradient = look.gradient
        points = checkpoints(self.steps)
        if number in points[:-1]:
            gradient = self._reconsider(batch, look, span=number - ([0, *points][points.index(number)]))
        size = memory["size"].view(-1, *([1] * (batch.x.ndim - 1)))
        ahead = problem.project(batch.origin, batch.x + size * problem.geometry.steepest(gradient))
        inertia = _INERTIA if number > 0 else 1.0
        moved = batch.x + inertia * (ahead - batch.x) + (1 - inertia) * (batch.x - memory["previous"])
        memory["previous"] = batch.x
        return moved

    def _remember(self, batch: Batch, look: Look) -> None:
        memory = batch.memory
        memory["rises"] = memory["rises"] + (look.loss > memory["last_loss"])
        memory["last_loss"] = look.loss
        better = look.loss > memory["best_loss"]
        wide = better.view(-1, *([1] * (batch.x.ndim - 1)))
        memory["best_loss"] = torch.where(better, look.loss, memory["best_loss"])
        memory["best_x"] = torch.where(wide, batch.x, memory["best_x"])
        memory["best_gradient"] = torch.where(wide, look.gradient, memory["best_gradient"])

    def _reconsider(self, batch: Batch, look: Look, span: int) -> Tensor:
        """Halve the step and go back to the best point where the loss has stalled; returns the gradients."""
        memory = batch.memory
        few_rises = memory["rises"] < _RISE * span
        stalled = (memory["shrunk"] == 0) & (memory["best_loss"] <= memory["checked_loss"])
        halve = few_rises | stalled
        memory["size"] = torch.where(halve, memory["size"] / 2, memory["size"])
        memory["shrunk"] = halve.to(look.loss.dtype)
        memory["checked_loss"] = memory["best_loss"]
        memory["rises"] = torch.zeros_like(memory["rises"])
        wide = halve.view(-1, *([1] * (batch.x.ndim - 1)))
        batch.x = torch.where(wide, memory["best_x"], batch.x)
        # the restarted samples stand still once: their last move leads to a point they have left
        memory["previous"] = torch.where(wide, memory["best_x"], memory["previous"])
        return torch.where(wide, memory["best_gradient"], look.gradient)


@dataclass(frozen=True, kw_only=True, repr=False)
class APGDT(APGD):
    """APGD towards one wrong class after the other, the likeliest first; any wrong label counts.

    Args:
        classes: how many classes are tried; None: all but the true one.

    The classes are ranked for each image by its logits where it stands: at the starts if there are some, else
    at the image itself (one query).

    Source: Croce and Hein, ICML 2020, section 4 (APGD-T), with its targeted DLR objective where there are four
    classes or more.
    """

    name: ClassVar[str] = "apgd-t"
    targetable: ClassVar[bool] = False  # with a wanted class there is nothing to try one by one

    objective: Objective | str = "dlr"
    classes: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes is not None:
            require_count("classes", self.classes, "APGDT")
        if self.restarts != 1:
            raise ConfigError("APGDT: each class is one restart; set classes")

    def ticks(self) -> int:
        return (self.classes or 1) * self.steps

    def aims(self, problem: Problem, oracle: Oracle, record: Record) -> Sequence[Tensor | None]:
        budget = problem.threat.queries
        if budget is not None and bool((record.queries + self.eot > budget).any()):
            return []
        where = problem.origin
        if problem.starts is not None:
            where = problem.project(problem.origin, problem.starts)
        logits = oracle.logits(where, problem.labels)
        record.queries += self.eot
        record.note(torch.arange(len(where), device=where.device), where, logits)
        rivals = logits.shape[1] - 1
        others = logits.scatter(1, problem.labels[:, None], -torch.inf)
        ranked = others.argsort(dim=1, descending=True, stable=True)
        return [ranked[:, place] for place in range(min(self.classes or rivals, rivals))]
