"""Counts and sums of every group and every margin, as one array.

Along each axis stand the values of one column and, last, their total. A line along an axis thus adds up: all
of it but the last is the last. These are the equations that somebody who wants a suppressed cell will use.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hauberk.core.errors import ConfigError
from hauberk.privacy.tables.table import Column

Array = npt.NDArray[np.float64]
MOST_CELLS = 200_000


@dataclass(frozen=True)
class Cube:
    """A table by some columns, with all margins.

    Args:
        values: of each axis, without the total.
        counts: rows of every cell, float64, one longer than its values along each axis.
        sums: of the summed column, of the same shape; None where nothing is summed.
        absolute: the sums of absolute values, which are the sums where nothing is negative.
        largest: of each cell the largest contributions in falling order, absolute, ``(*shape, most)``.
    """

    values: tuple[tuple[str, ...], ...]
    counts: Array
    sums: Array | None = None
    absolute: Array | None = None
    largest: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.counts.shape


def build(columns: Sequence[Column], summed: Array | None = None, *, most: int = 2) -> Cube:
    """The cube of columns of one length.

    Args:
        summed: a number for each row.
        most: how many of the largest contributions are kept.

    Raises:
        ConfigError: more than 200,000 cells.
    """
    sizes = [len(one.values) for one in columns]
    if (cells := math.prod(size + 1 for size in sizes)) > MOST_CELLS:
        raise ConfigError(
            f"these columns make a table of {cells} cells, at most {MOST_CELLS}",
            hint="group by fewer columns, or by coarser ones",
        )
    # values in order, so that the table does not tell in which order the rows stood
    orders = [np.argsort(np.array(one.values)) for one in columns]
    codes = [np.argsort(order)[one.codes] for order, one in zip(orders, columns, strict=True)]
    values = tuple(
        tuple(one.values[at] for at in order.tolist()) for order, one in zip(orders, columns, strict=True)
    )
    counts = _margins(sizes, codes, None)
    if summed is None:
        return Cube(values, counts)
    sums, absolute = _margins(sizes, codes, summed), _margins(sizes, codes, np.abs(summed))
    return Cube(values, counts, sums, absolute, _largest(sizes, codes, summed, most))


def _margins(sizes: Sequence[int], codes: Sequence[npt.NDArray[np.intp]], weights: Array | None) -> Array:
    place = np.ravel_multi_index(codes, sizes)
    cube = np.bincount(place, weights, minlength=math.prod(sizes)).reshape(sizes).astype(np.float64)
    for axis in range(len(sizes)):
        cube = np.concatenate([cube, cube.sum(axis, keepdims=True)], axis)
    return cube


def _largest(sizes: Sequence[int], codes: Sequence[npt.NDArray[np.intp]], summed: Array, most: int) -> Array:
    shape = [size + 1 for size in sizes]
    found = np.zeros((math.prod(shape), most))
    contributions = np.abs(summed)
    for total in itertools.product((False, True), repeat=len(sizes)):
        at = [
            np.full(len(summed), size) if whole else code
            for whole, size, code in zip(total, sizes, codes, strict=True)
        ]
        place = np.ravel_multi_index(at, shape)
        order = np.lexsort((-contributions, place))
        place, sorted_ = place[order], contributions[order]
        starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
        rank = np.arange(len(place)) - np.repeat(starts, np.diff(np.r_[starts, len(place)]))
        kept = rank < most
        found[place[kept], rank[kept]] = sorted_[kept]
    return found.reshape(*shape, most)
