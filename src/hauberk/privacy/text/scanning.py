"""Findings in files of text and tables, with the place of each in the file as it is written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hauberk.core.errors import ConfigError, DataError, check_known
from hauberk.privacy.text.detector import Detector
from hauberk.privacy.text.files import Cell, Chunk, Place, Reading, files_of
from hauberk.privacy.text.files.parquet import ParquetSource, records
from hauberk.privacy.text.finding import Finding


@dataclass(frozen=True)
class Located:
    """A finding and where it stands.

    Args:
        file: as it was given, or within the folder that was given.
        place: line or row from 1, offsets in the line as it is written, column.
        finding: in the text of its cell.
        text: what was found.
    """

    file: Path
    place: Place
    finding: Finding
    text: str = field(repr=False)

    def to_json(self, *, file: bool = False) -> dict[str, Any]:
        """As one JSON object; the text itself stays out.

        Args:
            file: name the file too, where there are several.
        """
        document: dict[str, Any] = {"file": str(self.file)} if file else {}
        document |= {"line": self.place.line, "start": self.place.start, "end": self.place.end}
        document |= {"type": self.finding.type, "score": round(self.finding.score, 3)}
        return document if self.place.column is None else document | {"column": self.place.column}


def scan_files(
    paths: Sequence[str | Path], detector: Detector | None = None, reading: Reading | None = None
) -> Iterator[Located]:
    """What is found in files, and in the files of folders, in order; columns are read under their names.

    Raises:
        DataError: a file that cannot be read as what it is.

    Cost: one pass; memory for a piece of 256 K characters and for the longest line.
    """
    detector, reading = detector or Detector(), reading or Reading()
    for path, _inner in [one for given in paths for one in files_of(Path(given))]:
        for rows in _pieces(path, reading):
            for cell, one in sorted(_found(rows, detector), key=lambda each: (each[0].line, each[0].start)):
                yield Located(path, cell.place(one.start, one.end), one, one.of(cell.text))


def _pieces(path: Path, reading: Reading) -> Iterator[list[list[Cell]]]:
    if reading.format_of(path) == "parquet":
        for table in ParquetSource.of(path).chunks():
            yield records(table, lambda column: None)
        return
    chunks: Iterator[Chunk] = reading.open(path).chunks()
    for chunk in chunks:
        yield [record.cells for record in chunk.records()]


def _found(rows: list[list[Cell]], detector: Detector) -> Iterator[tuple[Cell, Finding]]:
    by_column: dict[str | None, list[Cell]] = {}
    for cells in rows:
        for cell in cells:
            by_column.setdefault(cell.column, []).append(cell)
    for column, cells in by_column.items():
        label = (column or "").rsplit(".", 1)[-1]
        for cell, found in zip(cells, detector.find_all([one.text for one in cells], label=label), strict=True):
            for one in found:
                yield cell, one


def read_own(path: Path) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Own patterns and word lists from a TOML file with ``[patterns]`` and ``[words]``, both by type.

    Raises:
        DataError: not readable as TOML.
        ConfigError: something else stands in it.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"no file at {path}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} cannot be read as TOML: {str(error).splitlines()[0]}") from error
    check_known(document, ("patterns", "words"), what="section", where=str(path))
    patterns, words = document.get("patterns", {}), document.get("words", {})
    for name, one in (("patterns", patterns), ("words", words)):
        if not isinstance(one, dict):
            raise ConfigError(f"{path}: [{name}] must be a table of types")
    for type, pattern in patterns.items():
        if not isinstance(pattern, str):
            raise ConfigError(f"{path}: pattern '{type}' must be a string")
    for type, listed in words.items():
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise ConfigError(f"{path}: words '{type}' must be a list of strings")
    return patterns, {type: tuple(listed) for type, listed in words.items()}
