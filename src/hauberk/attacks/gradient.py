"""The engine of the iterative gradient attacks.

It owns the loop: restarts, the active set (a sample that is fooled leaves the batch at once), the closest
point so far, query counting and budgets. An attack on it states only where it starts and how it steps.
Projection happens here, on the iterate and outside of autograd: a clamp inside the differentiated path zeroes
gradients at the bounds and makes a model look robust.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from hauberk.attacks.attack import Attack, Outcome, Problem
from hauberk.attacks.objectives import CrossEntropy, Objective, attacker_margin, fooled, objective
from hauberk.attacks.oracle import Look, Oracle
from hauberk.core.settings import require_count
from hauberk.threats import Knowledge, Streams


@dataclass(eq=False)
class Batch:
    """The active samples of one restart.

    Args:
        rows: their positions in the problem.
        aims: what the objective is told beside the labels: the wanted classes, or None.
        memory: what the attack's step remembers per sample; its tensors are cut along with the rest.
    """

    rows: Tensor
    origin: Tensor
    labels: Tensor
    aims: Tensor | None
    streams: Streams
    x: Tensor
    memory: dict[str, Tensor] = field(default_factory=dict)

    def keep(self, kept: Tensor) -> Batch:
        """The samples where the boolean ``kept`` is True."""
        return Batch(
            self.rows[kept],
            self.origin[kept],
            self.labels[kept],
            None if self.aims is None else self.aims[kept],
            self.streams[kept],
            self.x[kept],
            {name: tensor[kept] for name, tensor in self.memory.items()},
        )


class Record:
    """The closest point seen for each sample, over all restarts."""

    def __init__(self, problem: Problem) -> None:
        self._labels, self._targets = problem.labels, problem.targets
        self.candidates = problem.origin.clone()
        self.margin = torch.full_like(problem.labels, -torch.inf, dtype=torch.float32)
        self.won = torch.zeros_like(problem.labels, dtype=torch.bool)
        self.queries = problem.queries.clone()
        self.gradients = torch.zeros_like(problem.queries)
        self.zero_gradient = torch.zeros_like(self.won)

    def note(self, rows: Tensor, x: Tensor, logits: Tensor) -> Tensor:
        """Take in the logits at ``x`` for the samples ``rows``; returns which of them are fooled."""
        targets = None if self._targets is None else self._targets[rows]
        margin = attacker_margin(logits, self._labels[rows], targets).float()
        won = fooled(logits, self._labels[rows], targets)
        better = won | (margin > self.margin[rows])
        chosen = rows[better]
        self.candidates[chosen] = x[better]
        self.margin[chosen] = margin[better]
        self.won[chosen] |= won[better]
        return won


@dataclass(frozen=True, kw_only=True, repr=False)
class GradientAttack(Attack):
    """Base of FGSM, PGD and their kin.

    Args:
        objective: what is climbed: ``cross-entropy``, ``margin``, ``dlr``, or an ``Objective``.
        eot: forward passes averaged at each point, for randomised models.

    Cost: for each sample still standing ``steps`` backward and ``steps + 1`` forward passes a restart, times
    ``eot``.
    """

    needs: ClassVar[Knowledge] = Knowledge.WHITE_BOX

    objective: Objective | str = CrossEntropy()
    eot: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "objective", objective(self.objective))
        require_count("eot", self.eot, type(self).__name__)

    @property
    def repeats(self) -> int:
        return self.eot

    @property
    @abstractmethod
    def _rounds(self) -> tuple[int, int]:
        """(restarts, steps)"""

    def start(self, problem: Problem, batch: Batch, restart: int) -> Tensor:
        """Where a restart begins; projected by the engine."""
        return batch.origin.clone()

    def begin(self, problem: Problem, rows: Tensor, restart: int, aims: Tensor | None) -> Batch:
        """The samples ``rows`` where a restart begins: at the attack's start, the first one at given points."""
        batch = Batch(
            rows,
            problem.origin[rows],
            problem.labels[rows],
            None if aims is None else aims[rows],
            problem.streams[rows].fork(restart),
            problem.origin[rows],
        )
        carried = problem.starts[rows] if problem.starts is not None and restart == 0 else None
        begin = self.start(problem, batch, restart) if carried is None else carried
        batch.x = problem.project(batch.origin, begin)
        return batch

    def aims(self, problem: Problem, oracle: Oracle, record: Record) -> Sequence[Tensor | None]:
        """What the objective climbs towards, for each restart one row per sample of the problem.

        A question that finding out costs is entered in ``record.queries``.
        """
        return [problem.targets] * self._rounds[0]

    @abstractmethod
    def step(self, number: int, problem: Problem, batch: Batch, look: Look) -> Tensor:
        """The next points for step ``number`` (from 0); projected by the engine."""

    def ticks(self) -> int:
        restarts, steps = self._rounds
        return restarts * steps

    def run(self, problem: Problem) -> Outcome:
        assert not isinstance(self.objective, str)
        oracle = Oracle(problem.classifier, self.objective, eot=self.eot, gradients_from=problem.gradients_from)
        record = Record(problem)
        _, steps = self._rounds
        for restart, aims in enumerate(self.aims(problem, oracle, record)):
            standing = (~record.won).nonzero().squeeze(1)
            done = self._climb(problem, oracle, record, standing, restart, aims) if len(standing) else 0
            problem.progress.advance(steps - done, f"{float(record.won.float().mean()):.0%} fooled")
        return Outcome(record.candidates, record.queries, record.gradients, record.zero_gradient)

    def _climb(
        self,
        problem: Problem,
        oracle: Oracle,
        record: Record,
        rows: Tensor,
        restart: int,
        aims: Tensor | None,
    ) -> int:
        """One restart; returns how many progress ticks it reported."""
        batch = self.begin(problem, rows, restart, aims)
        _, steps = self._rounds
        for number in range(steps):
            batch = self._within_budget(problem, record, batch)
            if not len(batch.rows):
                return number
            look = oracle.look(batch.x, batch.labels, batch.aims)
            record.queries[batch.rows] += self.eot
            record.gradients[batch.rows] += self.eot
            if number == 0 and restart == 0:
                record.zero_gradient[batch.rows] = (look.gradient == 0).flatten(1).all(dim=1)
            won = record.note(batch.rows, batch.x, look.logits)
            if bool(won.any()):
                kept = ~won
                batch = batch.keep(kept)
                look = Look(look.logits[kept], look.loss[kept], look.gradient[kept])
                if not len(batch.rows):
                    return number
            batch.x = problem.project(batch.origin, self.step(number, problem, batch, look))
            problem.progress.advance(1, f"{float(record.won.float().mean()):.0%} fooled")
        batch = self._within_budget(problem, record, batch)
        if len(batch.rows):
            record.queries[batch.rows] += self.eot
            record.note(batch.rows, batch.x, oracle.logits(batch.x, batch.labels))
        return steps

    def _within_budget(self, problem: Problem, record: Record, batch: Batch) -> Batch:
        """Drop samples for which one more question would exceed the query budget."""
        budget = problem.threat.queries
        if budget is None:
            return batch
        return batch.keep(record.queries[batch.rows] + self.eot <= budget)
