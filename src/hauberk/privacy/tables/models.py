"""Privacy models as the anonymiser uses them: which of many candidate classes may be published.

Each looks at counts of a sensitive column's values, one row for each class. That the result holds to them is
for ``hauberk.privacy.tables.measure`` to say, which counts anew from the published cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hauberk.privacy.tables.hierarchies import Hierarchy, numbers_of

Counts = npt.NDArray[np.float64]
_ROUNDING = 1e-9


class SensitiveModel(Protocol):
    """What a class's sensitive values must satisfy."""

    def accepts(self, counts: Counts) -> npt.NDArray[np.bool_]:
        """For counts ``(classes, values)``, which classes may stand, ``(classes,)``."""


@dataclass(frozen=True)
class DistinctL:
    """At least ``least`` different values.

    Source: Machanavajjhala et al., l-diversity, ICDE 2006.
    """

    least: float

    def accepts(self, counts: Counts) -> npt.NDArray[np.bool_]:
        return np.asarray((counts > 0).sum(1) >= self.least)


@dataclass(frozen=True)
class EntropyL:
    """Entropy of at least ``log(least)``.

    Source: Machanavajjhala et al., l-diversity, ICDE 2006, definition 4.1.
    """

    least: float

    def accepts(self, counts: Counts) -> npt.NDArray[np.bool_]:
        shares = counts / counts.sum(1, keepdims=True)
        entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)
        return np.asarray(entropy >= np.log(self.least) - _ROUNDING)


@dataclass(frozen=True)
class TCloseness:
    """Earth mover's distance to the whole table of at most ``most``.

    Args:
        most: in [0, 1].
        whole: shares of the values in the whole table, ``(values,)``.
        order: for the ordered distance the values by rank, else None.
        hierarchy: for the hierarchical distance, over the values as its leaves, else None.

    Source: Li, Li, Venkatasubramanian, t-closeness, ICDE 2007, section 4.
    """

    most: float
    whole: Counts
    order: npt.NDArray[np.intp] | None = None
    hierarchy: Hierarchy | None = None

    def accepts(self, counts: Counts) -> npt.NDArray[np.bool_]:
        return np.asarray(self.distances(counts) <= self.most + _ROUNDING)

    def distances(self, counts: Counts) -> Counts:
        """From each class to the whole, ``(classes,)``."""
        excess = counts / counts.sum(1, keepdims=True) - self.whole
        if self.order is not None:
            steps = max(1, excess.shape[1] - 1)
            return np.asarray(np.abs(np.cumsum(excess[:, self.order], axis=1)[:, :-1]).sum(1) / steps)
        if self.hierarchy is not None:
            return _through_tree(excess, self.hierarchy)
        return np.asarray(np.abs(excess).sum(1) / 2)


def _through_tree(excess: Counts, hierarchy: Hierarchy) -> Counts:
    """What must pass through each node, by its height: the surplus below it that other leaves below it lack."""
    cost = np.zeros(len(excess))
    below, height = excess, hierarchy.levels - 1
    for level in range(1, hierarchy.levels):
        # nodes of the level beneath, by their parent
        first = np.unique(hierarchy.nodes[level - 1], return_index=True)[1]
        parent = hierarchy.nodes[level][first]
        joined = np.zeros((len(excess), parent.max() + 1))
        surplus, lack = joined.copy(), joined.copy()
        for child, above in enumerate(parent):
            joined[:, above] += below[:, child]
            surplus[:, above] += np.maximum(below[:, child], 0)
            lack[:, above] += np.maximum(-below[:, child], 0)
        cost += np.minimum(surplus, lack).sum(1) * level / height
        below = joined
    return cost


def rank(values: tuple[str, ...]) -> npt.NDArray[np.intp]:
    """The order of values for the ordered distance: numbers by size, all else by text."""
    numbers = numbers_of(values)
    keys: Any = numbers if numbers is not None else np.array(values)
    return np.argsort(keys, kind="stable")
