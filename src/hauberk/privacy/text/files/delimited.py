"""CSV and its kin: fields in rows, quoted where they must be, one name for each column.

A row may go over several lines, inside quotes. What is not treated stays as it is written, to the byte.

Source: RFC 4180; a quote inside a field that does not start with one is an ordinary character, as spreadsheets
and Python's ``csv`` read it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hauberk.core.encodings import TextFile
from hauberk.core.errors import ConfigError, DataError
from hauberk.privacy.text.files.cell import Cell
from hauberk.privacy.text.files.lines import body, lines, too_long

DELIMITERS = (",", ";", "\t", "|")
_CLOSING = re.compile(r'(?:[^"]++|"")*+"')
_CHARACTER = re.compile(r'""|.', re.DOTALL)
_EMPTY = ("", "\n", "\r\n", "\r")


@dataclass(frozen=True)
class Delimited:
    """Rows of fields.

    Args:
        columns: their names, from the header; numbers from 1 where there is none.
        delimiter: one of ``DELIMITERS``.
        header: whether the first row holds the names.
        ragged: take rows that are longer or shorter than the header; what is beyond it has no column.
    """

    columns: tuple[str, ...]
    delimiter: str = ","
    header: bool = True
    ragged: bool = False
    name = "csv"

    @classmethod
    def of(
        cls,
        file: TextFile,
        longest: int,
        *,
        delimiter: str | None = None,
        header: bool = True,
        ragged: bool = False,
    ) -> Delimited:
        """Read the header.

        Raises:
            DataError: a column that is named twice, or a quote that is never closed.
            ConfigError: a delimiter that is none.
        """
        if delimiter is not None and delimiter not in DELIMITERS:
            raise ConfigError(f"a delimiter is one of {', '.join(map(repr, DELIMITERS))}, got {delimiter!r}")
        first = next(_rows(file, longest, delimiter), (1, ""))[1]
        chosen = delimiter or max(DELIMITERS, key=body(first).count)
        found = [cell.text for cell in _split(first, 1, chosen)] if first else []
        if not header:
            return cls(tuple(str(number) for number in range(1, len(found) + 1)), chosen, False, ragged)
        for name in found:
            if found.count(name) > 1:
                raise DataError(
                    f"{file.path}: {found.count(name)} columns are named {name!r}",
                    hint="rename one of them, or take the first row for data: --no-header",
                )
        return cls(tuple(found), chosen, True, ragged)

    def records(self, file: TextFile, longest: int) -> Iterator[tuple[int, str]]:
        """``(line, row)``: where it starts, and all of it.

        Raises:
            DataError: a ragged row, a quote that is never closed, or a row that is too long.
        """
        for number, row in _rows(file, longest, self.delimiter):
            if not self.ragged and row not in _EMPTY:
                self._check_width(file, number, row)
            yield number, row

    def _check_width(self, file: TextFile, number: int, row: str) -> None:
        width = len(_split(row, number, self.delimiter)) if '"' in row else row.count(self.delimiter) + 1
        if width != len(self.columns):
            raise DataError(
                f"{file.path}, line {number}: {width} fields, the first row has {len(self.columns)}",
                hint="mend the row, or take rows of any length: --ragged",
                line=number,
            )

    def cells(self, record: str, line: int) -> list[Cell]:
        """One for each field; those of the header are keys."""
        return _split(record, line, self.delimiter, self.columns, is_header=self.header and line == 1)

    def rewrite(self, record: str, cells: Sequence[Cell], texts: Sequence[str | None]) -> str:
        """The row with new texts; None leaves a field out, with its place."""
        size = len(body(record))
        if not size:
            return record
        fields = [
            text if text is cell.text and cell.raw is None else self._field(cell, text)
            for cell, text in zip(cells, texts, strict=True)
            if text is not None
        ]
        return self.delimiter.join(fields) + record[size:]

    def _field(self, cell: Cell, text: str) -> str:
        quoted = cell.raw is not None
        if text == cell.text:
            return f'"{cell.raw}"' if quoted else text
        if quoted or self.delimiter in text or "\n" in text or "\r" in text or text.startswith('"'):
            return '"' + text.replace('"', '""') + '"'
        return text


def _rows(file: TextFile, longest: int, delimiter: str | None) -> Iterator[tuple[int, str]]:
    """Lines, those joined that a quoted field goes over."""
    held: list[str] = []
    size, first = 0, 1
    for number, line in enumerate(lines(file, longest), 1):
        if not held and '"' not in line:
            yield number, line
            continue
        if not held:
            first = number
        held.append(line)
        size += len(line)
        if size > longest + 2:
            raise too_long(file, first, longest, "the row, or a quote that is never closed,")
        if not _open(line, delimiter, inside=len(held) > 1):
            yield first, "".join(held)
            held, size = [], 0
    if held:
        raise DataError(f"{file.path}, line {first}: a quoted field is never closed", line=first)


def _open(line: str, delimiter: str | None, *, inside: bool) -> bool:
    """Whether a quoted field goes on behind this line, ``inside`` saying whether it starts in one."""
    at = 0
    if inside:
        found = _CLOSING.match(line)
        if found is None:
            return True
        at = found.end()
    marks = delimiter or "".join(DELIMITERS)
    starts = inside
    while True:
        if starts:  # behind a closed field: on to the next one
            at = _next(line, at, marks)
        if at < 0:
            return False
        starts = True
        if line[at : at + 1] == '"':
            found = _CLOSING.match(line, at + 1)
            if found is None:
                return True
            at = found.end()


def _next(line: str, at: int, marks: str) -> int:
    """Where the next field starts, or -1."""
    found = [place for mark in marks if (place := line.find(mark, at)) >= 0]
    return min(found) + 1 if found else -1


def _split(
    row: str, line: int, delimiter: str, columns: Sequence[str] = (), *, is_header: bool = False
) -> list[Cell]:
    text = body(row)
    cells: list[Cell] = []
    names = itertools.chain(columns, itertools.repeat(None))
    if '"' not in text:
        at = 0
        for field, name in zip(text.split(delimiter), names, strict=False):
            cells.append(Cell(field, line, at, name, None, None, 0, False, is_header))
            at += len(field) + 1
        return cells
    at, size = 0, len(text)
    newlines, since = 0, 0  # so far in this row, and where its last line starts
    while True:
        where = at - since
        if text.startswith('"', at):
            found = _CLOSING.match(text, at + 1)
            close = found.end() - 1 if found else size
            end = text.find(delimiter, close)
            end = size if end < 0 else end
            raw = text[at + 1 : close]
            behind = text[close + 1 : end]
            said = raw.replace('""', '"') + behind
            raw = raw + behind.replace('"', '""')
            unit = _CHARACTER if '""' in raw else None
            cells.append(Cell(said, line + newlines, where + 1, next(names), raw, unit, key=is_header))
            if "\n" in raw:
                newlines += raw.count("\n")
                since = at + 1 + raw.rfind("\n") + 1
        else:
            end = text.find(delimiter, at)
            end = size if end < 0 else end
            cells.append(Cell(text[at:end], line + newlines, where, next(names), key=is_header))
        if end >= size:
            return cells
        at = end + 1
