"""From a file to a grouped table: count, suppress, let the bounds be worked out, and only then write."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.core.canonical import file_digest
from hauberk.core.errors import ConfigError, DataError, PolicyViolation
from hauberk.core.evidence import Evidence, software_versions
from hauberk.core.files import refuse_overwrite
from hauberk.core.settings import require_within
from hauberk.privacy.tables.aggregate.bounds import Bounds, work_out
from hauberk.privacy.tables.aggregate.cube import Cube, build
from hauberk.privacy.tables.aggregate.suppression import Mask, Rules, complete, sensitive_cells, widen
from hauberk.privacy.tables.hierarchies import ROOT
from hauberk.privacy.tables.reading import encoding_of, read_table
from hauberk.privacy.tables.table import MISSING, Column, Table, check_columns
from hauberk.privacy.tables.writing import write_table

_WHERE = "aggregate"
_ROUNDING = 1e-6
_CAREFUL = 3  # rounds in which little is hidden at a time


@dataclass(frozen=True, kw_only=True)
class AggregatePlan:
    """What is grouped, and what must stay unknown.

    Args:
        by: columns to group by.
        rules: when a cell tells too much.
        sum: a column whose sum is published beside the counts.
        width: how far apart a suppressed count's lowest and highest possible values must lie; ``min_count``
            where None.
        sum_width: the same for a suppressed sum, as a share of it.
    """

    by: tuple[str, ...]
    rules: Rules = Rules()
    sum: str | None = None
    width: float | None = None
    sum_width: float = 0.2

    def __post_init__(self) -> None:
        if not self.by:
            raise ConfigError(f"{_WHERE}: name at least one column to group by")
        named = [*self.by, *([] if self.sum is None else [self.sum])]
        twice = [name for name in named if named.count(name) > 1]
        if twice:
            raise ConfigError(f"{_WHERE}: column '{twice[0]}' is given twice")
        if self.sum is None and (self.rules.dominance is not None or self.rules.p_percent is not None):
            raise ConfigError(f"{_WHERE}: dominance is about a sum; name its column with --sum")
        require_within("width", self.asked_width, _WHERE, "(0, 1e9)")
        require_within("sum_width", self.sum_width, _WHERE, "(0, 10)")

    @property
    def asked_width(self) -> float:
        return float(self.rules.min_count) if self.width is None else self.width


@dataclass(frozen=True)
class Aggregated:
    """A grouped table.

    Args:
        table: the columns grouped by (``*`` for a total), ``count`` and, if asked, ``sum``; a suppressed
            cell is empty.
        cube: the truth.
        suppressed: what is not published, of the cube's shape.
        sensitive: how many cells told too much by themselves.
        narrowest: no suppressed count can be known to within less than this; None where nothing was suppressed.
    """

    table: Table
    cube: Cube
    suppressed: Mask
    sensitive: int
    narrowest: float | None


def aggregate(table: Table, plan: AggregatePlan, *, where: str = "the table") -> Aggregated:
    """Group a table and hide what tells too much.

    Raises:
        DataError: an empty cell, or a sum of what is no number.
        PolicyViolation: everything would have to be suppressed.

    Limits: it protects one table. Two tables of the same people may together give away what neither does
        alone. A row is taken to be one person. Who knows some of the rows can subtract them.
    """
    check_columns([*plan.by, *([] if plan.sum is None else [plan.sum])], table.names, where=where)
    for name in plan.by:
        _refuse_missing(table[name], name, where)
    summed = None if plan.sum is None else _numbers(table[plan.sum], plan.sum, where)
    columns = [table[name].compact() for name in plan.by]
    cube = build(columns, summed, most=plan.rules.contributions)
    sensitive = sensitive_cells(cube, plan.rules)
    suppressed = complete(cube, sensitive)
    judge = _Judge(cube, plan)
    for attempt in itertools.count():
        narrow = [tuple(map(int, cell)) for cell in judge.narrow(suppressed)]
        if not narrow:
            break
        more = widen(cube, suppressed, narrow, careful=attempt < _CAREFUL)
        if more.all() or (more == suppressed).all():
            raise PolicyViolation(
                "nothing could be published without a small group being worked out from it",
                hint="group by fewer or coarser columns, or ask for a smaller --width",
            )
        suppressed = more
    published = _published(cube, suppressed, plan)
    return Aggregated(published, cube, suppressed, int(sensitive.sum()), judge.narrowest(suppressed))


@dataclass
class _Judge:
    """Keeps what was worked out before: suppressing more only widens it."""

    cube: Cube
    plan: AggregatePlan
    counts: Bounds | None = None
    sums: Bounds | None = None

    def narrow(self, suppressed: Mask) -> npt.NDArray[np.intp]:
        """Suppressed cells whose counts or sums can be worked out too closely, ``(cells, axes)``."""
        asked = np.full(self.cube.shape, self.plan.asked_width)
        self.counts = work_out(self.cube.counts, suppressed, asked, seen=self.counts)
        short = self.counts.high - self.counts.low < asked - _ROUNDING
        if self.cube.sums is not None:
            wanted = self.plan.sum_width * np.abs(self.cube.sums)
            negative = bool((self.cube.sums < 0).any())
            self.sums = work_out(self.cube.sums, suppressed, wanted, negative=negative, seen=self.sums)
            short |= self.sums.high - self.sums.low < wanted - _ROUNDING * np.maximum(1, wanted)
        return np.argwhere(short & suppressed)

    def narrowest(self, suppressed: Mask) -> float | None:
        if self.counts is None or not suppressed.any():
            return None
        return float((self.counts.high - self.counts.low)[suppressed].min())


def _refuse_missing(column: Column, name: str, where: str) -> None:
    empty = column.missing()
    if empty.any():
        raise DataError(
            f"{where}: column '{name}' is empty in row {int(empty.argmax()) + 1} ({empty.sum()} rows in all)",
            hint="fill the gaps, or leave these rows out",
        )


def _numbers(column: Column, name: str, where: str) -> npt.NDArray[np.float64]:
    found = np.zeros(len(column.values))
    for code, text in enumerate(column.values):
        try:
            found[code] = float(text)
        except ValueError:
            found[code] = np.nan
        if not np.isfinite(found[code]):
            row = int(np.flatnonzero(column.codes == code)[0]) + 1
            what = "empty" if text == MISSING else f"'{text}', which is no number,"
            raise DataError(f"{where}: column '{name}' is {what} in row {row}", row=row)
    return found[column.codes]


def _published(cube: Cube, suppressed: Mask, plan: AggregatePlan) -> Table:
    rows: list[Sequence[str]] = []
    for place in itertools.product(*(range(size) for size in cube.shape)):
        names = [
            ROOT if at == len(values) else values[at] for at, values in zip(place, cube.values, strict=True)
        ]
        hidden = bool(suppressed[place])
        cells = ["" if hidden else f"{cube.counts[place]:.0f}"]
        if cube.sums is not None:
            cells.append("" if hidden else f"{cube.sums[place]:.15g}")
        rows.append([*names, *cells])
    heads = [*plan.by, "count", *([] if cube.sums is None else ["sum"])]
    return Table.of(dict(zip(heads, zip(*rows, strict=True), strict=True)))


def run(
    source: Path,
    out: Path,
    plan: AggregatePlan,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    force: bool = False,
) -> tuple[Aggregated, Evidence]:
    """From file to file.

    Returns:
        What was published, and evidence of kind ``aggregation``; the suppressed counts are not in it.
    """
    began = time.monotonic()
    refuse_overwrite(out, force=force)
    if out.exists() and out.resolve() == source.resolve():
        raise ConfigError("--out is the table itself", hint="choose another file")
    named = [*plan.by, *([] if plan.sum is None else [plan.sum])]
    encoding = encoding_of(source, encoding)
    made = aggregate(read_table(source, named, encoding=encoding, delimiter=delimiter), plan, where=source.name)
    write_table(out, made.table, encoding=encoding, delimiter=delimiter or ",")
    return made, Evidence(
        kind="aggregation",
        subject={"name": out.name, "digest": file_digest(out)},
        inputs={"table": {"name": source.name, "digest": file_digest(source)}},
        parameters=_parameters(plan),
        result={
            "cells": made.cube.counts.size,
            "suppressed": int(made.suppressed.sum()),
            "too_telling": made.sensitive,
            "narrowest": made.narrowest,
        },
        duration_s=time.monotonic() - began,
        versions=software_versions(("hauberk", "numpy", "scipy")),
    )


def _parameters(plan: AggregatePlan) -> dict[str, Any]:
    return {
        "by": plan.by,
        "sum": plan.sum,
        "min_count": plan.rules.min_count,
        "dominance": plan.rules.dominance,
        "p_percent": plan.rules.p_percent,
        "width": plan.asked_width,
        "sum_width": plan.sum_width,
    }
