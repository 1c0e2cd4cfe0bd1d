"""What somebody can work out about a suppressed cell from everything that is published: linear programming.

It shares nothing with the choice of what to suppress. The unknowns are the suppressed cells, the equations
are the table's lines, and each cell's smallest and largest possible value is one linear programme.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from hauberk.core.errors import IntegrityError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


_GUESSES = 16  # programmes that stretch many cells at once, before each is asked by itself


@dataclass(frozen=True)
class Bounds:
    """What every cell is known to lie between.

    Args:
        low, high: of the table's shape; the value itself where it is published. Where an interval was seen
            to be wide enough the true one may be wider.
    """

    low: Array
    high: Array


def work_out(
    table: Array, suppressed: Mask, wanted: Array, *, negative: bool = False, seen: Bounds | None = None
) -> Bounds:
    """How closely each suppressed cell can be known.

    Args:
        table: the true values, with totals last along each axis; of suppressed ones only the lines' sums are
            used.
        wanted: how wide each interval has to be, of the table's shape; looking stops where that is reached.
        negative: whether values may lie below 0, which leaves intervals open.
        seen: what was worked out when less was suppressed; suppressing more only widens.

    Cost: at most two linear programmes for each suppressed cell, and a few in common.
    """
    low, high = (table.copy(), table.copy()) if seen is None else (seen.low.copy(), seen.high.copy())
    if not suppressed.any():
        return Bounds(low, high)
    equations, totals = _equations(table, suppressed)
    search = _Search(wanted[suppressed], low[suppressed], high[suppressed], (None if negative else 0, None))
    parts = connected_components(equations.T @ equations, directed=False)[1]
    for part in range(parts.max() + 1):
        columns = np.flatnonzero(parts == part)
        block = equations[:, columns]
        rows = np.flatnonzero(np.diff(block.indptr))
        search.run(block[rows], totals[rows], columns)
    low[suppressed], high[suppressed] = search.low, search.high
    return Bounds(low, high)


@dataclass
class _Search:
    wanted: Array
    low: Array
    high: Array
    bounds: tuple[int | None, None]

    def run(self, equations: csr_matrix, totals: Array, columns: npt.NDArray[np.intp]) -> None:
        """Stretch the intervals of cells that hang together."""
        random = np.random.default_rng(0)
        for _ in range(_GUESSES):
            narrow = self._narrow(columns)
            if not narrow.any():
                return
            self._stretch(
                equations, totals, columns, np.where(narrow, random.choice([-1.0, 1.0], len(columns)), 0)
            )
        for number in range(len(columns)):
            for sign in (1.0, -1.0):
                if self._narrow(columns[[number]])[0]:
                    goal = np.zeros(len(columns))
                    goal[number] = sign
                    self._stretch(equations, totals, columns, goal)

    def _narrow(self, columns: npt.NDArray[np.intp]) -> Mask:
        return np.asarray(self.high[columns] - self.low[columns] < self.wanted[columns])

    def _stretch(
        self, equations: csr_matrix, totals: Array, columns: npt.NDArray[np.intp], goal: Array
    ) -> None:
        found = linprog(goal, A_eq=equations, b_eq=totals, bounds=self.bounds, method="highs")
        if found.status == 3:  # unbounded; of a single cell that says that nothing limits it
            if np.count_nonzero(goal) == 1:
                column = columns[goal != 0]
                (self.low if goal.sum() > 0 else self.high)[column] = -np.inf if goal.sum() > 0 else np.inf
            return
        if found.status != 0:
            raise IntegrityError(f"the bounds of a suppressed cell could not be found: {found.message}")
        # every solution is a table that the published one allows, so it widens all cells at once
        self.low[columns] = np.minimum(self.low[columns], found.x)
        self.high[columns] = np.maximum(self.high[columns], found.x)


def _equations(table: Array, suppressed: Mask) -> tuple[csr_matrix, Array]:
    """One row for each line that has a suppressed cell: parts minus total, equal to what the published ones
    leave."""
    number = np.full(suppressed.shape, -1)
    number[suppressed] = np.arange(suppressed.sum())
    rows: list[int] = []
    columns: list[int] = []
    signs: list[float] = []
    totals: list[float] = []
    for axis in range(table.ndim):
        others = [range(size) for other, size in enumerate(table.shape) if other != axis]
        for place in itertools.product(*others):
            line: tuple[int | slice, ...] = (*place[:axis], slice(None), *place[axis:])
            hidden = suppressed[line]
            if not hidden.any():
                continue
            sign = np.ones(len(hidden))
            sign[-1] = -1
            rows += [len(totals)] * int(hidden.sum())
            columns += number[line][hidden].tolist()
            signs += sign[hidden].tolist()
            totals.append(-float((sign * np.where(hidden, 0, table[line])).sum()))
    shape = (len(totals), int(suppressed.sum()))
    return csr_matrix((signs, (rows, columns)), shape=shape), np.array(totals)
