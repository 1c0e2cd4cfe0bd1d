"""What a group of combinations must satisfy beyond its size, to become a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.combinations import Combinations, count_pairs
from hauberk.privacy.tables.cover import Guard
from hauberk.privacy.tables.lattice import Keys
from hauberk.privacy.tables.models import Counts, SensitiveModel
from hauberk.privacy.tables.table import Column

Index = npt.NDArray[np.intp]
_CELLS = 1 << 22  # of a matrix of classes and values, at a time


class SensitiveGuard:
    """Models of one sensitive column.

    Args:
        combinations: of the quasi-identifiers.
        column: the sensitive values of the same rows.
        models: all of them must accept.
    """

    def __init__(self, combinations: Combinations, column: Column, models: Sequence[SensitiveModel]) -> None:
        self._models = models
        self._values = len(column.values)
        # pairs sorted by combination, so that those of a combination stand together
        self._pair_of, self._value, self._counts = count_pairs(combinations.of_row, column.codes)
        self._starts = np.searchsorted(self._pair_of, np.arange(len(combinations.counts) + 1))

    def begin(self, rows: Index) -> None:
        self._open_pairs, lengths = self._pairs(rows)
        self._open_row = np.repeat(np.arange(len(rows)), lengths)

    def possible(
        self, number: Index, weights: npt.NDArray[np.float64], enough: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Judges the hashed groups as if they were groups; where two were hashed into one, it may miss them."""
        wanted = int(enough.sum())
        if wanted * self._values > _CELLS:
            return enough
        place = np.cumsum(enough) - 1
        asked = np.flatnonzero((enough[number] & (weights > 0))[self._open_row])
        pairs = self._open_pairs[asked]
        cells = place[number[self._open_row[asked]]] * self._values + self._value[pairs]
        counts = np.bincount(cells, self._counts[pairs], minlength=wanted * self._values)
        good = enough.copy()
        good[enough] = self._judge(np.asarray(counts, np.float64).reshape(wanted, self._values))
        return good

    def accepts(self, members: Index, groups: Index, keys: Keys, node: int) -> npt.NDArray[np.bool_]:
        good = np.ones(len(keys), bool)
        order = np.argsort(groups, kind="stable")
        members, groups = members[order], groups[order]
        step = max(1, _CELLS // self._values)
        for start in range(0, len(keys), step):
            stop = min(start + step, len(keys))
            low, high = np.searchsorted(groups, [start, stop])
            counts = self.count(members[low:high], groups[low:high] - start, stop - start)
            good[start:stop] = self._judge(counts)
        return good

    def closed(self, keys: Keys, node: int) -> None:
        """A sensitive model looks at each class by itself."""

    def count(self, members: Index, groups: Index, number: int) -> Counts:
        """How often each value stands in each group, ``(number, values)``."""
        pairs, lengths = self._pairs(members)
        cells = np.repeat(groups, lengths) * self._values + self._value[pairs]
        counted = np.bincount(cells, self._counts[pairs], minlength=number * self._values)
        return np.asarray(counted.reshape(number, self._values))

    def _pairs(self, members: Index) -> tuple[Index, Index]:
        """Where the pairs of combinations and values stand, and how many each combination has."""
        starts, lengths = self._starts[members], self._starts[members + 1] - self._starts[members]
        before = np.cumsum(lengths) - lengths
        return np.repeat(starts - before, lengths) + np.arange(lengths.sum()), lengths

    def _judge(self, counts: Counts) -> npt.NDArray[np.bool_]:
        good = np.ones(len(counts), bool)
        for model in self._models:
            good &= model.accepts(counts)
        return good


@dataclass(frozen=True)
class AllGuards:
    """Several guards, all of which must accept."""

    guards: Sequence[Guard]

    def begin(self, rows: Index) -> None:
        for guard in self.guards:
            guard.begin(rows)

    def possible(
        self, number: Index, weights: npt.NDArray[np.float64], enough: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        for guard in self.guards:
            if enough.any():
                enough = guard.possible(number, weights, enough)
        return enough

    def accepts(self, members: Index, groups: Index, keys: Keys, node: int) -> npt.NDArray[np.bool_]:
        good = np.ones(len(keys), bool)
        for guard in self.guards:
            good &= guard.accepts(members, groups, keys, node)
        return good

    def closed(self, keys: Keys, node: int) -> None:
        for guard in self.guards:
            guard.closed(keys, node)
