"""What all attacks share that only ask: a budget of their own, and progress by questions spent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from hauberk.attacks.attack import Attack, Outcome, Problem
from hauberk.attacks.questions import Questions
from hauberk.core.settings import require_count
from hauberk.models.twin import passes

_DRAWN_AT_ONCE = 1 << 22  # values of random directions for one sample in memory
_ASKED_AT_ONCE = 1 << 22  # values of points that wait for an answer


@dataclass(frozen=True, kw_only=True, repr=False)
class QueryAttack(Attack):
    """An attack without gradients.

    Args:
        queries: questions it asks per sample at most, the one about the clean image included. A threat model
            with a smaller budget wins.
    """

    queries: int = 5000

    def __post_init__(self) -> None:
        require_count("queries", self.queries, type(self).__name__)

    def ticks(self) -> int:
        return self.queries

    def run(self, problem: Problem) -> Outcome:
        questions = Reporting(problem, self.queries)
        candidates = self.search(problem, questions)
        questions.finish()
        return Outcome.without_gradients(candidates, questions.spent)

    @abstractmethod
    def search(self, problem: Problem, questions: Questions) -> Tensor:
        """The candidates, shape of ``problem.origin``."""


class Reporting(Questions):
    """Questions that show how far the most expensive sample has come."""

    def __init__(self, problem: Problem, most: int) -> None:
        super().__init__(problem, most)
        self._progress, self._ticks, self._shown = problem.progress, most, 0

    def logits(self, x: Tensor, rows: Tensor) -> Tensor:
        answer = super().logits(x, rows)
        self._show(int(self.spent.max()))
        return answer

    def finish(self) -> None:
        self._show(self._ticks)

    def _show(self, until: int) -> None:
        self._progress.advance(until - self._shown)
        self._shown = until


def draws(count: int, values: int) -> Iterator[slice]:
    """Blocks in which ``count`` random directions of ``values`` numbers are drawn.

    The blocks depend on nothing but these two, so that a sample sees the same directions in every batch.
    """
    return passes(count, max(1, _DRAWN_AT_ONCE // values))


def groups(samples: int, values: int) -> Iterator[slice]:
    """Groups of samples whose points, ``values`` numbers a sample, fit into memory together."""
    return passes(samples, max(1, _ASKED_AT_ONCE // values))
