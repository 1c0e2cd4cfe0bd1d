"""Text files: each line is a cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hauberk.core.encodings import TextFile
from hauberk.privacy.text.files.cell import Cell
from hauberk.privacy.text.files.lines import body, lines


@dataclass(frozen=True)
class Plain:
    """A text file: as many lines afterwards as before."""

    name = "text"

    def records(self, file: TextFile, longest: int) -> Iterator[tuple[int, str]]:
        """``(line, record)``, a record being a line with its end."""
        yield from enumerate(lines(file, longest), 1)

    def cells(self, record: str, line: int) -> list[Cell]:
        return [Cell(body(record), line)]

    def rewrite(self, record: str, cells: Sequence[Cell], texts: Sequence[str | None]) -> str:
        return (texts[0] or "") + record[len(cells[0].text) :]
