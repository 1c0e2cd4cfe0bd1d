"""What is written into the cells of a class: a node of the hierarchy, or exactly the values that the class
holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hauberk.core.errors import DataError
from hauberk.privacy.tables.cover import Classes
from hauberk.privacy.tables.hierarchies import Hierarchy
from hauberk.privacy.tables.table import Codes, Column

_MARKS = ("{", "[", ", ")  # by which a set or an interval is told from a value


def node_cells(hierarchy: Hierarchy, leaves: Codes, levels: npt.NDArray[np.int8]) -> Column:
    """For every class the label of its node.

    Args:
        leaves: a leaf of each class, ``(classes,)``.
        levels: of each class, ``(classes,)``.
    """
    labels = hierarchy.labels
    return Column.of(labels[level][leaf] for level, leaf in zip(levels.tolist(), leaves.tolist(), strict=True))


def set_cells(hierarchy: Hierarchy, leaves: Codes, classes: Classes, *, name: str) -> Column:
    """For every class its values: ``a``, ``{a, b}``, and of numbers and dates ``[low, high]``, both included.

    Args:
        leaves: of every combination, ``(distinct,)``.

    Raises:
        DataError: a value that could be taken for a set.
    """
    for text in hierarchy.leaves:
        if text.startswith(_MARKS[:2]) or _MARKS[2] in text:
            raise DataError(
                f"column '{name}': '{text}' could be taken for a set",
                hint="choose --output hierarchy",
                value=text,
            )
    placed = classes.of >= 0
    width = len(hierarchy.leaves)
    pairs = np.unique(classes.of[placed] * width + leaves[placed])
    members = np.split(pairs % width, np.searchsorted(pairs, width * np.arange(1, len(classes.sizes))))
    return Column.of(_text(hierarchy, one) for one in members)


def _text(hierarchy: Hierarchy, members: npt.NDArray[np.intp]) -> str:
    if len(members) == 1:
        return hierarchy.leaves[int(members[0])]
    if hierarchy.positions is None:
        return "{" + ", ".join(hierarchy.leaves[one] for one in members) + "}"
    places = hierarchy.positions[members]
    low, high = (hierarchy.leaves[members[one]] for one in (places.argmin(), places.argmax()))
    return f"[{low}, {high}]"
