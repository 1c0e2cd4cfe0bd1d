"""Equal rows of a table, counted by sorting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.table import Column, Table

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Rows that agree on some columns.

    Args:
        sizes: of every group, ``(groups,)``.
        cells: the groups' cells as codes of the columns, ``(groups, columns)``.
        keys: what sorts them, for ``sensitive``.
    """

    sizes: Numbers
    cells: Numbers
    keys: Numbers


def _keys(table: Table, names: Sequence[str]) -> Numbers:
    keys = np.zeros(len(table), np.int64)
    used = 1
    for name in names:
        width = len(table[name].values)
        if used * width >= 2**53:
            keys = np.unique(keys, return_inverse=True)[1]
            used = int(keys.max()) + 1
        keys = keys * width + table[name].codes
        used *= width
    return keys


def group(table: Table, names: Sequence[str]) -> Groups:
    """The groups of rows that agree on the named columns."""
    keys = _keys(table, names)
    _, first, sizes = np.unique(keys, return_index=True, return_counts=True)
    cells = np.column_stack([table[name].codes[first] for name in names]).astype(np.int64)
    return Groups(sizes.astype(np.int64), cells, keys)


@dataclass(frozen=True)
class Histograms:
    """How often each value stands in each group, where it stands at all; sorted by group.

    Args:
        group, value, count: one entry for each pair that occurs.
        starts: where each group's entries begin, ``(groups,)``.
    """

    group: Numbers
    value: Numbers
    count: Numbers
    starts: Numbers


def histograms(groups: Groups, column: Column) -> Histograms:
    """Of a column over groups of the same rows."""
    width = len(column.values)
    number = (
        np.unique(groups.keys, return_inverse=True)[1] if groups.keys.max() >= 2**62 // width else groups.keys
    )
    pairs, count = np.unique(number * width + column.codes, return_counts=True)
    of = pairs // width
    starts = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
    index = np.cumsum(np.r_[0, of[1:] != of[:-1]])
    return Histograms(index, pairs % width, count.astype(np.int64), starts)
