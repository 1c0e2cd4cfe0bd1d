"""What a published cell means: which values it may stand for, read from its text alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from hauberk.core.errors import IntegrityError

Path = tuple[str, ...]


@dataclass(frozen=True)
class Meaning:
    """Of one column.

    Args:
        name: the column's.
        paths: from each value to ``*``, as a hierarchy's file says it.
        present: the values that stand in the original table.

    A cell is a value, a label of the hierarchy, a set ``{a, b}``, or an interval ``[low, high]`` or ``[low,
    high)``.
    """

    name: str
    paths: Sequence[Path]
    present: frozenset[str]
    _under: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        found: dict[str, set[str]] = {}
        for path in self.paths:
            for label in path:
                found.setdefault(label, set()).add(path[0])
        self._under.update({label: frozenset(values) for label, values in found.items()})

    def values(self, cell: str) -> frozenset[str]:
        """The values that the cell may stand for.

        Raises:
            IntegrityError: a cell that means nothing.
        """
        if cell in self._under:
            return self._under[cell]
        if cell.startswith("{") and cell.endswith("}"):
            return frozenset(cell[1:-1].split(", "))
        bounds = self._bounds(cell)
        if bounds is None:
            raise IntegrityError(f"column '{self.name}': the cell '{cell}' means nothing")
        low, high = bounds
        return frozenset(value for value in self._under["*"] if low <= _place(value) <= high)

    def lost(self, cell: str) -> float:
        """The share of everything that the cell leaves open (NCP), in [0, 1].

        0 for a single value. A label: the values under it by all values of the hierarchy. An interval: its
        length by the distance of the smallest and the largest value present. A set: its values by all values
        present.
        """
        bounds = None if cell == "*" else self._bounds(cell)
        if bounds is not None:
            places = [_place(value) for value in self.present]
            whole = max(places) - min(places)
            return min(1.0, (bounds[1] - bounds[0]) / whole) if whole else 0.0
        values = self.values(cell)
        if len(values) == 1:
            return 0.0
        everything = len(self._under["*"]) if cell in self._under else len(self.present)
        return len(values) / everything

    def _bounds(self, cell: str) -> tuple[float, float] | None:
        low, comma, high = cell[1:-1].partition(", ")
        if not comma or cell[0] != "[" or cell[-1] not in "])":
            return None
        try:
            return _place(low), _place(high)
        except ValueError:
            return None


def _place(text: str) -> float:
    """Of a number or a date on its line."""
    try:
        return float(text)
    except ValueError:
        return float(date.fromisoformat(text).toordinal())
