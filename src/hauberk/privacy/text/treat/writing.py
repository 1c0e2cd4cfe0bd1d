"""Where treated pieces go: one file, counted and hashed while it is written."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from hauberk.privacy.text.files import TextSource
from hauberk.privacy.text.files import parquet as parquet_files
from hauberk.privacy.text.files.parquet import ParquetSource, Rule


class Output(io.RawIOBase):
    """A file that is written from start to end."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._digest, self.size_bytes = file, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size_bytes

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes are all that is written here
        self._file.write(data)
        self._digest.update(data)
        self.size_bytes += len(data)
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


@contextmanager
def writing(source: TextSource | ParquetSource, rule: Rule, out: Output) -> Iterator[Callable[[bytes], object]]:
    """A function that takes the pieces of one file in order; what belongs around them is written too."""
    if isinstance(source, TextSource):
        if source.file.mark:
            out.write(codecs.BOM_UTF8)
        yield out.write
        return
    pa = parquet_files.arrow()
    with pa.parquet.ParquetWriter(out, source.schema(rule)) as parquet:
        yield lambda data: parquet.write_table(parquet_files.batches(data))
