"""Label-only search: from something adversarial towards the image, as close as questions allow."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.attacks.attack import Problem
from hauberk.attacks.query.query_attack import QueryAttack
from hauberk.attacks.questions import Questions
from hauberk.core.errors import ConfigError
from hauberk.core.settings import require_count
from hauberk.threats import Knowledge, Linf, Streams


class Walk:
    """The closest adversarial point found for each sample, and who goes on looking.

    Args:
        problem: the samples.
        questions: asks and counts.
        settle: a sample leaves as soon as its point lies inside the ball.

    ``x`` and ``distance`` have one row for each sample of the problem; the distance is infinite where nothing
    adversarial is known.
    """

    def __init__(self, problem: Problem, questions: Questions, *, settle: bool) -> None:
        self.problem, self.questions, self._settle = problem, questions, settle
        self.x = problem.origin.clone()
        self.distance = torch.full_like(problem.labels, torch.inf, dtype=problem.origin.dtype)

    def active(self, price: int = 1) -> Tensor:
        """Samples (int64) that have a point, still look for a better one and can pay ``price`` questions."""
        rows = torch.arange(len(self.x), device=self.x.device)
        started = torch.isfinite(self.distance)
        return rows[started & ~self.settled(rows) & self.questions.can_pay(rows, price)]

    def settled(self, rows: Tensor) -> Tensor:
        """Boolean: which of ``rows`` need no better point."""
        return (self.distance[rows] <= self.problem.geometry.eps) & self._settle

    def try_points(self, points: Tensor, rows: Tensor) -> Tensor:
        """One question each about valid inputs ``points``; boolean: which are adversarial. The closest stay."""
        if not len(rows):
            return rows.bool()
        fooled = self.questions.fooled(points, rows)
        distance = self.problem.geometry.distance(points - self.problem.origin[rows])
        closer = fooled & (distance < self.distance[rows])
        self.x[rows[closer]] = points[closer]
        self.distance[rows[closer]] = distance[closer]
        return fooled

    def begin(self, tries: int) -> None:
        """Something adversarial for each sample: what was carried over, else noise of several kinds."""
        rows = torch.arange(len(self.x), device=self.x.device)
        rows = rows[self.questions.can_pay(rows)]
        if self.problem.starts is not None:
            self.try_points(self.valid(self.problem.starts[rows]), rows)
        for number in range(tries):
            rows = rows[torch.isinf(self.distance[rows]) & self.questions.can_pay(rows)]
            if not len(rows):
                return
            noise = _noise(number, self.problem.origin[rows], self.problem.streams[rows].fork(number))
            width = self.problem.upper - self.problem.lower
            self.try_points(self.valid(self.problem.lower + noise * width), rows)

    def bisect(self, points: Tensor, rows: Tensor, tolerance: float) -> Tensor:
        """Brings adversarial ``points`` towards their images, up to the decision boundary.

        Args:
            tolerance: how far from the boundary they may remain, as a share of their distance.

        Returns the adversarial end points, shape of ``points``.
        """
        if not len(rows):
            return points
        origin = self.problem.origin[rows]
        far = self.problem.geometry.distance(points - origin)
        low, high = torch.zeros_like(far), torch.ones_like(far)
        # the one question that may settle the matter comes first
        guess = self.problem.geometry.eps / far
        guess = torch.where((guess < 1) & self._settle, guess * (1 - 1e-6), 0.5)
        while True:
            asks = (high - low > tolerance) & self.questions.can_pay(rows) & ~self.settled(rows)
            who = asks.nonzero().squeeze(1)
            if not len(who):
                return self.between(origin, points, high, far)
            share = guess[who]
            fooled = self.try_points(self.between(origin[who], points[who], share, far[who]), rows[who])
            high[who] = torch.where(fooled, share, high[who])
            low[who] = torch.where(fooled, low[who], share)
            guess = (low + high) / 2

    def between(self, origin: Tensor, points: Tensor, share: Tensor, far: Tensor) -> Tensor:
        """The points at ``share`` of their distance ``far``: on the line, or cut value by value in Linf."""
        wide = (-1, *([1] * (points.ndim - 1)))
        if isinstance(self.problem.geometry, Linf):  # as HopSkipJump does: closer in the other values, too
            radius = (share * far).view(wide)
            nearer = torch.minimum(torch.maximum(points, origin - radius), origin + radius)
        else:
            nearer = origin + share.view(wide) * (points - origin)
        return torch.where((share == 1).view(wide), points, self.valid(nearer))

    def valid(self, points: Tensor) -> Tensor:
        """``points`` within the bounds: a model may refuse what no camera delivers."""
        return torch.clamp(points, self.problem.lower, self.problem.upper)


def _noise(number: int, like: Tensor, streams: Streams) -> Tensor:
    """Random inputs in [0, 1]; kinds take turns, because models call all noise of one kind the same."""
    shape = like.shape[1:]
    kind = number % 3
    if kind == 0:
        return streams.uniform(shape).to(like.dtype)
    if kind == 1 or like.ndim != 4:
        return (streams.signs(shape).to(like.dtype) + 1) / 2
    cells = 2 + number // 3 % 3  # a coarse mosaic
    return F.interpolate(streams.uniform((shape[0], cells, cells)).to(like.dtype), size=shape[1:])


@dataclass(frozen=True, kw_only=True, repr=False)
class LabelAttack(QueryAttack):
    """An attack on a model that shows the predicted class only: it walks along the decision boundary.

    Args:
        settle: stop at the first point inside the ball; False goes on to make the change smaller.
    """

    needs: ClassVar[Knowledge] = Knowledge.LABELS
    norms: ClassVar[frozenset[str]] = frozenset({"l2"})

    settle: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.settle, bool):  # 'no' would count as yes
            raise ConfigError(f"{type(self).__name__}: settle is true or false, got {self.settle!r}")

    def search(self, problem: Problem, questions: Questions) -> Tensor:
        walk = Walk(problem, questions, settle=self.settle)
        self.walk(walk)
        return walk.x

    @abstractmethod
    def walk(self, walk: Walk) -> None:
        """Try points until nobody is active."""


@dataclass(frozen=True, kw_only=True, repr=False)
class WalkFromNoise(LabelAttack):
    """A walk that must begin somewhere adversarial.

    Args:
        tries: random inputs asked about in search of such a point. Carried-over starting points come first; a
            targeted attack usually needs one, which is an image that is classified as its target.

    A sample for which nothing is found is given up; its candidate is the image itself.
    """

    tries: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("tries", self.tries, type(self).__name__)

    def search(self, problem: Problem, questions: Questions) -> Tensor:
        walk = Walk(problem, questions, settle=self.settle)
        walk.begin(self.tries)
        self.walk(walk)
        return walk.x
