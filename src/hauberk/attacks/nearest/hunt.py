"""The hunt for the closest adversarial inputs of a batch: who still searches, what was found, what it cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hauberk.attacks.attack import Outcome, Problem
from hauberk.attacks.objectives import Objective, attacker_margin
from hauberk.attacks.oracle import Oracle
from hauberk.threats import Streams

_QUESTIONS_TO_STARTS = 5  # given points may lie far beyond the boundary


def per_sample(vector: Tensor, x: Tensor) -> Tensor:
    """(n,) -> (n, 1, ..., 1) for products with ``x``."""
    return vector.view(-1, *([1] * (x.ndim - 1)))


def positions(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, c, h*w), as ``threats.L0`` counts; anything else -> (n, 1, values)."""
    return x.flatten(2) if x.ndim == 4 else x.flatten(1)[:, None]


def rounding(logits: Tensor) -> Tensor:
    """How far ahead an attacker must be, ``(n,)``, so that he still is when the original model is asked.

    The fast twin adds in another order, and the final projection moves a point by a last digit. Relative to
    the largest logit that was never more than 5 units of the last place on the test networks in float32; a
    deep network collects more, and one in half precision rounds at every layer.
    """
    units = 8 if logits.dtype in (torch.float16, torch.bfloat16) else 128
    return units * torch.finfo(logits.dtype).eps * logits.abs().amax(dim=1).float()


@dataclass(frozen=True, eq=False)
class Sight:
    """What the active samples see from where they are.

    Args:
        logits: ``(n, classes)``.
        margin: ``(n,)``, how far the attacker is ahead.
        surplus: ``(n,)``, the margin less what rounding may take away: above 0 the point counts.
        gradient: of the objective, shape of the points; of several classes ``(n, classes, ...)``; None after
            a question without one.
    """

    logits: Tensor
    margin: Tensor
    surplus: Tensor
    gradient: Tensor | None = None

    @property
    def won(self) -> Tensor:
        """Boolean ``(n,)``."""
        return self.surplus > 0

    @property
    def slope(self) -> Tensor:
        assert self.gradient is not None
        return self.gradient

    def keep(self, kept: Tensor) -> Sight:
        gradient = None if self.gradient is None else self.gradient[kept]
        return Sight(self.logits[kept], self.margin[kept], self.surplus[kept], gradient)


@dataclass(frozen=True, eq=False)
class Active:
    """The samples that still search, one row each; ``memory`` is what the attack's step remembers of them."""

    rows: Tensor
    origin: Tensor
    labels: Tensor
    targets: Tensor | None
    streams: Streams
    x: Tensor
    memory: dict[str, Tensor]

    def keep(self, kept: Tensor) -> Active:
        return Active(
            self.rows[kept],
            self.origin[kept],
            self.labels[kept],
            None if self.targets is None else self.targets[kept],
            self.streams[kept],
            self.x[kept],
            {name: tensor[kept] for name, tensor in self.memory.items()},
        )


class Hunt:
    """Asks on behalf of an attack; an attack reads ``active``, moves it with ``go`` and looks again.

    Args:
        problem: the batch.
        objective: whose gradient ``look`` returns.
        settle: a sample leaves for good once its closest point lies inside the threat's ball.

    ``closest``, ``distance`` (infinite where nothing was found), ``queries`` and ``gradients`` have one row per
    sample of the problem.
    """

    def __init__(self, problem: Problem, objective: Objective, *, settle: bool) -> None:
        self.problem = problem
        self.norm = problem.geometry.norm
        self.lower, self.upper = problem.lower, problem.upper
        self.closest = problem.origin.clone()
        self.distance = torch.full_like(problem.queries, torch.inf, dtype=problem.origin.dtype)
        self.queries = problem.queries.clone()
        self.gradients = torch.zeros_like(problem.queries)
        self.ticked = 0
        self._oracle = Oracle(problem.classifier, objective, gradients_from=problem.gradients_from)
        self._settle = settle
        self._settled = torch.zeros_like(problem.labels, dtype=torch.bool)
        self._zero_gradient = torch.zeros_like(self._settled)
        # the best margin seen, while nothing adversarial was found; the margin at the image, once known
        self._ahead = torch.full_like(self.distance, -torch.inf)
        self._clean = torch.full_like(self.distance, torch.nan)
        self._surplus = torch.zeros_like(self.distance)  # of the closest point, above rounding
        self.begin(0)

    @property
    def found(self) -> Tensor:
        """Boolean ``(n,)``: an adversarial point is known."""
        return torch.isfinite(self.distance)

    @property
    def step_unit(self) -> float:
        """The width of the valid range, the mean over the channels: the scale of steps."""
        widths = self.problem.classifier.bounds.widths(self.problem.classifier.input_shape)
        return sum(widths) / len(widths)

    def begin(self, number: int, where: Tensor | None = None) -> None:
        """Round ``number``: everybody who has not settled is active again, at ``where`` or the image itself."""
        problem = self.problem
        rows = (~self._settled).nonzero().squeeze(1)
        self.active = Active(
            rows,
            problem.origin[rows],
            problem.labels[rows],
            None if problem.targets is None else problem.targets[rows],
            problem.streams[rows].fork(number),
            (problem.origin if where is None else where)[rows],
            {},
        )

    def go(self, x: Tensor) -> None:
        """Move the active samples, into the bounds."""
        x = torch.minimum(torch.maximum(x, self.lower), self.upper)
        self.active = replace(self.active, x=x)

    def drop(self, gone: Tensor) -> None:
        """Take active samples out of this round."""
        if bool(gone.any()):
            self.active = self.active.keep(~gone)

    def look(self) -> Sight | None:
        """A forward and a backward pass at the active points; None when nobody is left.

        Whoever cannot pay for it or settles by it is no longer active afterwards.
        """
        if not self._can_pay():
            return None
        look = self._oracle.look(self.active.x, self.active.labels, self.active.targets)
        return self._see(look.logits, look.gradient, backward=1)

    def slopes(self, mixtures: Tensor) -> Sight | None:
        """As ``look``, with gradients ``(n, k, ...)`` of ``k`` sums of logits.

        Args:
            mixtures: ``(problem's n, k, classes)``, what each logit counts in each sum; the rows of samples
                that are not active are passed over.

        Cost: a forward pass and ``k`` backward ones.
        """
        if not self._can_pay():
            return None
        logits, gradient = self._oracle.slopes(self.active.x, mixtures[self.active.rows], self.active.labels)
        return self._see(logits, gradient, backward=mixtures.shape[1])

    def ask(self) -> Sight | None:
        """A forward pass only."""
        if not self._can_pay():
            return None
        return self._see(self._oracle.logits(self.active.x, self.active.labels), None, backward=0)

    def tick(self, steps: int = 1) -> None:
        """Steps of the attack are done, or saved."""
        self.ticked += steps
        self.problem.progress.advance(steps, self.note)

    @property
    def note(self) -> str:
        return f"{float(self._inside.float().mean()):.0%} fooled"

    @property
    def _inside(self) -> Tensor:
        return self.distance <= self.problem.geometry.eps * (1 + 1e-6)

    def _can_pay(self) -> bool:
        budget = self.problem.threat.queries
        if budget is not None:
            self.drop(self.queries[self.active.rows] >= budget)
        return len(self.active.rows) > 0

    def _see(self, logits: Tensor, gradient: Tensor | None, *, backward: int) -> Sight | None:
        active = self.active
        rows = active.rows
        margin = attacker_margin(logits, active.labels, active.targets).to(active.x.dtype)
        surplus = margin - rounding(logits)
        first = self.queries[rows] == self.problem.queries[rows]
        if bool(first.any()):
            self._meet(first, margin)
        if gradient is not None:
            new = rows[self.gradients[rows] == 0]
            self._zero_gradient[new] = (gradient == 0).flatten(1).all(dim=1)[self.gradients[rows] == 0]
        self.queries[rows] += 1
        self.gradients[rows] += backward
        self._record(surplus)
        sight = Sight(logits, margin, surplus, gradient)
        if not self._settle:
            return sight
        self._settled[rows] = self._inside[rows]
        gone = self._settled[rows]
        self.drop(gone)
        return sight.keep(~gone) if len(self.active.rows) else None

    def _meet(self, first: Tensor, margin: Tensor) -> None:
        """The first question to a sample is often at the image itself: remember the margin there."""
        active = self.active
        at_image = (active.x == active.origin).flatten(1).all(dim=1)
        known = first & at_image
        self._clean[active.rows[known]] = margin[known]

    def _record(self, surplus: Tensor) -> None:
        rows, x = self.active.rows, self.active.x
        distance = self.problem.geometry.distance(x - self.active.origin).to(x.dtype)
        better = (surplus > 0) & (distance < self.distance[rows])
        nearer = better | (~self.found[rows] & (surplus > self._ahead[rows]))
        self.closest[rows[nearer]] = x[nearer]
        self._ahead[rows[nearer]] = surplus[nearer]
        self.distance[rows[better]] = distance[better]
        self._surplus[rows[better]] = surplus[better]

    def take_starts(self, starts: Tensor) -> None:
        """Ask about points that others found, and draw those that are adversarial towards the image.

        Whoever had no luck is active at the image itself afterwards. Cost: a query, and those of ``refine``.
        """
        self.begin(0, torch.minimum(torch.maximum(starts, self.lower), self.upper))
        self.ask()
        self.refine(_QUESTIONS_TO_STARTS)
        self.begin(0, torch.where(per_sample(self.found, starts), self.closest, self.problem.origin))

    def refine(self, times: int) -> None:
        """Draw the closest points nearer, at the price of ``times`` queries each (one more where the margin
        at the image is not known yet).

        On the segment to the image the boundary is found by false position (Illinois rule): nearly linear as
        the margin is there, three questions settle it. In L0 the least changed positions are put back, one
        a question.
        """
        if not times or bool(self._settled.all()):
            return
        if self.norm == "l0":
            self._put_back(times)
        else:
            self._false_position(times)

    def _false_position(self, times: int) -> None:
        self.begin(0, self.problem.origin)
        self.drop(~torch.isnan(self._clean[self.active.rows]) | ~self.found[self.active.rows])
        sight = self.ask()
        if sight is not None:
            self._clean[self.active.rows] = sight.margin
        self.begin(0, self.closest)
        self.drop(~self.found[self.active.rows] | torch.isnan(self._clean[self.active.rows]))
        rows, memory = self.active.rows, self.active.memory
        memory["far"] = self.active.x
        memory["low"], memory["low_margin"] = torch.zeros_like(self._clean[rows]), self._clean[rows]
        memory["high"], memory["high_margin"] = torch.ones_like(self._clean[rows]), self._surplus[rows]
        for _ in range(times):
            memory = self.active.memory
            rise = (memory["high_margin"] - memory["low_margin"]).clamp_min(1e-30)
            share = (-memory["low_margin"] / rise).clamp(0.02, 1 - 1e-3)
            memory["at"] = memory["low"] + share * (memory["high"] - memory["low"])
            moved = per_sample(memory["at"], memory["far"]) * (memory["far"] - self.active.origin)
            self.go(self.active.origin + moved)
            sight = self.ask()
            if sight is None:
                return
            memory = self.active.memory
            surplus, won = sight.surplus, sight.won
            # the end that stays is halved in weight, else one end would never move on a curved margin
            memory["low_margin"] = torch.where(won, memory["low_margin"] / 2, surplus)
            memory["high_margin"] = torch.where(won, surplus, memory["high_margin"] / 2)
            memory["low"] = torch.where(won, memory["low"], memory["at"])
            memory["high"] = torch.where(won, memory["at"], memory["high"])

    def _put_back(self, times: int) -> None:
        self.begin(0, self.closest)
        self.drop(~self.found[self.active.rows])
        change = positions(self.active.x - self.active.origin).abs().sum(dim=1)
        order = torch.where(change > 0, change, torch.inf).argsort(dim=1, stable=True)
        self.active.memory["order"] = order[:, :times]
        for turn in range(min(times, order.shape[1])):
            active = self.active
            back = torch.zeros_like(positions(active.x)[:, 0], dtype=torch.bool)
            back.scatter_(1, active.memory["order"][:, turn : turn + 1], True)
            wide = back[:, None].expand_as(positions(active.x)).reshape(active.x.shape)
            # from the closest point so far: it has kept what was put back in vain
            self.go(torch.where(wide, active.origin, self.closest[active.rows]))
            if self.ask() is None:
                return

    def outcome(self) -> Outcome:
        return Outcome(self.closest, self.queries, self.gradients, self._zero_gradient)
