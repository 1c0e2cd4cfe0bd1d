"""Score-based search: the samples that stand, where they are, and the best points that were seen."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.attack import Problem
from hauberk.attacks.objectives import Margin, Objective, fooled, objective
from hauberk.attacks.query.query_attack import QueryAttack
from hauberk.attacks.questions import Questions
from hauberk.threats import Knowledge


class Hunt:
    """The active set of a score-based attack: who is fooled or out of budget leaves it at once.

    Args:
        problem: the samples.
        questions: asks and counts.
        climb: what the attack raises.

    ``rows`` are the positions in the problem of those still standing; ``origin``, ``streams``, ``x`` (where
    each of them is), ``loss`` (there) and ``memory`` (whatever the attack remembers) have one row for each of
    them. ``best`` has one row for each sample of the problem: the point that came closest.
    """

    def __init__(self, problem: Problem, questions: Questions, climb: Objective) -> None:
        self.problem, self.questions, self._climb = problem, questions, climb
        self.best = problem.origin.clone()
        self._height = torch.full_like(problem.labels, -torch.inf, dtype=torch.float32)
        self.rows = torch.arange(len(problem.origin), device=problem.origin.device)
        self.origin, self.streams = problem.origin, problem.streams
        self._labels, self._targets = problem.labels, problem.targets
        self.x, self.loss = problem.origin, self._height
        self.memory: dict[str, Tensor] = {}
        self._keep(questions.can_pay(self.rows))

    def __bool__(self) -> bool:
        """Is anyone left?"""
        return len(self.rows) > 0

    @property
    def left(self) -> int:
        """How many questions each of those standing may still ask: they have all asked equally often."""
        return int(self.questions.left(self.rows).min())

    def offer(self, points: Tensor) -> Tensor:
        """One question each; they go to their point where it is better than where they are.

        Returns, for those who still stand afterwards, whether they went.
        """
        return self._ask(points, moves=False)

    def move(self, points: Tensor) -> None:
        """One question each; they go to their point for better or worse."""
        self._ask(points, moves=True)

    def probe(self, points: Tensor, part: slice) -> Tensor:
        """Losses ``(m, k)`` at ``points (m, k, ...)`` around the standing samples of ``part``; nobody moves."""
        count = points.shape[1]
        rows, labels = (one[part].repeat_interleave(count) for one in (self.rows, self._labels))
        targets = None if self._targets is None else self._targets[part].repeat_interleave(count)
        logits = self.questions.logits(points.flatten(0, 1), rows)
        return self._climb(logits, labels, targets).float().view(-1, count)

    def _ask(self, points: Tensor, *, moves: bool) -> Tensor:
        logits = self.questions.logits(points, self.rows)
        loss = self._climb(logits, self._labels, self._targets).float()
        won = fooled(logits, self._labels, self._targets)
        better = won | (loss > self.loss) | moves
        self.x = torch.where(better.view(-1, *([1] * (points.ndim - 1))), points, self.x)
        self.loss = torch.where(better, loss, self.loss)
        higher = won | (loss > self._height[self.rows])
        self.best[self.rows[higher]] = points[higher]
        self._height[self.rows[higher]] = loss[higher]
        kept = ~won & self.questions.can_pay(self.rows)
        self._keep(kept)
        return better[kept]

    def _keep(self, kept: Tensor) -> None:
        if bool(kept.all()):
            return
        self.rows, self.origin, self.streams = self.rows[kept], self.origin[kept], self.streams[kept]
        self._labels = self._labels[kept]
        self._targets = None if self._targets is None else self._targets[kept]
        self.x, self.loss = self.x[kept], self.loss[kept]
        self.memory = {name: one[kept] for name, one in self.memory.items()}


@dataclass(frozen=True, kw_only=True, repr=False)
class ScoreAttack(QueryAttack):
    """An attack on a model that shows its scores.

    Args:
        objective: what it raises, ``cross-entropy``, ``margin``, ``dlr`` or a configured one.
    """

    needs: ClassVar[Knowledge] = Knowledge.SCORES
    norms: ClassVar[frozenset[str]] = frozenset({"linf", "l2"})

    objective: Objective | str = Margin()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "objective", objective(self.objective))

    def search(self, problem: Problem, questions: Questions) -> Tensor:
        assert not isinstance(self.objective, str)
        hunt = Hunt(problem, questions, self.objective)
        if hunt and problem.starts is not None:
            hunt.move(problem.project(hunt.origin, problem.starts[hunt.rows]))
        if hunt:
            self.hunt(hunt)
        return hunt.best

    @abstractmethod
    def hunt(self, hunt: Hunt) -> None:
        """Offer points until nobody is left."""
