"""Parquet: rows in batches of bounded size, every text in them a cell, types kept where they can be.

A column of numbers cannot hold a tag, so where its numbers tell about people, and do not become numbers again,
it must be named in the policy; it is then written as text. The file's own metadata, which may quote values, is
not carried over.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import file_digest
from hauberk.core.errors import DataError, DependencyMissing
from hauberk.core.files import machine_errors
from hauberk.privacy.text.files.cell import Bare, Cell

BATCH = 1 << 14
"""Rows of a batch."""

Rule = Callable[[str | None], str | None]
"""What is done with a whole column: a type, ``keep``, ``drop``, or None."""

_LONG_NUMBER = 5
_DROP, _KEEP = "drop", "keep"


def arrow() -> Any:
    """pyarrow, or what to install.

    Raises:
        DependencyMissing: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DependencyMissing.extra("reading Parquet", "parquet") from error
    return pyarrow


@dataclass(frozen=True)
class Table:
    """A batch of rows on its way.

    Args:
        data: the rows as an Arrow stream.
        first: number of the first row, from 1.
    """

    data: bytes
    first: int


@dataclass(frozen=True)
class ParquetSource:
    """A Parquet file that was opened once and can be read."""

    path: Path
    digest: str
    size_bytes: int
    columns: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> ParquetSource:
        """Open a file.

        Raises:
            DataError: no Parquet file, or one in which a column is named twice.
            DependencyMissing: pyarrow is not installed.
        """
        if not path.exists():
            raise DataError(f"no file at {path}", path=str(path))
        with machine_errors("read", path), _opened(path) as file:
            columns = tuple(file.schema_arrow.names)
        for name in columns:
            if columns.count(name) > 1:
                raise DataError(f"{path}: {columns.count(name)} columns are named {name!r}")
        return cls(path, file_digest(path), path.stat().st_size, columns)

    def chunks(self) -> Iterator[Table]:
        """All rows in order."""
        pa = arrow()
        first = 1
        with _opened(self.path) as file:
            try:
                for batch in file.iter_batches(BATCH, use_threads=False):
                    out = io.BytesIO()
                    with pa.ipc.new_stream(out, batch.schema) as stream:
                        stream.write_batch(batch)
                    yield Table(out.getvalue(), first)
                    first += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"{self.path}: {_line(error)}") from error

    def schema(self, rule: Rule) -> Any:
        """What is written: columns that are treated whole as text, others as they are, without metadata.

        Raises:
            DataError: a column of bytes, which may hold anything, that the policy does not name.
        """
        pa = arrow()
        with _opened(self.path) as file:
            fields = file.schema_arrow
        return pa.schema(
            [_field(pa, one, rule(one.name), self.path) for one in fields if rule(one.name) != _DROP]
        )


def records(table: Table, rule: Rule) -> list[list[Cell]]:
    """The cells of each row, in the order of its columns; columns that are kept or dropped have none."""
    pa = arrow()
    batch = _read(pa, table.data)
    rows: list[list[Cell]] = [[] for _ in range(batch.num_rows)]
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        said = rule(name)
        if said in (_DROP, _KEEP) or (said is None and not _telling(pa, column.type)):
            continue
        for place, value in enumerate(column.to_pylist()):
            _leaves(value, name, table.first + place, whole=said is not None, into=rows[place])
    return rows


def rewritten(table: Table, texts: Sequence[Sequence[str | None]], rule: Rule, schema: bytes) -> bytes:
    """The batch with new texts, in the order in which ``records`` gave the cells, as an Arrow stream.

    Args:
        schema: of what is written, serialised.

    Raises:
        DataError: a number that was treated in a column of numbers and is none any more.
    """
    pa = arrow()
    batch, target = _read(pa, table.data), pa.ipc.read_schema(pa.py_buffer(schema))
    left = [iter(row) for row in texts]
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        said = rule(name)
        if said == _DROP:
            continue
        if said == _KEEP or (said is None and not _telling(pa, column.type)):
            columns.append(column)
            continue
        values = [
            _rebuilt(value, left[place], name, whole=said is not None)
            for place, value in enumerate(column.to_pylist())
        ]
        columns.append(pa.array(values, type=target.field(name).type))
    out = io.BytesIO()
    with pa.ipc.new_stream(out, target) as stream:
        stream.write_batch(pa.RecordBatch.from_arrays(columns, schema=target))
    return out.getvalue()


def _opened(path: Path) -> Any:
    pa = arrow()
    try:
        return pa.parquet.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a Parquet file: {_line(error)}") from error


def _read(pa: Any, data: bytes) -> Any:
    return pa.ipc.open_stream(pa.py_buffer(data)).read_next_batch()


def _field(pa: Any, one: Any, said: str | None, path: Path) -> Any:
    kind = one.type
    if said not in (None, _KEEP):
        kind = pa.string()
    elif said is None:
        inner = kind.value_type if pa.types.is_dictionary(kind) else kind
        if _bytes(pa, inner):
            raise DataError(
                f"{path}: column {one.name!r} holds bytes, which are not looked into",
                hint=f'name it in the policy: [columns] "{one.name}" = "drop" or "keep"',
            )
    return pa.field(one.name, kind, one.nullable)


def _bytes(pa: Any, kind: Any) -> bool:
    is_bytes: bool = (
        pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    )
    return is_bytes or any(_bytes(pa, kind.field(place).type) for place in range(kind.num_fields))


def _telling(pa: Any, kind: Any) -> bool:
    """Whether values of this type are looked into: text and numbers, also within others."""
    if pa.types.is_dictionary(kind):
        return _telling(pa, kind.value_type)
    if kind.num_fields:
        return any(_telling(pa, kind.field(place).type) for place in range(kind.num_fields))
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return bool(text or number)


def _number(value: object) -> str | None:
    """A number as people write it, where it is long enough to tell something."""
    if isinstance(value, bool):
        return None
    try:
        whole = int(value)  # type: ignore[call-overload]
        written = str(whole) if whole == value else str(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return written if len(written) >= _LONG_NUMBER else None


def _leaves(value: Any, name: str, row: int, *, whole: bool, into: list[Cell]) -> None:
    if value is None:
        return
    if isinstance(value, str):
        into.append(Cell(value, row, column=name))
    elif whole:
        into.append(Cell(_written(value), row, column=name))
    elif isinstance(value, dict):
        for key, one in value.items():
            _leaves(one, f"{name}.{key}", row, whole=whole, into=into)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _leaves(one, name, row, whole=whole, into=into)
    elif (number := _number(value)) is not None:
        into.append(Cell(number, row, column=name, number=True))


def _rebuilt(value: Any, texts: Iterator[str | None], name: str, *, whole: bool) -> Any:
    if value is None:
        return None
    if isinstance(value, str) or whole:
        return next(texts)
    if isinstance(value, dict):
        return {key: _rebuilt(one, texts, f"{name}.{key}", whole=whole) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rebuilt(one, texts, name, whole=whole) for one in value]
    if (number := _number(value)) is not None and (fresh := next(texts)) != number:
        if isinstance(fresh, Bare):
            return type(value)(fresh)
        raise DataError(
            f"column {name!r} holds numbers that tell about people",
            hint=f'name its type in the policy, and it is written as text: [columns] "{name}" = "MOBILE"; '
            'or let it be: "keep"',
        )
    return value


def _written(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def batches(data: bytes) -> Any:
    """The rows of an Arrow stream as a table, to be written."""
    pa = arrow()
    return pa.ipc.open_stream(pa.py_buffer(data)).read_all()


__all__ = ["ParquetSource", "Table", "batches", "records", "rewritten"]
