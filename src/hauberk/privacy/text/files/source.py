"""What is read: one file in one format, in chunks of bounded size that can be worked on apart.

    for chunk in open_source("customers.csv").chunks():
        for record in chunk.records():
            for cell in record.cells:
                cell.text, cell.column, cell.place(start, end)

Where a chunk ends follows from the file alone, so that what is made of it does not depend on who works on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from hauberk.core.encodings import TextFile, inspect
from hauberk.core.errors import ConfigError, check_known
from hauberk.core.settings import require_count
from hauberk.privacy.text.files.cell import Cell
from hauberk.privacy.text.files.delimited import Delimited
from hauberk.privacy.text.files.json_text import JsonText
from hauberk.privacy.text.files.lines import LONGEST_LINE
from hauberk.privacy.text.files.plain import Plain

CHUNK = 1 << 18
"""Characters of a chunk: enough work to be worth sending to another process, little enough to hold dozens."""

FORMATS = ("text", "csv", "jsonl", "json", "parquet")
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
}


class Layout(Protocol):
    """How the records of a text file are written."""

    @property
    def name(self) -> str: ...

    def records(self, file: TextFile, longest: int) -> Iterator[tuple[int, str]]: ...

    def cells(self, record: str, line: int) -> list[Cell]: ...

    def rewrite(self, record: str, cells: Sequence[Cell], texts: Sequence[str | None]) -> str: ...


class Record(NamedTuple):
    """A line, a row or a document: its cells belong to one another."""

    raw: str
    cells: list[Cell]


@dataclass(frozen=True)
class Chunk:
    """Some records in order.

    Args:
        raw: each as it is written, ``(line, record)``.
    """

    layout: Layout
    raw: tuple[tuple[int, str], ...]

    def records(self) -> list[Record]:
        """The same, taken apart.

        Raises:
            DataError: a record that is not in the file's format.
        """
        return [Record(raw, self.layout.cells(raw, line)) for line, raw in self.raw]


@dataclass(frozen=True)
class Reading:
    """How files are read, where they do not say it themselves.

    Args:
        format: one of ``FORMATS`` for all files; None to go by their names, other names being text.
        encoding: ``utf-8`` or ``gb18030``; None to find out.
        delimiter: of CSV; None to find out from the header.
        header: whether a CSV file's first row names the columns.
        ragged: take CSV rows of any length.
        longest_line: characters of a line, row or document at most.

    Raises:
        ConfigError: another format, or a limit that is no number.
    """

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool = True
    ragged: bool = False
    longest_line: int = LONGEST_LINE

    def __post_init__(self) -> None:
        if self.format is not None:
            check_known([self.format], FORMATS, what="format", where="reading")
        require_count("longest_line", self.longest_line, "reading")

    def format_of(self, path: Path) -> str:
        return self.format or _SUFFIXES.get(path.suffix.lower(), "text")

    def open(self, path: Path) -> TextSource:
        """A text file, inspected.

        Raises:
            DataError: as ``inspect`` and the formats say.
        """
        kind = self.format_of(path)
        if kind == "parquet":
            raise ConfigError(f"{path} is Parquet, which is no text")
        file = inspect(path, self.encoding)
        layout: Layout = Plain()
        if kind == "csv":
            tab = "\t" if path.suffix.lower() == ".tsv" else None
            layout = Delimited.of(
                file,
                self.longest_line,
                delimiter=self.delimiter or tab,
                header=self.header,
                ragged=self.ragged,
            )
        elif kind in ("jsonl", "json"):
            layout = JsonText(whole=kind == "json")
        return TextSource(file, layout, self.longest_line)


@dataclass(frozen=True)
class TextSource:
    """A text file whose encoding and layout are known."""

    file: TextFile
    layout: Layout
    longest_line: int = LONGEST_LINE

    def chunks(self) -> Iterator[Chunk]:
        """The whole file, each record once."""
        held: list[tuple[int, str]] = []
        size = 0
        for line, record in self.layout.records(self.file, self.longest_line):
            if held and size + len(record) > CHUNK:
                yield Chunk(self.layout, tuple(held))
                held, size = [], 0
            held.append((line, record))
            size += len(record) + 1
        if held:
            yield Chunk(self.layout, tuple(held))


def open_source(path: str | Path, reading: Reading | None = None) -> TextSource:
    """A text, CSV or JSON file, ready to be read in chunks; raises as ``Reading.open``."""
    return (reading or Reading()).open(Path(path))
