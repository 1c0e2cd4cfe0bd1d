"""Tables into files: whole or not there."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import numpy as np

from hauberk.core.errors import DependencyMissing
from hauberk.core.files import file_aside
from hauberk.privacy.tables.reading import PARQUET
from hauberk.privacy.tables.table import Column, Table

_ROWS = 1 << 16  # written at a time, so that the text of a large table never stands in memory


def write_table(path: str | Path, table: Table, *, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    """CSV with a line of names and ``\\n`` ends, or Parquet by the file's name.

    Raises:
        EnvironmentFailure: the disk is full or the folder cannot be written; nothing is left behind.
        DependencyMissing: Parquet without pyarrow.
    """
    path = Path(path)
    parquet = path.suffix.lower() in PARQUET
    if parquet:
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise DependencyMissing.extra("writing Parquet", "parquet") from None
    with file_aside(path) as handle, os.fdopen(handle, "wb", closefd=False) as file:
        if parquet:
            _write_parquet(file, table)
        else:
            _write_csv(file, table, encoding, delimiter)
    return path


def _write_csv(file: io.BufferedWriter, table: Table, encoding: str, delimiter: str) -> None:
    # a text is quoted once, not in every row that holds it
    quoted = [
        np.array([_cell(text, delimiter) for text in one.values], object) for one in table.columns.values()
    ]
    file.write((delimiter.join(_cell(name, delimiter) for name in table.names) + "\n").encode(encoding))
    encoding = encoding.removesuffix("-sig")  # the mark stands once
    for start in range(0, len(table), _ROWS):
        cells = [
            texts[one.codes[start : start + _ROWS]].tolist()
            for texts, one in zip(quoted, table.columns.values(), strict=True)
        ]
        file.write(("\n".join(map(delimiter.join, zip(*cells, strict=True))) + "\n").encode(encoding))


def _cell(text: str, delimiter: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter).writerow([text, ""])
    return line.getvalue().removesuffix("\r\n").removesuffix(delimiter)


def _write_parquet(file: io.BufferedWriter, table: Table) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def arrow(column: Column) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(column.codes), pa.array(column.values, pa.string()))

    pq.write_table(pa.table({name: arrow(column) for name, column in table.columns.items()}), file)
