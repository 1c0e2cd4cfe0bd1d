"""Generalisation hierarchies: what a value may be coarsened to, step by step, up to ``*``.

A file holds one line for each value, from the value itself to ``*``, as the ARX tool writes them:
``Bachelors;Undergraduate;Higher education;*``. What has no file gets a hierarchy made from its values
(``hauberk.privacy.tables.intervals``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.core.encodings import decoded
from hauberk.core.errors import DataError
from hauberk.core.files import read_bytes
from hauberk.privacy.tables.table import Codes, Column, narrow

ROOT = "*"


@dataclass(frozen=True)
class Hierarchy:
    """A tree over the values of one column, all leaves at the same depth.

    Args:
        leaves: the values; those under one node stand side by side.
        labels: ``labels[level][leaf]`` is the text of the leaf's ancestor; level 0 are the leaves, the last
            is ``*``.
        positions: each leaf's place on a line where the column holds numbers or dates, float64
            ``(leaves,)``, else None.
        nodes: number of each leaf's ancestor, int32 ``(levels, leaves)``; equal exactly where the texts are.
        loss: the ancestor's share of everything (NCP), float64 ``(levels, leaves)`` in [0, 1]: leaves under
            it by all leaves, and 0 for a single leaf. Of intervals, their length by the whole range.
    """

    leaves: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    positions: npt.NDArray[np.float64] | None
    nodes: Codes
    loss: npt.NDArray[np.float64]

    @property
    def levels(self) -> int:
        return len(self.labels)

    @property
    def paths(self) -> list[tuple[str, ...]]:
        """From each leaf to ``*``, as the file would say it."""
        return list(zip(*self.labels, strict=True))


def build(
    paths: Sequence[tuple[str, ...]],
    *,
    where: str,
    lengths: Sequence[float] | None = None,
    positions: Any = None,
) -> Hierarchy:
    """A hierarchy from the way of each leaf to ``*``.

    Args:
        paths: ``(leaf, ..., "*")``, all of one length.
        lengths: of the intervals of each level as shares of the whole range; by leaves where None.
        positions: as in ``Hierarchy``.

    Raises:
        DataError: a leaf twice, a label with two parents, or one label for two different sets of values.
    """
    labels = tuple(zip(*paths, strict=True))
    leaves = labels[0]
    if len(set(leaves)) != len(leaves):
        twice = next(leaf for leaf in leaves if leaves.count(leaf) > 1)
        raise DataError(f"{where}: value '{twice}' stands in it twice", value=twice)
    under: dict[str, frozenset[int]] = {}
    nodes = np.zeros((len(labels), len(leaves)), np.int32)
    loss = np.zeros(nodes.shape)
    for level, texts in enumerate(labels):
        members: dict[str, list[int]] = {}
        for leaf, text in enumerate(texts):
            members.setdefault(text, []).append(leaf)
        for number, (text, listed) in enumerate(members.items()):
            _check_node(text, frozenset(listed), labels, level, under, where)
            nodes[level, listed] = number
            if lengths is not None:
                loss[level, listed] = min(lengths[level], 1.0)
            elif len(listed) > 1:
                loss[level, listed] = len(listed) / len(leaves)
    return Hierarchy(leaves, labels, positions, nodes, loss)


def _check_node(
    text: str, listed: frozenset[int], labels: Any, level: int, under: dict[str, frozenset[int]], where: str
) -> None:
    # a text that means two things would join rows that were never made alike
    if under.setdefault(text, listed) != listed:
        raise DataError(f"{where}: '{text}' stands for different values on different levels", label=text)
    if level + 1 < len(labels):
        parents = sorted({labels[level + 1][leaf] for leaf in listed})
        if len(parents) > 1:
            raise DataError(f"{where}: '{text}' lies under both '{parents[0]}' and '{parents[1]}'", label=text)


def read_hierarchy(path: str | Path) -> Hierarchy:
    """From a file of lines ``value;...;*`` (``;`` or ``,``); a missing ``*`` at the end is added.

    Raises:
        DataError: no such file, not UTF-8 or GB18030, lines of different lengths, a value twice, or no tree.
    """
    text = decoded(Path(path), read_bytes(path, what="hierarchy"))
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first or "," not in first else ","
    try:
        rows = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        raise DataError(f"{path}: {error}") from error
    if not rows:
        raise DataError(f"{path} holds no hierarchy: a line is 'value;...;*'")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise DataError(f"{path}, line {number}: {len(row)} levels, but {len(rows[0])} in the first line")
    if {row[-1] for row in rows} != {ROOT}:
        rows = [(*row, ROOT) for row in rows]
    # subtrees side by side
    rows.sort(key=lambda row: row[::-1])
    numbers = numbers_of([row[0] for row in rows])
    return build(rows, where=str(path), positions=numbers)


def numbers_of(texts: Sequence[str]) -> npt.NDArray[np.float64] | None:
    """The finite numbers that all the texts are, or None."""
    try:
        found = np.array([float(text) for text in texts])
    except ValueError:
        return None
    return found if len(found) and np.isfinite(found).all() else None


def leaf_codes(hierarchy: Hierarchy, column: Column, *, name: str, where: str) -> Codes:
    """The leaf of every row, ``(rows,)``.

    Raises:
        DataError: a value that the hierarchy lacks; says which, and the first row that holds it.
    """
    index = {leaf: number for number, leaf in enumerate(hierarchy.leaves)}
    lacking = [code for code, text in enumerate(column.values) if text not in index]
    if lacking:
        hit = np.flatnonzero(np.isin(column.codes, lacking))
        if len(hit):
            value = column.values[column.codes[hit[0]]]
            raise DataError(
                f"{where}: the hierarchy of '{name}' lacks the value '{value}' (row {hit[0] + 1})",
                hint=f"add a line for it; {len(lacking)} values are lacking in all",
                column=name, value=value, row=int(hit[0]) + 1,
            )  # fmt: skip
    moved = np.array([index.get(text, 0) for text in column.values])
    return np.asarray(narrow(moved, len(hierarchy.leaves))[column.codes])
