"""An answer: noisy figures, how far noise may have moved them, and what they cost. All of it may be published.

Intervals hold the figure without noise with at least 95 % probability, each for itself. They are about noise
alone: neither how well the data stand for a population nor what bounds and missing values changed is in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hauberk.privacy.queries.description import Column, Description
from hauberk.privacy.queries.measuring import CANDIDATES, Part, Plan
from hauberk.privacy.queries.sql import Aggregate

LEVEL = 0.95
_NORMAL = {0.95: 1.9599639845400545, 0.975: 2.2414027276049473}  # two-sided quantiles of the normal law


@dataclass(frozen=True)
class Answer:
    """What a question gave.

    Args:
        question: its text.
        figures: of each figure its label, noise, scale in the figure's own unit, and what the interval means.
        rows: ``{"keys": {label: text}, "values": {label: {"value", "low", "high"}}}``; for a quantile low and
            high are null and ``rank_error`` tells how many ranks off it may be.
        spent: what it cost: epsilon, or rho; with delta where there is one.
        threshold: of groups that were not declared, or None.
    """

    question: str
    figures: tuple[Mapping[str, Any], ...]
    rows: tuple[Mapping[str, Any], ...]
    spent: Mapping[str, float]
    threshold: int | None = None

    def to_json(self) -> dict[str, Any]:
        document = asdict(self)
        return {**document, "figures": list(self.figures), "rows": list(self.rows)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Answer:
        return cls(**{**document, "figures": tuple(document["figures"]), "rows": tuple(document["rows"])})


def answer_of(
    plan: Plan, released: Sequence[Any], description: Description, spent: Mapping[str, float]
) -> Answer:
    """What was released, in words; nothing here sees the data."""
    question, keys = plan.question, [key.label for key in plan.question.keys]
    queue = list(released)
    taken = [[queue.pop(0) for _part in parts] for parts in plan.parts]
    shown: list[tuple[tuple[str, ...], dict[str, Any]]]
    if plan.threshold is not None:
        width = half_width(plan.parts[0][0], LEVEL)
        label = question.aggregates[0].label
        shown = [((name,), {label: _interval(count, width)}) for name, count in sorted(taken[0][0].items())]
    else:
        columns = [
            _figures(aggregate, parts, values, description)
            for aggregate, parts, values in zip(question.aggregates, plan.parts, taken, strict=True)
        ]
        labels = [one.label for one in question.aggregates]
        shown = [
            (cell, dict(zip(labels, figures, strict=True)))
            for cell, figures in zip(plan.cells, zip(*columns, strict=True), strict=True)
        ]
    rows = [{"keys": dict(zip(keys, cell, strict=True)), "values": values} for cell, values in shown]
    figures = [
        _described(one, parts, description) for one, parts in zip(question.aggregates, plan.parts, strict=True)
    ]
    return Answer(question.text, tuple(figures), tuple(rows), dict(spent), plan.threshold)


def half_width(part: Part, level: float) -> int:
    """The smallest whole number that noise exceeds with a probability of at most ``1 - level``.

    For the discrete Gaussian a bound: its tail is below the normal one a step nearer to zero.
    """
    rest = 1 - level
    if part.noise == "gaussian":
        return math.ceil(_NORMAL[level] * part.scale)
    # P(|noise| > a) = 2 exp(-(a + 1) / s) / (1 + exp(-1 / s))
    exact = part.scale * math.log(2 / (rest * (1 + math.exp(-1 / part.scale)))) - 1
    return max(0, math.ceil(exact - 1e-9))


def _figures(
    aggregate: Aggregate, parts: Sequence[Part], released: Sequence[Any], description: Description
) -> list[dict[str, Any]]:
    """One figure of every cell."""
    if aggregate.kind == "count":
        width = half_width(parts[0], LEVEL)
        return [_interval(value, width) for value in released[0]]
    column = description.columns[str(aggregate.column)]
    if aggregate.kind == "sum":
        width = half_width(parts[0], LEVEL)
        return [
            {name: value * column.step for name, value in _interval(one, width).items()} for one in released[0]
        ]
    if aggregate.kind == "mean":
        return [_mean(parts, total, count, column) for total, count in zip(*released, strict=True)]
    value = min(max(released[0] * column.step, column.low), column.high)
    return [{"value": value, "low": None, "high": None, "rank_error": rank_error(parts[0])}]


def rank_error(part: Part) -> float:
    """How many ranks the chosen candidate may be further off than the best one, with 95 % probability."""
    return part.scale * math.log(CANDIDATES / (1 - LEVEL))


def _interval(value: int, width: int) -> dict[str, Any]:
    return {"value": value, "low": value - width, "high": value + width}


def _mean(parts: Sequence[Part], total: int, count: int, column: Column) -> dict[str, float]:
    """Sum by count; both intervals hold together, each at half the risk."""
    low, high = column.grid
    middle = (low + high) // 2
    about, around = half_width(parts[0], 0.975), half_width(parts[1], 0.975)

    def mean(total: int, count: int) -> float:
        return min(max((middle + total / max(count, 1)) * column.step, column.low), column.high)

    corners = [
        mean(one, other) for one in (total - about, total + about) for other in (count - around, count + around)
    ]
    return {"value": mean(total, count), "low": min(corners), "high": max(corners)}


def _described(aggregate: Aggregate, parts: Sequence[Part], description: Description) -> dict[str, Any]:
    step = 1.0
    if aggregate.kind in ("sum", "mean"):
        step = description.columns[str(aggregate.column)].step
    noises = [
        {"noise": part.noise, "scale": part.scale * (step if place == 0 else 1.0)}
        for place, part in enumerate(parts)
    ]
    return {"label": aggregate.label, "kind": aggregate.kind, "noise": noises}
