"""JSON lines, and whole JSON documents: every string, key and number is a cell, and the rest stays as it is.

A value's column is the path of keys that leads to it, ``customer.phone``; lists do not count. Numbers are cells
too, since telephone numbers are often written as numbers.

Source: RFC 8259.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hauberk.core.encodings import TextFile
from hauberk.core.errors import DataError
from hauberk.privacy.text.files.cell import Bare, Cell
from hauberk.privacy.text.files.lines import lines, too_long

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]++|\\.)*+")|(?P<number>-?[0-9][0-9.eE+-]*)|(?P<mark>[{}\[\],:])|(?P<word>[a-z]+)'
)
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)


@dataclass(frozen=True)
class JsonText:
    """JSON: one document a line, or one in the whole file.

    Args:
        whole: take the file for one document, of bounded length.
    """

    whole: bool = False
    name = "json"

    def records(self, file: TextFile, longest: int) -> Iterator[tuple[int, str]]:
        """``(line, document)``; an empty line is a record without cells.

        Raises:
            DataError: a document that is no JSON, or too long.
        """
        if not self.whole:
            yield from enumerate(lines(file, longest), 1)
            return
        held: list[str] = []
        size = 0
        for line in lines(file, longest):
            size += len(line)
            if size > longest:
                raise too_long(file, 1, longest, "the document")
            held.append(line)
        if held:
            yield 1, "".join(held)

    def cells(self, record: str, line: int) -> list[Cell]:
        """Strings, keys and numbers, in order.

        Raises:
            DataError: no JSON.
        """
        if not record.strip():
            return []
        try:
            json.loads(record)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            at = error.colno if isinstance(error, json.JSONDecodeError) else 1
            raise DataError(f"line {line} is not JSON: {reason} at character {at}", line=line) from None
        return list(_cells(record, line))

    def rewrite(self, record: str, cells: Sequence[Cell], texts: Sequence[str | None]) -> str:
        """The document with new texts; None becomes ``null``. A number that changes becomes a string, unless it
        is ``Bare``.

        Raises:
            DataError: two keys of one object became the same.
        """
        if not cells:
            return record
        out: list[str] = []
        at = 0
        for cell, text in zip(cells, texts, strict=True):
            if text == cell.text:
                continue
            outer = 0 if cell.number else 1  # its quotes
            length = len(cell.text if cell.raw is None else cell.raw)
            out.append(record[at : cell.at - outer])
            out.append(_written(text, record))
            at = cell.at + length + outer
        if not out:
            return record
        made = "".join(out) + record[at:]
        _check_keys(made, cells[0].line)
        return made


def _written(text: str | None, record: str) -> str:
    if text is None or isinstance(text, Bare):
        return text or "null"
    return json.dumps(text, ensure_ascii=record.isascii())


def _check_keys(made: str, line: int) -> None:
    def pairs(items: list[tuple[str, object]]) -> None:
        if len({name for name, _value in items}) < len(items):
            raise DataError(
                f"line {line}: two keys of one object are the same, or became it when they were treated",
                hint="keys that tell about people need an action that keeps them apart: a pseudonym",
                line=line,
            )

    json.loads(made, object_pairs_hook=pairs)


def _cells(record: str, line: int) -> Iterator[Cell]:
    path: list[str] = []  # one entry for each object that is open
    kinds: list[str] = []  # { or [ for each container
    expects_key = False
    since = 0  # where the current line starts
    at = 0
    for found in _TOKEN.finditer(record):
        between = record.count("\n", at, found.start())
        if between:
            line += between
            since = record.rfind("\n", at, found.start()) + 1
        at = found.start()
        kind, word = found.lastgroup, found.group()
        if kind == "string":
            raw = word[1:-1]
            text = json.loads(word) if "\\" in raw else raw
            start = at + 1 - since
            if expects_key:
                path[-1] = text
                expects_key = False
                yield Cell(text, line, start, None, raw, _unit(raw), at + 1, key=True)
            else:
                yield Cell(text, line, start, ".".join(path) or None, raw, _unit(raw), at + 1)
        elif kind == "number":
            yield Cell(word, line, at - since, ".".join(path) or None, at=at, number=True)
        elif word == "{":
            kinds.append(word)
            path.append("")
            expects_key = True
        elif word == "[":
            kinds.append(word)
        elif word in "}]":
            if kinds.pop() == "{":
                path.pop()
            expects_key = False
        elif word == ",":
            expects_key = kinds[-1] == "{"


def _unit(raw: str) -> re.Pattern[str] | None:
    return _CHARACTER if "\\" in raw else None
