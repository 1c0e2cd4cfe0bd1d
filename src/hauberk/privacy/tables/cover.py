"""Local recoding by covering: each row is published at the first generalisation at which enough others look
like it.

The lattice's nodes are tried from least to most loss. At each, the rows that are still open are grouped by
what they become there; groups that satisfy the models are closed as classes, the others wait for a coarser
node. Each row thus gets a generalisation of its own, and a class is never coarser than it has to be: had its
rows agreed on a finer node, that one would have closed them before.

It works on distinct combinations with counts. Most nodes close nothing, so that a hashed count, which can
only be too large, sorts them out first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.combinations import Whole
from hauberk.privacy.tables.lattice import Keys, Lattice, buckets
from hauberk.privacy.tables.table import Codes

OPEN = -1
_CHUNK = (1 << 12, 1 << 15)  # combinations covered together
_PARTIAL_BYTES = 1 << 26
_SHRINK = 0.75  # share of open combinations below which the closed ones are thrown out


class Guard(Protocol):
    """Says which groups may become classes, beyond having ``k`` rows."""

    def begin(self, rows: npt.NDArray[np.intp]) -> None:
        """Told of the combinations that ``possible`` will be asked about."""

    def possible(
        self, number: npt.NDArray[np.intp], weights: npt.NDArray[np.float64], enough: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """Quickly, which of the hashed groups that are large ``enough`` are worth a closer look.

        Args:
            number: hashed group of each combination that ``begin`` named.
            weights: its rows, 0 where it is closed.
        """

    def accepts(
        self, members: npt.NDArray[np.intp], groups: npt.NDArray[np.intp], keys: Keys, node: int
    ) -> npt.NDArray[np.bool_]:
        """For combinations ``members`` in ``groups`` (numbers into ``keys``), ``(len(keys),)``."""

    def closed(self, keys: Keys, node: int) -> None:
        """Told of the groups that became classes, by their keys at the node."""


@dataclass
class Classes:
    """Which class every combination is in, and at which levels each class is published.

    Args:
        of: class of every combination, ``OPEN`` where none, ``(distinct,)``.
        levels: int8 ``(classes, attributes)``.
        member: one combination of each class, ``(classes,)``.
        sizes: rows of each class, ``(classes,)``.
    """

    of: npt.NDArray[np.intp]
    levels: npt.NDArray[np.int8]
    member: npt.NDArray[np.intp]
    sizes: Whole


class _Sweep:
    def __init__(self, lattice: Lattice, leaves: Codes, counts: Whole, k: int, guard: Guard | None) -> None:
        self.lattice, self.leaves, self.counts, self.k, self.guard = lattice, leaves, counts, k, guard
        self.of = np.full(leaves.shape[1], OPEN, np.intp)
        self.at: list[int] = []  # node of each class
        self.order = np.argsort(lattice.mean_loss(leaves, counts), kind="stable").tolist()

    def run(self, rows: npt.NDArray[np.intp]) -> None:
        """Cover the combinations ``rows``."""
        partial = self.lattice.partial(self.leaves[:, rows])
        weights = self.counts[rows].astype(np.float64)
        if self.guard is not None:
            self.guard.begin(rows)
        left = len(rows)
        bits = max(4, left.bit_length() + 1)
        for node in self.order:
            keys = self.lattice.keys(node, partial)
            number = buckets(keys, bits)
            enough = np.bincount(number, weights) >= self.k
            if self.guard is not None and enough.any():
                enough = self.guard.possible(number, weights, enough)
            if not enough.any():
                continue
            likely = np.flatnonzero(enough[number])
            likely = likely[weights[likely] > 0]  # what is closed weighs nothing, and takes part no more
            closing = self._close(rows[likely], keys[likely], weights[likely], node)
            if not closing.any():
                continue
            weights[likely[closing]] = 0
            left -= int(closing.sum())
            if not left:
                return
            if left < _SHRINK * len(rows):
                still = np.flatnonzero(weights)
                rows, weights = rows[still], weights[still]
                partial = [np.take(block, still, axis=1) for block in partial]
                bits = max(4, left.bit_length() + 1)
                if self.guard is not None:
                    self.guard.begin(rows)

    def _close(
        self, members: npt.NDArray[np.intp], keys: Keys, weights: npt.NDArray[np.float64], node: int
    ) -> npt.NDArray[np.bool_]:
        """Make classes of the groups that may be; which members are in one."""
        distinct, groups = np.unique(keys, return_inverse=True)
        good = np.bincount(groups, weights) >= self.k
        if self.guard is not None and good.any():
            asked = good[groups]
            renumbered = np.cumsum(good) - 1
            good[good] = self.guard.accepts(members[asked], renumbered[groups[asked]], distinct[good], node)
            self.guard.closed(distinct[good], node)
        closing = np.asarray(good[groups])
        if closing.any():
            number = len(self.at) + np.cumsum(good) - 1
            self.of[members[closing]] = number[groups[closing]]
            self.at += [node] * int(good.sum())
        return closing


def cover(lattice: Lattice, leaves: Codes, counts: Whole, k: int, guard: Guard | None = None) -> Classes:
    """Classes of at least ``k`` rows that the guard accepts; combinations that found none stay ``OPEN``.

    Args:
        leaves: int32 ``(attributes, distinct)``, with ``counts`` rows each.

    Cost: nodes times open combinations; memory for at most 32,768 combinations at a time, which are covered
    together, and what they leave open once more.
    """
    sweep = _Sweep(lattice, leaves, counts, k, guard)
    chunk = int(np.clip(_PARTIAL_BYTES // (8 * lattice.partial_keys), *_CHUNK))
    rows = np.arange(leaves.shape[1])
    while True:
        parts = np.array_split(rows, -(-len(rows) // chunk))
        for part in parts:
            sweep.run(part)
        still = rows[sweep.of[rows] == OPEN]
        if len(parts) == 1 or not len(still) or len(still) == len(rows):
            break
        rows = still
    return classes_of(sweep.of, lattice.nodes[np.array(sweep.at, np.intp)], counts)


def classes_of(of: npt.NDArray[np.intp], levels: npt.NDArray[np.int8], counts: Whole) -> Classes:
    """With a member and the size of each class."""
    placed = np.flatnonzero(of != OPEN)
    member = np.zeros(len(levels), np.intp)
    member[of[placed]] = placed
    sizes = np.bincount(of[placed], counts[placed], minlength=len(levels)).astype(np.int64)
    return Classes(of, levels, member, sizes)
