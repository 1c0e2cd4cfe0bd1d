"""Hierarchies made from the values themselves: intervals of numbers, parts of the calendar, prefixes, all or
nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np

from hauberk.core.errors import DataError, check_known
from hauberk.privacy.tables.hierarchies import ROOT, Hierarchy, build, numbers_of
from hauberk.privacy.tables.table import MISSING, Column

_STEPS = 16  # intervals on the finest level, at most about
_MOST_PREFIXES = 6


def made_hierarchy(column: Column, kind: str, *, name: str, where: str) -> Hierarchy:
    """A hierarchy for the values that stand in a column.

    Args:
        kind: ``intervals`` (numbers), ``dates`` (``YYYY-MM-DD``), ``prefix`` (post codes and the like: last
            characters go first), ``flat`` (the value or ``*``), or ``auto``: whichever of intervals, dates
            and flat fits.

    Raises:
        DataError: a value that is no number or date where they were asked for; says which, and its row.
        UnknownName: no such kind.
    """
    check_known([kind], KINDS, what="kind of hierarchy", where=f"column '{name}'")
    values = [text for text in column.values if text != MISSING]
    if kind == "auto":
        kind = "intervals" if numbers_of(values) is not None else "dates" if _all_dates(values) else "flat"
    reads: dict[str, Callable[[str], object]] = {"intervals": _number, "dates": date.fromisoformat}
    if kind in reads:
        _check_values(column, values, reads[kind], kind=kind, name=name, where=where)
    return _MAKERS[kind](values, f"{where}: column '{name}'")


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _check_values(
    column: Column, values: Sequence[str], read: Callable[[str], object], *, kind: str, name: str, where: str
) -> None:
    for text in values:
        try:
            read(text)
        except ValueError:
            row = int(np.flatnonzero(column.codes == column.values.index(text))[0]) + 1
            what = "number" if kind == "intervals" else "date (YYYY-MM-DD)"
            raise DataError(f"{where}: '{text}' in column '{name}' (row {row}) is no {what}", row=row) from None


def _all_dates(values: Sequence[str]) -> bool:
    try:
        return bool([date.fromisoformat(text) for text in values]) and all("-" in text for text in values)
    except ValueError:
        return False


def _intervals(values: Sequence[str], where: str) -> Hierarchy:
    """Widths double from a round number, so that every interval lies in one of the next level."""
    numbers = sorted((float(text), text) for text in values)
    low, high = numbers[0][0], numbers[-1][0]
    span = high - low
    widths = []
    if span > 0:
        width = _round_up(span / _STEPS)
        while width < span:
            widths.append(width)
            width *= 2
    paths = [
        (text, *(_interval(math.floor(number / width + 1e-9), width) for width in widths), ROOT)
        for number, text in numbers
    ]
    shares = [0.0, *(width / span for width in widths), 1.0]
    return build(paths, where=where, lengths=shares, positions=np.array([number for number, _ in numbers]))


def _round_up(width: float) -> float:
    ten = 10.0 ** math.floor(math.log10(width))
    return next(step * ten for step in (1, 2, 5, 10) if step * ten >= width * (1 - 1e-9))


def _interval(index: int, width: float) -> str:
    return f"[{index * width:.12g}, {(index + 1) * width:.12g})"


def _dates(values: Sequence[str], where: str) -> Hierarchy:
    days = sorted((date.fromisoformat(text), text) for text in values)
    paths = [
        (
            text, f"{day:%Y-%m}", f"{day.year}-Q{(day.month + 2) // 3}",
            f"{day.year}", f"{day.year // 10}0s", ROOT,
        )
        for day, text in days
    ]  # fmt: skip
    return build(paths, where=where, positions=np.array([float(day.toordinal()) for day, _ in days]))


def _prefix(values: Sequence[str], where: str) -> Hierarchy:
    longest = max(map(len, values))
    cuts = [c for c in range(longest - 1, 0, -1)][-_MOST_PREFIXES:]
    padded = {text: text.ljust(longest) for text in values}
    paths = [
        (text, *(padded[text][:cut] + ROOT * (longest - cut) for cut in cuts), ROOT) for text in sorted(values)
    ]
    return build(paths, where=where)


def _flat(values: Sequence[str], where: str) -> Hierarchy:
    return build([(text, ROOT) for text in sorted(values)], where=where)


_MAKERS = {"intervals": _intervals, "dates": _dates, "prefix": _prefix, "flat": _flat}
KINDS = ("auto", *_MAKERS)
