"""Rows that found no class: taken into a class that is widened for them, left out, or joined with everything
else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.combinations import Whole
from hauberk.privacy.tables.cover import OPEN, Classes, Guard, classes_of
from hauberk.privacy.tables.hierarchies import Hierarchy
from hauberk.privacy.tables.lattice import Keys
from hauberk.privacy.tables.table import Codes

Index = npt.NDArray[np.intp]
_MOST_ABSORBED = 5000  # combinations; each looks at every class
_TRIED = 8  # classes for each, the cheapest first
_SUPPRESSED = 1.0  # what a row costs that is left out
_NO_KEYS: Keys = np.zeros(1, np.uint64)


def absorb(
    classes: Classes, hierarchies: Sequence[Hierarchy], leaves: Codes, counts: Whole, guards: Sequence[Guard]
) -> None:
    """Widen classes for open combinations wherever that costs less than leaving these out; changes ``classes``.

    A widened class keeps what made it private only if its guards still accept it, which is asked again. It
    must not be used under a presence model, whose shares change with every widening.
    """
    left = np.flatnonzero(classes.of == OPEN)
    if not len(classes.sizes) or len(left) > _MOST_ABSORBED:
        return
    for one in left.tolist():
        levels, cost = _widened(classes, hierarchies, leaves, counts, one)
        for chosen in np.argsort(cost, kind="stable")[:_TRIED].tolist():
            if cost[chosen] >= _SUPPRESSED * counts[one]:
                break
            members = np.append(np.flatnonzero(classes.of == chosen), one)
            if _accepted(members, guards):
                classes.of[one] = chosen
                classes.levels[chosen] = levels[chosen]
                classes.sizes[chosen] += counts[one]
                break


def _widened(
    classes: Classes, hierarchies: Sequence[Hierarchy], leaves: Codes, counts: Whole, one: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Of every class the levels at which it covers one more combination, and what the table loses by that."""
    levels = classes.levels.copy()
    before = np.zeros(len(classes.sizes))
    after = before.copy()
    for number, hierarchy in enumerate(hierarchies):
        member = leaves[number][classes.member]
        same = hierarchy.nodes[:, member] == hierarchy.nodes[:, [leaves[number][one]]]
        before += hierarchy.loss[levels[:, number], member]
        levels[:, number] = np.maximum(levels[:, number], same.argmax(0))  # the first level at which they meet
        after += hierarchy.loss[levels[:, number], member]
    total = after * (classes.sizes + counts[one]) - before * classes.sizes
    return levels, total / len(hierarchies)


def _accepted(members: Index, guards: Sequence[Guard]) -> bool:
    together = np.zeros(len(members), np.intp)
    return all(bool(guard.accepts(members, together, _NO_KEYS, 0)[0]) for guard in guards)


def join(
    classes: Classes,
    hierarchies: Sequence[Hierarchy],
    leaves: Codes,
    counts: Whole,
    k: int,
    guards: Sequence[Guard],
) -> Classes | None:
    """Open combinations and as many of the coarsest classes as it takes, as one class that says nothing
    (``*``).

    Returns:
        The new classes, none of whose rows is open; None where even the whole table does not satisfy the
        guards.
    """
    loss = sum(
        one.loss[classes.levels[:, number], leaves[number][classes.member]]
        for number, one in enumerate(hierarchies)
    )
    order = np.argsort(-np.asarray(loss), kind="stable") if len(classes.sizes) else np.zeros(0, np.intp)
    taken = 0
    while True:
        rows = np.flatnonzero((classes.of == OPEN) | np.isin(classes.of, order[:taken]))
        if counts[rows].sum() >= k and _accepted(rows, guards):
            break
        if taken == len(order):
            return None
        taken = min(len(order), max(taken + 1, taken * 5 // 4))
    kept = np.delete(np.arange(len(classes.sizes)), order[:taken])
    renumbered = np.full(len(classes.sizes) + 1, len(kept), np.intp)  # OPEN is -1: the last, the new class
    renumbered[kept] = np.arange(len(kept))
    root = np.array([[one.levels - 1 for one in hierarchies]], np.int8)
    return classes_of(renumbered[classes.of], np.vstack([classes.levels[kept], root]), counts)
