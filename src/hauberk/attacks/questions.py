"""Questions to a model that shows scores or labels only: each one counted, none beyond the budget."""

from __future__ import annotations

import torch
from torch import Tensor

from hauberk.attacks.attack import Problem
from hauberk.attacks.objectives import attacker_margin, fooled
from hauberk.models.twin import pass_size, passes

_UNLIMITED = torch.iinfo(torch.int64).max


class Questions:
    """Asks on behalf of an attack without gradients.

    Args:
        problem: whose samples are asked about; questions it has already cost are counted.
        most: questions per sample that the attack allows itself; the threat's budget holds too.

    ``spent`` is int64 ``(n,)``, one row per sample of the problem. Asking about a sample whose budget is used
    up is a fault of the attack and ends in an ``AssertionError``: use ``can_pay`` first.
    """

    def __init__(self, problem: Problem, most: int | None = None) -> None:
        self._problem = problem
        self._size = pass_size(problem.classifier)
        limits = [one for one in (most, problem.threat.queries) if one is not None]
        self.budget = min(limits, default=None)
        self.spent = problem.queries.clone()

    def left(self, rows: Tensor) -> Tensor:
        """int64: how many questions the samples ``rows`` may still ask."""
        if self.budget is None:
            return torch.full_like(rows, _UNLIMITED)
        return self.budget - self.spent[rows]

    def can_pay(self, rows: Tensor, count: int = 1) -> Tensor:
        """Boolean: which of the samples ``rows`` can pay for ``count`` more questions."""
        return self.left(rows) >= count

    @torch.no_grad()
    def logits(self, x: Tensor, rows: Tensor) -> Tensor:
        """Scores ``(m, classes)`` for ``x`` ``(m, ...)``, a question to each of ``rows`` int64 ``(m,)``.

        A sample may stand in ``rows`` more than once, when several points are asked about at a time.
        """
        self.spent.index_add_(0, rows, torch.ones_like(rows))
        assert bool((self.left(rows) >= 0).all()), "an attack asked more than its budget pays for"
        model, labels = self._problem.classifier, self._problem.labels[rows]
        return torch.cat([model.folded(model(x[part]), labels[part]) for part in passes(len(x), self._size)])

    def margin(self, x: Tensor, rows: Tensor) -> Tensor:
        """How far the attacker is ahead in logits, float ``(m,)``; positive means that he has won."""
        labels, targets = self._wanted(rows)
        return attacker_margin(self.logits(x, rows), labels, targets)

    def fooled(self, x: Tensor, rows: Tensor) -> Tensor:
        """Boolean ``(m,)``: all that an attacker learns who sees labels only."""
        labels, targets = self._wanted(rows)
        return fooled(self.logits(x, rows), labels, targets)

    def _wanted(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        targets = self._problem.targets
        return self._problem.labels[rows], None if targets is None else targets[rows]
