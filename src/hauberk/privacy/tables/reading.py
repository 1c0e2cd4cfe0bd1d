"""Tables from files: CSV in any usual dress, and Parquet; read at once, column by column, or not at all.

CSV goes through pyarrow where it is installed, block by block, so that the text of the whole file never
stands in memory; else, and wherever pyarrow stumbles, through Python's own reader, which is slower and says
which row is wrong.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from hauberk.core.encodings import inspect
from hauberk.core.errors import ConfigError, DataError, DependencyMissing, EnvironmentFailure
from hauberk.privacy.tables.table import Codes, Column, Table, check_columns, narrow

DELIMITERS = ",;\t|"
LONGEST_LINE = 1 << 22  # characters; a longer one is no table
_BLOCK = 1 << 20
PARQUET = (".parquet", ".pq")


def read_table(
    path: str | Path, columns: Sequence[str] = (), *, encoding: str | None = None, delimiter: str | None = None
) -> Table:
    """The named columns of a file, or all of them.

    Args:
        path: CSV with a line of names first, or Parquet (``.parquet``, ``.pq``).
        columns: what to read, in the order wanted; every column where empty.
        encoding: of CSV; UTF-8 or GB18030, found out, where None. A byte-order mark is left out.
        delimiter: of CSV; the most frequent of ``, ; tab |`` in the line of names where None.

    Raises:
        DataError: no such file, no rows, a ragged row, a column named twice, bytes that are not ``encoding``, a
            line of more than 4 million characters.
        UnknownName: a column that the file lacks.
        ConfigError: an encoding that does not exist.
        DependencyMissing: Parquet without pyarrow.

    Cost: one pass; one, two or four bytes a cell, and each distinct text once.
    """
    path = Path(path)
    if path.suffix.lower() in PARQUET:
        return _read_parquet(path, columns)
    codec = encoding_of(path, encoding)
    names, delimiter = header(path, encoding=codec, delimiter=delimiter)
    chosen = tuple(columns) or names
    check_columns(chosen, names, where=path.name)
    table = _read_fast(path, chosen, _codec(codec), delimiter) or _read_slowly(
        path, names, chosen, _codec(codec), delimiter
    )
    if not len(table):
        raise DataError(f"{path} has no rows", path=str(path))
    return table


def encoding_of(path: str | Path, encoding: str | None = None) -> str:
    """The codec of a CSV, by which it is written again too: ``utf-8-sig`` where it has a byte-order mark.

    Args:
        encoding: what is known of it; nothing is looked up then.

    Raises:
        DataError: no such file, or one that is neither UTF-8 nor GB18030; the message names line and byte.
        ConfigError: an encoding that does not exist.
    """
    path = Path(path)
    if encoding is not None:
        _codec(encoding)
        return encoding
    if path.suffix.lower() in PARQUET:
        return "utf-8"
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table", path=str(path))
    if not path.exists():
        raise DataError(f"no table at {path}", path=str(path))
    return inspect(path).codec


def header(
    path: str | Path, *, encoding: str = "utf-8", delimiter: str | None = None
) -> tuple[tuple[str, ...], str]:
    """The names in a CSV's first line, and what parts them."""
    with _opened(Path(path), _codec(encoding)) as file:
        first = next(_lines(file, Path(path)), "")
    if not first.strip():
        raise DataError(f"{path} is empty: a table begins with a line of column names", path=str(path))
    if delimiter is None:
        delimiter = max(DELIMITERS, key=first.count)
    elif len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigError(f"a delimiter is one character, got {delimiter!r}")
    return tuple(next(csv.reader([first], delimiter=delimiter))), delimiter


def column_names(path: str | Path, *, encoding: str = "utf-8", delimiter: str | None = None) -> tuple[str, ...]:
    """Of CSV or Parquet, without reading the rows; raises as ``read_table``."""
    path = Path(path)
    if path.suffix.lower() in PARQUET:
        with _parquet(path) as file:
            return tuple(file.schema_arrow.names)
    return header(path, encoding=encoding, delimiter=delimiter)[0]


def _codec(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ConfigError(f"unknown encoding '{encoding}'", hint="utf-8 or gb18030") from None
    return "utf-8-sig" if name == "utf-8" else name


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[TextIO]:
    try:
        with open(path, encoding=encoding, newline="") as file:
            yield file
    except FileNotFoundError:
        raise DataError(f"no table at {path}", path=str(path)) from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder, not a table", path=str(path)) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not {encoding.removesuffix('-sig')}: {error.reason}",
            hint="--encoding gb18030, for example",
        ) from error
    except OSError as error:
        raise EnvironmentFailure(f"could not read {path}: {error.strerror}") from error


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """Line by line, none of them longer than memory can take."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise DataError(f"{path}, line {number}: longer than {LONGEST_LINE} characters; not a table")
        yield line


def _read_slowly(
    path: Path, names: Sequence[str], chosen: Sequence[str], encoding: str, delimiter: str
) -> Table:
    where = [names.index(name) for name in chosen]
    known: list[dict[str, int]] = [{} for _ in chosen]
    codes: list[list[int]] = [[] for _ in chosen]
    with _opened(path, encoding) as file:
        rows = csv.reader(_lines(file, path), delimiter=delimiter, strict=True)
        number = 0
        try:
            next(rows)
            for row in rows:
                if not row:
                    continue
                number += 1
                if len(row) != len(names):
                    raise DataError(
                        f"{path}, row {number} (line {rows.line_num}): {len(row)} cells, {len(names)} names",
                        row=number,
                    )
                for index, words, listed in zip(where, known, codes, strict=True):
                    listed.append(words.setdefault(row[index], len(words)))
        except csv.Error as error:
            raise DataError(f"{path}, line {rows.line_num}: {error}") from error
    made = zip(chosen, known, codes, strict=True)
    return Table(
        {name: Column(tuple(words), narrow(np.array(listed), len(words))) for name, words, listed in made}
    )


def _read_fast(path: Path, chosen: Sequence[str], encoding: str, delimiter: str) -> Table | None:
    """With pyarrow; None where it is absent or finds fault, which the slow reader then names."""
    try:
        import pyarrow as pa
        from pyarrow import csv as arrow
    except ImportError:
        return None
    if _open_quote(path):
        return None  # pyarrow would take the rest of the file for one cell
    words = pa.dictionary(pa.int32(), pa.string())
    try:
        batches = arrow.open_csv(
            str(path),
            arrow.ReadOptions(block_size=_BLOCK, encoding="utf8" if encoding == "utf-8-sig" else encoding),
            arrow.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            arrow.ConvertOptions(
                include_columns=list(chosen),
                column_types=dict.fromkeys(chosen, words),
                strings_can_be_null=False,
            ),
        )
        table = _gather(chosen, batches)
        del batches
        pa.default_memory_pool().release_unused()  # what the blocks took is wanted for anonymising
        return table
    except (pa.ArrowException, UnicodeError):
        return None


def _open_quote(path: Path) -> bool:
    count = 0
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            count += block.count(b'"')
    return count % 2 == 1


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DependencyMissing.extra("reading Parquet", "parquet") from None
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError:
        raise DataError(f"no table at {path}", path=str(path)) from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} is not a Parquet table of plain values: {reason}") from error


def _read_parquet(path: Path, columns: Sequence[str]) -> Table:
    with _parquet(path) as file:
        names = file.schema_arrow.names
        chosen = tuple(columns) or tuple(names)
        check_columns(chosen, names, where=path.name)
        table = _gather(chosen, file.iter_batches(columns=list(chosen)))
    if not len(table):
        raise DataError(f"{path} has no rows", path=str(path))
    return table


def _gather(names: Sequence[str], batches: Any) -> Table:
    """Batches of Arrow columns as one coded table."""
    import pyarrow as pa

    known: list[dict[str, int]] = [{} for _ in names]
    codes: list[list[Codes]] = [[] for _ in names]
    for batch in batches:
        for name, words, listed in zip(names, known, codes, strict=True):
            column = batch.column(name)
            if not pa.types.is_dictionary(column.type):
                column = column.cast(pa.string()).fill_null("").dictionary_encode()
            texts = column.dictionary.to_pylist()
            moved = np.array([words.setdefault(text, len(words)) for text in texts], np.int32)
            listed.append(narrow(moved, len(words))[column.indices.to_numpy(zero_copy_only=False)])
    none = np.zeros(0, np.uint8)
    made = zip(names, known, codes, strict=True)
    return Table({name: Column(tuple(words), np.concatenate([none, *listed])) for name, words, listed in made})
