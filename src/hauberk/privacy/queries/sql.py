"""The questions that can be asked, in a part of SQL: what the data's steward would read without a manual.

    SELECT region, BIN(age, 11), COUNT(*), AVG(income) FROM data
    WHERE sex = 'f' AND age BETWEEN 18 AND 65 GROUP BY region, BIN(age, 11)

SQL rather than words of our own, because who asks knows it, and because its text is a record that anybody can
read. sqlglot parses it; what is understood here is a short list, and everything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hauberk.core.errors import ConfigError, DependencyMissing
from hauberk.privacy.queries.description import Column, Description
from hauberk.privacy.queries.table import Table

MOST_AGGREGATES = 16
MOST_BINS = 1000
Mask = npt.NDArray[np.bool_]

_SUBSET = (
    "SELECT keys and COUNT(*), SUM(c), AVG(c), MEDIAN(c) or QUANTILE(c, q) FROM data "
    "[WHERE conditions] [GROUP BY columns or BIN(c, n)]"
)


@dataclass(frozen=True)
class Aggregate:
    """One figure; ``quantile`` is between 0 and 1."""

    kind: Literal["count", "sum", "mean", "quantile"]
    label: str
    column: str | None = None
    quantile: float | None = None


@dataclass(frozen=True)
class Key:
    """What is grouped by: a category, an open column, or a number in ``bins`` of equal width."""

    label: str
    column: str
    bins: int | None = None


@dataclass(frozen=True)
class Question:
    """A parsed question.

    Args:
        text: in one form, whatever blanks and small letters it was asked in.
        chosen: which rows of a table the WHERE takes.
    """

    text: str
    aggregates: tuple[Aggregate, ...]
    keys: tuple[Key, ...]
    chosen: Callable[[Table], Mask]


def parse(text: str, description: Description) -> Question:
    """A question about the data set that is described.

    Raises:
        ConfigError: not SQL, or SQL beyond what is understood here.
        UnknownName: a column that is not declared, with the nearest one.
        DependencyMissing: sqlglot is not installed.
    """
    try:
        import sqlglot
        from sqlglot import expressions as nodes
    except ImportError as error:
        raise DependencyMissing.extra("private queries", "queries") from error
    if len(text) > 10_000:
        raise ConfigError("the question is longer than 10,000 characters")
    try:
        trees = sqlglot.parse(text)
        if len(trees) != 1 or not isinstance(trees[0], nodes.Select):
            raise ConfigError("one SELECT is a question", hint=_SUBSET)
        return _Parser(description, nodes).question(trees[0])
    except RecursionError:
        raise ConfigError("the question is nested too deeply") from None
    except sqlglot.errors.SqlglotError as error:
        found = getattr(error, "errors", None) or [{}]
        what = str(found[0].get("description") or "it cannot be read").split(" but got")[0]
        raise ConfigError(f"not SQL: {what}", hint=_SUBSET) from None


class _Parser:
    def __init__(self, description: Description, nodes: Any) -> None:
        self._description, self._nodes = description, nodes

    def question(self, tree: Any) -> Question:
        parts = {name for name, value in tree.args.items() if value}
        extra = sorted(parts - {"expressions", "from", "from_", "where", "group", "kind"})
        if extra:
            raise _beyond(extra[0].strip("_").upper())
        self._check_source(tree)
        grouped = tree.args.get("group")
        if grouped is not None and {name for name, value in grouped.args.items() if value} != {"expressions"}:
            raise _beyond("this GROUP BY")
        keys = tuple(self._key(one) for one in (grouped.expressions if grouped is not None else ()))
        aggregates = []
        for one in tree.expressions:
            inner, label = self._unaliased(one)
            if any(key.label == inner.sql() for key in keys):
                continue
            aggregates.append(self._aggregate(inner, label))
        if not aggregates:
            raise ConfigError("the question asks for no figure", hint=_SUBSET)
        if len(aggregates) > MOST_AGGREGATES:
            raise ConfigError(f"{len(aggregates)} figures in one question, at most {MOST_AGGREGATES}")
        labels = [key.label for key in keys] + [one.label for one in aggregates]
        if len(set(labels)) != len(labels):
            raise ConfigError("two columns of the answer have the same name", hint="SELECT … AS another")
        where = tree.args.get("where")
        chosen = _all if where is None else self._condition(where.this)
        return Question(tree.sql(comments=False), tuple(aggregates), keys, chosen)

    def _check_source(self, tree: Any) -> None:
        source = tree.args.get("from_") or tree.args.get("from")
        table = getattr(source, "this", None)
        if not isinstance(table, self._nodes.Table) or table.sql(comments=False).lower() != "data":
            raise ConfigError("a question is FROM data, the one table there is", hint=_SUBSET)

    def _unaliased(self, node: Any) -> tuple[Any, str]:
        if isinstance(node, self._nodes.Alias):
            return node.this, str(node.alias)
        return node, str(node.sql(comments=False))

    def _aggregate(self, node: Any, label: str) -> Aggregate:
        nodes = self._nodes
        if isinstance(node, nodes.Count):
            if not isinstance(node.this, nodes.Star) or node.expressions:
                raise ConfigError("COUNT(*) counts rows; missing values are filled, so there is no other count")
            return Aggregate("count", label)
        if isinstance(node, nodes.Sum):
            return Aggregate("sum", label, self._number(node.this, node.sql()).name)
        if isinstance(node, nodes.Avg):
            return Aggregate("mean", label, self._number(node.this, node.sql()).name)
        if isinstance(node, nodes.Median):
            return Aggregate("quantile", label, self._number(node.this, node.sql()).name, 0.5)
        if isinstance(node, nodes.Quantile):
            place = self._constant(node.args["quantile"])
            if not isinstance(place, float) or not 0 < place < 1:
                raise ConfigError(f"a quantile lies between 0 and 1, got {place!r}")
            return Aggregate("quantile", label, self._number(node.this, node.sql()).name, place)
        if isinstance(node, nodes.Column):
            self._column(node)
            raise ConfigError(f"'{node.sql()}' is neither a figure nor in GROUP BY: no row is ever shown")
        raise _beyond(node.sql())

    def _key(self, node: Any) -> Key:
        if isinstance(node, self._nodes.Anonymous) and str(node.this).upper() == "BIN":
            if len(node.expressions) != 2:
                raise ConfigError("BIN takes a column and a number of bins: BIN(age, 11)")
            column = self._number(node.expressions[0], node.sql())
            bins = self._constant(node.expressions[1])
            if bins not in range(1, MOST_BINS + 1):
                raise ConfigError(f"BIN: the number of bins is in [1, {MOST_BINS}], got {bins!r}")
            return Key(node.sql(), column.name, int(bins))
        if not isinstance(node, self._nodes.Column):
            raise _beyond(f"GROUP BY {node.sql()}")
        column = self._column(node)
        if column.kind == "number":
            raise ConfigError(f"'{column.name}' is a number: group by BIN({column.name}, 10)")
        return Key(node.sql(), column.name)

    def _column(self, node: Any) -> Column:
        if not isinstance(node, self._nodes.Column) or node.args.get("table"):
            raise _beyond(node.sql())
        return self._description.column(node.name, where="the question")

    def _number(self, node: Any, where: str) -> Column:
        column = self._column(node)
        if column.kind != "number":
            raise ConfigError(f"{where}: '{column.name}' has no bounds: it is no number")
        return column

    def _constant(self, node: Any) -> float | str:
        if isinstance(node, self._nodes.Neg):
            value = self._constant(node.this)
            if isinstance(value, float):
                return -value
        if isinstance(node, self._nodes.Literal):
            return str(node.this) if node.is_string else float(node.this)
        raise _beyond(node.sql())

    def _condition(self, node: Any) -> Callable[[Table], Mask]:
        nodes = self._nodes
        if isinstance(node, nodes.Paren):
            return self._condition(node.this)
        if isinstance(node, nodes.Not):
            inner = self._condition(node.this)
            return lambda table: ~inner(table)
        if isinstance(node, nodes.And | nodes.Or):
            left, right = self._condition(node.left), self._condition(node.right)
            if isinstance(node, nodes.And):
                return lambda table: left(table) & right(table)
            return lambda table: left(table) | right(table)
        if isinstance(node, nodes.In) and node.expressions:
            options = [self._compared(node.this, one, np.equal) for one in node.expressions]
            return lambda table: np.logical_or.reduce([one(table) for one in options])
        if isinstance(node, nodes.Between):
            low = self._compared(node.this, node.args["low"], np.greater_equal)
            high = self._compared(node.this, node.args["high"], np.less_equal)
            return lambda table: low(table) & high(table)
        signs = {
            nodes.EQ: np.equal, nodes.NEQ: np.not_equal, nodes.LT: np.less, nodes.LTE: np.less_equal,
            nodes.GT: np.greater, nodes.GTE: np.greater_equal,
        }  # fmt: skip
        for kind, sign in signs.items():
            if isinstance(node, kind):
                return self._compared(node.left, node.right, sign)
        raise _beyond(f"WHERE {node.sql()}")

    def _compared(self, left: Any, right: Any, sign: Any) -> Callable[[Table], Mask]:
        column, value = self._column(left), self._constant(right)
        name = column.name
        if column.kind == "number":
            if isinstance(value, str):
                raise ConfigError(f"'{name}' is a number, compared with the text '{value}'")
            return lambda table: np.asarray(sign(table.columns[name], value), bool)
        if sign not in (np.equal, np.not_equal) or isinstance(value, float):
            raise ConfigError(f"'{name}' is text: compare it by =, <> or IN with texts in single quotes")
        if column.kind == "open":
            return lambda table: np.asarray(sign(table.columns[name], value), bool)
        if value not in column.values:
            raise ConfigError(f"'{value}' is not a declared value of '{name}'")
        code = column.values.index(value)
        return lambda table: np.asarray(sign(table.columns[name], code), bool)


def _all(table: Table) -> Mask:
    return np.ones(table.rows, bool)


def _beyond(what: str) -> ConfigError:
    return ConfigError(f"{what} is not among what can be asked", hint=_SUBSET)
