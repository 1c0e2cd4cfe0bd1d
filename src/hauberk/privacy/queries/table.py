"""The data as questions see it: every value within its declaration, and no person with more rows than declared.

Treatment comes before everything else, and looks at one row at a time, so that what one person's rows become
does not depend on anybody else's.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.core.encodings import decoded
from hauberk.core.errors import DataError, DependencyMissing, check_known
from hauberk.core.files import read_bytes
from hauberk.privacy.queries.description import ROW, Column, Description

Array = npt.NDArray[Any]
UNDECLARED = -1  # the code of a category's value that belongs to no group


@dataclass(frozen=True)
class Treated:
    """How many values of a column were changed; for the data's steward alone, since these figures are exact."""

    missing: int = 0
    moved: int = 0


@dataclass(frozen=True)
class Table:
    """Treated columns.

    Args:
        columns: numbers as float64 within bounds, categories as their place among the declared values or -1,
            open columns as texts.
        rows: how many are left.
        left_out: rows beyond what one person may have.
        treated: by column.
    """

    columns: Mapping[str, Array]
    rows: int
    left_out: int
    treated: Mapping[str, Treated]


def data_seal(data: bytes, salt: bytes) -> str:
    """By which data are known again. It has a secret salt, as a plain digest would confirm a right guess."""
    return hmac.digest(salt, hashlib.sha256(data).digest(), "sha256").hex()


def read(path: str | Path) -> bytes:
    """The bytes of a data set."""
    return read_bytes(path, what="data set")


def table_of(path: str | Path, data: bytes, description: Description) -> Table:
    """Parse and treat.

    Raises:
        DataError: broken encoding, ragged rows, a column that stands twice or is missing, no rows.
    """
    wanted = [*description.columns, *([] if description.unit == ROW else [description.unit])]
    source = _parquet if Path(path).suffix == ".parquet" else _csv
    texts = source(Path(path), data, wanted)
    count = len(texts[wanted[0]])
    kept: Any = slice(None)
    left_out = 0
    if description.unit != ROW:
        keep = first_rows(texts.pop(description.unit), description.most_rows)
        kept, left_out = keep, int(count - keep.sum())
    columns, treated = {}, {}
    for name, column in description.columns.items():
        columns[name], treated[name] = treat(column, texts[name])
        columns[name] = columns[name][kept]
    return Table(columns, count - left_out, left_out, treated)


def first_rows(people: Sequence[str], most: int) -> npt.NDArray[np.bool_]:
    """Which rows stay when each person keeps the first ``most``; rows without a name are one person's."""
    seen: dict[str, int] = {}
    keep = np.zeros(len(people), bool)
    for place, person in enumerate(people):
        seen[person] = seen.get(person, 0) + 1
        keep[place] = seen[person] <= most
    return keep


def treat(column: Column, texts: Sequence[str]) -> tuple[Array, Treated]:
    """A column's values within its declaration."""
    if column.kind == "open":
        return np.array([one.strip() for one in texts], object), Treated()
    if column.kind == "category":
        return _codes(column, texts)
    values = np.fromiter((_number(one) for one in texts), float, len(texts))
    missing = np.isnan(values)
    values[missing] = column.missing
    within = np.clip(values, column.low, column.high)
    return within, Treated(int(missing.sum()), int((within != values).sum()))


def _codes(column: Column, texts: Sequence[str]) -> tuple[Array, Treated]:
    places = {value: place for place, value in enumerate(column.values)}
    instead = places[str(column.missing)] if column.missing is not None else UNDECLARED
    stripped = [one.strip() for one in texts]
    codes = np.fromiter((places.get(one, UNDECLARED) for one in stripped), np.int64, len(texts))
    strange = codes == UNDECLARED
    empty = np.fromiter((not one for one in stripped), bool, len(texts)) & strange
    codes[strange] = instead
    return codes, Treated(int(empty.sum()), int((strange & ~empty).sum()))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _csv(path: Path, data: bytes, wanted: Sequence[str]) -> dict[str, list[str]]:
    rows = csv.reader(io.StringIO(decoded(path, data), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        places = _places(path, header, wanted)
        columns: dict[str, list[str]] = {name: [] for name in wanted}
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise DataError(f"{path}, line {rows.line_num}: {len(row)} fields instead of {len(header)}")
            for name, place in places.items():
                columns[name].append(row[place])
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: not readable as CSV ({error})") from error
    if not columns[wanted[0]]:
        raise DataError(f"{path} has no rows")
    return columns


def _places(path: Path, header: Sequence[str], wanted: Iterable[str]) -> dict[str, int]:
    twice = sorted({one for one in header if header.count(one) > 1})
    if twice:
        raise DataError(f"{path}: column '{twice[0]}' stands twice")
    check_known(wanted, header, what="column", where=str(path))
    return {name: header.index(name) for name in wanted}


def _parquet(path: Path, data: bytes, wanted: Sequence[str]) -> dict[str, list[str]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DependencyMissing.extra("Parquet", "parquet") from error
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            _places(path, file.schema_arrow.names, wanted)
            table = file.read(columns=list(wanted))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file") from error
    if table.num_rows == 0:
        raise DataError(f"{path} has no rows")
    return {name: list(_texts(table.column(name))) for name in wanted}


def _texts(column: Any) -> Iterator[str]:
    for value in column.to_pylist():
        yield "" if value is None else str(value)
