"""A table held column by column, every cell a small number that stands for its text.

People's tables repeat themselves: a million rows of a census hold a few hundred distinct texts. Coded, they
take a byte or two a cell, and whatever looks at values looks at each of them once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.core.errors import DataError, check_known

Codes = npt.NDArray[np.integer[Any]]
MISSING = ""


def narrow(codes: npt.NDArray[Any], distinct: int) -> Codes:
    """Numbers below ``distinct`` in as few bytes as they take."""
    return np.asarray(codes, np.min_scalar_type(max(0, distinct - 1)))


@dataclass(frozen=True)
class Column:
    """One column: ``values[codes[row]]`` is the text of a cell, ``""`` where nothing stands.

    Args:
        values: the distinct texts.
        codes: one for each row, whole numbers in as few bytes as they take, ``(rows,)``.
    """

    values: tuple[str, ...]
    codes: Codes

    @classmethod
    def of(cls, texts: Iterable[str]) -> Column:
        """From the text of every row; values in the order in which they come."""
        known: dict[str, int] = {}
        codes = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32)
        return cls(tuple(known), narrow(codes, len(known)))

    def texts(self) -> list[str]:
        """Every row's text."""
        return [self.values[code] for code in self.codes.tolist()]

    def take(self, rows: npt.NDArray[Any]) -> Column:
        return Column(self.values, self.codes[rows])

    def compact(self) -> Column:
        """Without values that no row holds."""
        used, codes = np.unique(self.codes, return_inverse=True)
        return Column(tuple(self.values[code] for code in used.tolist()), narrow(codes, len(used)))

    def missing(self) -> npt.NDArray[np.bool_]:
        """Which rows hold nothing, shape ``(rows,)``."""
        if MISSING not in self.values:
            return np.zeros(len(self.codes), bool)
        return np.asarray(self.codes == self.values.index(MISSING))


@dataclass(frozen=True)
class Table:
    """Columns of one length, in the order of the file."""

    columns: Mapping[str, Column]

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[object]]) -> Table:
        """From plain values by column; tests and small programs use it."""
        return cls({name: Column.of(map(str, cells)) for name, cells in columns.items()})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).codes) if self.columns else 0

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def take(self, rows: npt.NDArray[Any]) -> Table:
        return Table({name: column.take(rows) for name, column in self.columns.items()})


def check_columns(wanted: Iterable[str], names: Sequence[str], *, where: str) -> None:
    """Refuse the first column that the table lacks, with the nearest that it has.

    Raises:
        UnknownName: a column that does not exist.
        DataError: the table names a column twice, or leaves one without a name.
    """
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise DataError(f"{where}: column {len(seen) + 1} has no name")
        if name in seen:
            raise DataError(f"{where}: column '{name}' is named twice", column=name)
        seen.add(name)
    check_known(wanted, names, what="column", where=where)
