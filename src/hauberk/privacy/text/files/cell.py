"""A cell: one piece of text that is looked at as a whole, and where it stands in the file.

A line of a text file is one cell; so is a field of a CSV row, a string of a JSON document, a value of a column.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Bare(str):
    """A text that is written as a number, without quotes, where the format tells numbers from text."""

    __slots__ = ()


class Place(NamedTuple):
    """Where something stands as the file is written: offsets in characters, ``end`` exclusive.

    Args:
        line: of the file, counted from 1; in a Parquet file the row.
        column: of a table, or None.
    """

    line: int
    start: int
    end: int
    column: str | None


class Cell(NamedTuple):
    """One text and its place.

    Args:
        text: what it says, without quotes and escapes.
        line: where it starts, from 1.
        start: offset of its first character in that line.
        column: name of its column, or None.
        raw: as it is written, where that differs from ``text``.
        unit: a pattern that matches what one character of ``text`` is written as in ``raw``.
        at: offset of its first character in its record.
        number: whether it is written as a number, where the format tells numbers from text.
        key: whether it is the name of a column or of a value, not a value.
    """

    text: str
    line: int
    start: int = 0
    column: str | None = None
    raw: str | None = None
    unit: re.Pattern[str] | None = None
    at: int = 0
    number: bool = False
    key: bool = False

    def place(self, start: int, end: int) -> Place:
        """Of the characters ``[start, end)`` of ``text``, as they are written.

        What goes over several lines ends, here, at the end of its first one.
        """
        if self.raw is None:
            return Place(self.line, self.start + start, self.start + end, self.column)
        first, last = self._written(start), self._written(end)
        before = self.raw[:first]
        skipped = before.count("\n")
        base = -(before.rfind("\n") + 1) if skipped else self.start
        newline = self.raw.find("\n", first, last)
        last = last if newline < 0 else newline
        return Place(self.line + skipped, base + first, base + last, self.column)

    def _written(self, offset: int) -> int:
        assert self.raw is not None
        if self.unit is None:
            return offset
        at = 0
        for _ in range(offset):
            found = self.unit.match(self.raw, at)
            if found is None:
                break
            at = found.end()
        return at
