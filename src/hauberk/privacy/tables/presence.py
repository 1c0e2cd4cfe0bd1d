"""Delta-presence: how surely somebody of a population is known to be in the table at all.

Source: Nergiz, Atzori, Clifton, Hiding the presence of individuals, SIGMOD 2007. There a table is recoded as
a whole, and each person fits one class. Here somebody may fit several, and his probabilities add up: each
row of a class is taken to be any of the people whom the class covers, all alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.combinations import Whole
from hauberk.privacy.tables.cover import Classes, Guard, classes_of
from hauberk.privacy.tables.lattice import Keys, Lattice
from hauberk.privacy.tables.models import Counts
from hauberk.privacy.tables.table import Codes

Index = npt.NDArray[np.intp]
_ROUNDING = 1e-12


@dataclass
class PresenceGuard:
    """Nobody in the population is in the table with more than the highest probability.

    Somebody may fit several classes; the shares of all of them add up.

    Args:
        highest: in [0, 1].
        leaves: combinations of the population, int32 ``(attributes, distinct)``, with ``counts`` people each.
        table_counts: rows of each of the table's own combinations.
    """

    highest: float
    lattice: Lattice
    leaves: Codes
    counts: Whole
    table_counts: Whole
    presence: Counts = field(init=False)

    def __post_init__(self) -> None:
        self.presence = np.zeros(len(self.counts))

    def begin(self, rows: Index) -> None:
        """It keeps nothing of the open combinations."""

    def possible(
        self, number: Index, weights: npt.NDArray[np.float64], enough: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        return enough

    def accepts(self, members: Index, groups: Index, keys: Keys, node: int) -> npt.NDArray[np.bool_]:
        rows = np.bincount(groups, self.table_counts[members], minlength=len(keys))
        covered, group = self._covered(keys, node)
        people = np.bincount(group, self.counts[covered], minlength=len(keys))
        share = np.divide(rows, people, out=np.full(len(keys), np.inf), where=people > 0)
        before = np.zeros(len(keys))
        np.maximum.at(before, group, self.presence[covered])
        self._shares = share
        self._asked = keys
        return np.asarray(share + before <= self.highest + _ROUNDING)

    def closed(self, keys: Keys, node: int) -> None:
        if not len(keys):
            return
        covered, group = self._covered(keys, node)
        self.presence[covered] += self._shares[np.searchsorted(self._asked, keys)][group]

    def _covered(self, keys: Keys, node: int) -> tuple[Index, Index]:
        """Combinations of the population that fall under the keys, and under which."""
        own = self.lattice.keys_at(node, self.leaves)
        place = np.minimum(np.searchsorted(keys, own), len(keys) - 1)
        hit = np.flatnonzero(keys[place] == own)
        return hit, place[hit]


def recode_whole(
    lattice: Lattice,
    leaves: Codes,
    counts: Whole,
    people: PresenceGuard,
    lowest: float,
    k: int,
    guards: Sequence[Guard],
) -> Classes | None:
    """The whole table at one node, the least lossy at which everybody's presence lies between lowest and
    highest.

    A lowest probability above 0 concerns people who are not in the table: all must be covered, so every row is
    recoded alike.

    Returns:
        None where no node will do.

    Cost: nodes times the population's combinations.
    """
    for node in np.argsort(lattice.mean_loss(leaves, counts), kind="stable").tolist():
        keys, covered = np.unique(lattice.keys_at(node, people.leaves), return_inverse=True)
        groups = np.searchsorted(keys, lattice.keys_at(node, leaves))
        rows = np.bincount(groups, counts, minlength=len(keys))
        share = rows / np.bincount(covered, people.counts)
        if share.min() < lowest - _ROUNDING or share.max() > people.highest + _ROUNDING:
            continue
        if rows[rows > 0].min() < k:
            continue
        used, of = np.unique(groups, return_inverse=True)
        if all(guard.accepts(np.arange(len(of)), of, keys[used], node).all() for guard in guards):
            levels = np.repeat(lattice.nodes[[node]], len(used), axis=0)
            return classes_of(of.astype(np.intp), levels, counts)
    return None
