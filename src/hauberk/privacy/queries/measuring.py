"""From a question to an answer with noise: one OpenDP measurement for each figure, composed by OpenDP.

Figures are sums over rows of whole numbers (counts, or numbers in steps of a power of two), so that what one
row changes is exact; floats would leak through rounding. What is ours is the way from a table to these numbers
and what one row can change in them; the noise, what it costs and what several cost together is OpenDP's, with
its own exact samplers over OpenSSL's generator, which take no seed.

Source of the noise: Canonne, Kamath and Steinke 2020 (discrete Laplace and Gaussian); Smith 2011 (quantiles);
Rogers 2023 (groups nobody declared).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hauberk.core.errors import ConfigError
from hauberk.privacy.queries.accounting import Method, opendp
from hauberk.privacy.queries.description import Column, Description
from hauberk.privacy.queries.sql import Aggregate, Key, Question
from hauberk.privacy.queries.table import Array, Table

MOST_CELLS = 100_000
CANDIDATES = 1001  # of a quantile: a thousandth of the bounds apart
_LARGEST_SCALE = 2.0**50  # noise beyond would not fit into 64 bits

Release = Callable[[Table], Any]


@dataclass(frozen=True)
class Part:
    """One noisy vector.

    Args:
        noise: its law.
        scale: of the law, in the vector's own steps.
        make: the measurement, from OpenDP.
    """

    noise: Literal["laplace", "gaussian", "exponential", "laplace threshold"]
    scale: float
    make: Any


@dataclass(frozen=True)
class Plan:
    """Everything about an answer that does not depend on the data.

    Args:
        cells: what the keys' combinations are called, in the order of the vectors; one without keys.
        parts: of each figure: one, or sum and count of a mean.
        loss: epsilon or rho of the whole, as OpenDP composed it; with a threshold (epsilon, delta).
        release: draws the noise; each call draws anew.
        threshold: of groups that were not declared: smaller noisy counts are not shown.
    """

    question: Question
    cells: tuple[tuple[str, ...], ...]
    parts: tuple[tuple[Part, ...], ...]
    loss: Any
    release: Release
    threshold: int | None = None


@dataclass(frozen=True)
class _Space:
    """Where tables live for OpenDP: neighbours differ in whole rows."""

    dp: Any
    domain: Any
    metric: Any

    @classmethod
    def of(cls, dp: Any) -> _Space:
        return cls(
            dp, dp.user_domain("treated table", lambda value: isinstance(value, Table)), dp.symmetric_distance()
        )

    def sums(self, function: Release, per_row: int, method: Method) -> Any:
        """The way to a vector of which one row changes one number, by ``per_row`` at most."""
        dp = self.dp
        target = dp.vector_domain(dp.atom_domain(T="i64"))
        metric = dp.l1_distance(T="i64") if method == "pure" else dp.l2_distance(T="i64")
        return dp.t.make_user_transformation(
            self.domain, self.metric, target, metric, function, lambda rows: rows * per_row
        )

    def values(self, function: Release) -> Any:
        """The way to one number for each row that is asked about."""
        target = self.dp.vector_domain(self.dp.atom_domain(T="i64"))
        return self.dp.t.make_user_transformation(
            self.domain, self.metric, target, self.metric, function, lambda rows: rows
        )

    def counts(self, function: Release) -> Any:
        """The way to counts by names that nobody declared."""
        dp = self.dp
        target = dp.map_domain(dp.atom_domain(T="String"), dp.atom_domain(T="i64"))
        metric = dp.l01inf_distance(dp.absolute_distance(T="i64"))
        return dp.t.make_user_transformation(
            self.domain, self.metric, target, metric, function, lambda rows: (rows, rows, rows)
        )


def plan(question: Question, description: Description, method: Method, loss: float, delta: float = 0.0) -> Plan:
    """How to answer a question at a price.

    Args:
        loss: epsilon or rho for the whole question; figures share it equally.
        delta: only for groups that were not declared.

    Raises:
        ConfigError: a question that cannot be answered so: too many cells, quantiles of groups, noise that
            would drown everything.
    """
    open_keys = [key for key in question.keys if description.columns[key.column].kind == "open"]
    if open_keys:
        return _open_plan(question, description, method, loss, delta)
    if delta:
        raise ConfigError("delta is for groups that were not declared; this question has none")
    space = _Space.of(opendp())
    cells = _cells(question.keys, description)
    share = _share(loss, len(question.aggregates))
    parts = tuple(
        _parts(space, one, question, description, method, share, len(cells)) for one in question.aggregates
    )
    makes = [part.make for group in parts for part in group]
    whole = makes[0] if len(makes) == 1 else space.dp.c.make_composition(makes)
    total = whole.map(description.most_rows)
    if not 0 < total <= loss:
        raise ConfigError(f"the question cannot be answered at {loss:g}: it would cost {total:g}")
    release: Release = whole if len(makes) > 1 else lambda table: [whole(table)]
    return Plan(question, cells, parts, total, release)


def _parts(
    space: _Space,
    aggregate: Aggregate,
    question: Question,
    description: Description,
    method: Method,
    loss: float,
    cells: int,
) -> tuple[Part, ...]:
    def sums(values: Callable[[Table], Array] | None, per_row: int, loss: float) -> Part:
        def function(table: Table) -> list[int]:
            return totals(table, question, description, cells, values)

        way = space.sums(function, per_row, method)
        return _noisy(space.dp, way, description.most_rows, method, loss)

    if aggregate.kind == "count":
        return (sums(None, 1, loss),)
    column = description.columns[str(aggregate.column)]
    low, high = column.grid
    if aggregate.kind == "sum":
        return (sums(lambda table: steps(table, column), max(abs(low), abs(high)), loss),)
    if aggregate.kind == "mean":  # around the middle, where a row can change least
        middle = (low + high) // 2
        most, half = max(high - middle, middle - low), _share(loss, 2)
        return sums(lambda table: steps(table, column) - middle, most, half), sums(None, 1, half)
    if question.keys:
        raise ConfigError(
            "quantiles are not answered for groups",
            hint=f"one question each: WHERE {question.keys[0].label} = …",
        )
    candidates = sorted({round(one) for one in np.linspace(low, high, CANDIDATES)})
    way = space.values(lambda table: steps(table, column)[question.chosen(table)].tolist())
    measure = space.dp.max_divergence() if method == "pure" else space.dp.zero_concentrated_divergence()

    def make(scale: float) -> Any:
        return way >> space.dp.m.then_private_quantile(measure, candidates, aggregate.quantile, scale)

    scale = space.dp.binary_search_param(make, d_in=description.most_rows, d_out=loss, T=float)
    return (Part("exponential", scale, make(scale)),)


def _share(loss: float, parts: int) -> float:
    """An equal part of a loss, with what OpenDP adds when it rounds their sum up."""
    return loss if parts == 1 else loss / parts * (1 - 2.0**-48)


def _noisy(dp: Any, way: Any, rows: int, method: Method, loss: float) -> Part:
    def make(scale: float) -> Any:
        return way >> (dp.m.then_laplace(scale) if method == "pure" else dp.m.then_gaussian(scale))

    scale = dp.binary_search_param(make, d_in=rows, d_out=loss, T=float)
    if not scale <= _LARGEST_SCALE:
        raise ConfigError("the noise would drown every answer: ask for more, or declare narrower bounds")
    return Part("laplace" if method == "pure" else "gaussian", scale, make(scale))


def _open_plan(
    question: Question, description: Description, method: Method, epsilon: float, delta: float
) -> Plan:
    """Groups that nobody declared: a group shows only when its noisy count passes a threshold."""
    key = question.keys[0]
    if len(question.keys) > 1 or [one.kind for one in question.aggregates] != ["count"]:
        raise ConfigError(f"'{key.column}' has no declared values: it is grouped alone, and by COUNT(*) alone")
    if method != "pure" or not delta:
        raise ConfigError(
            f"'{key.column}' has no declared values: showing its groups costs delta as well",
            hint="a data set with pure accounting and a delta, and --delta 1e-7 with the question",
        )
    dp = opendp()
    rows = description.most_rows

    def function(table: Table) -> dict[str, int]:
        names, counts = np.unique(
            table.columns[key.column][question.chosen(table)].astype(str), return_counts=True
        )
        return dict(zip(names.tolist(), counts.tolist(), strict=True))

    way = _Space.of(dp).counts(function)
    scale = rows / epsilon * (1 + 1e-12)

    def make(threshold: int) -> Any:
        return way >> dp.m.then_laplace_threshold(scale=scale, threshold=threshold)

    claimed = dp.binary_search(lambda value: make(value).map(rows)[1] <= delta, bounds=(rows, 2**30), T=int)
    loss = make(claimed).map(rows)
    if not loss[0] <= epsilon or not loss[1] <= delta:
        raise ConfigError(f"the question cannot be answered at {epsilon:g} and {delta:g}")
    # OpenDP 0.16 shows a count that equals the threshold but leaves it out of its delta (opendp#2922)
    threshold = claimed + 1
    whole = make(threshold)
    part = Part("laplace threshold", scale, whole)
    return Plan(question, (), ((part,),), loss, lambda table: [whole(table)], threshold)


def steps(table: Table, column: Column) -> Array:
    """A number column as whole multiples of its step."""
    low, high = column.grid
    return np.clip(np.rint(table.columns[column.name] / column.step), low, high).astype(np.int64)


def totals(
    table: Table,
    question: Question,
    description: Description,
    cells: int,
    values: Callable[[Table], Array] | None,
) -> list[int]:
    """For each cell how many rows there are, or the sum of their values."""
    chosen = question.chosen(table)
    place = np.zeros(table.rows, np.int64)
    for key in question.keys:
        column = description.columns[key.column]
        codes = table.columns[key.column] if key.bins is None else _bins(table, column, key.bins)
        chosen = chosen & (codes >= 0)
        place = place * _size(key, column) + codes
    if values is None:
        return [int(one) for one in np.bincount(place[chosen], minlength=cells)]
    out = np.zeros(cells, np.int64)
    np.add.at(out, place[chosen], values(table)[chosen])
    return [int(one) for one in out]


def _bins(table: Table, column: Column, bins: int) -> Array:
    share = (table.columns[column.name] - column.low) / (column.high - column.low)
    return np.minimum((share * bins).astype(np.int64), bins - 1)


def _size(key: Key, column: Column) -> int:
    return len(column.values) if key.bins is None else key.bins


def _cells(keys: Sequence[Key], description: Description) -> tuple[tuple[str, ...], ...]:
    count = math.prod(_size(key, description.columns[key.column]) for key in keys)
    if count > MOST_CELLS:
        raise ConfigError(f"the groups make {count} cells, at most {MOST_CELLS} are answered")
    cells: list[tuple[str, ...]] = [()]
    for key in keys:
        names = _names(key, description.columns[key.column])
        cells = [(*cell, name) for cell in cells for name in names]
    return tuple(cells)


def _names(key: Key, column: Column) -> list[str]:
    if key.bins is None:
        return list(column.values)
    edges = np.linspace(column.low, column.high, key.bins + 1)
    closing = [")"] * (key.bins - 1) + ["]"]
    return [f"[{low:g}, {high:g}{end}" for low, high, end in zip(edges, edges[1:], closing, strict=False)]
