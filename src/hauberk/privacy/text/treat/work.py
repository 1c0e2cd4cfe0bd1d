"""One piece of a file, treated: what a worker does, in this process or in another."""

from __future__ import annotations

import functools
import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from hauberk.core.canonical import canonical_bytes
from hauberk.core.errors import DataError
from hauberk.privacy.text.files import Cell, Chunk
from hauberk.privacy.text.files import parquet as parquet_files
from hauberk.privacy.text.policy import Keys, Policy
from hauberk.privacy.text.treat.tally import Tally
from hauberk.privacy.text.treat.treatment import Texts, Treatment


class Treats(Protocol):
    """Whoever makes new texts of cells."""

    def rule(self, column: str | None) -> str | None: ...

    def treat(self, records: Sequence[Sequence[Cell]], file: str) -> tuple[list[Texts], Tally]: ...


@dataclass(frozen=True)
class Job:
    """A piece of a file.

    Args:
        file: number of the file in the run, from 0.
        name: of the file within the source: it tells places in different files apart.
        chunk: the records.
        codec: in which text is written; the Arrow schema that is written, for Parquet.
    """

    file: int
    name: str
    chunk: Chunk | parquet_files.Table
    codec: str | bytes


@dataclass(frozen=True)
class Done:
    """The piece that takes its place, as bytes to be written."""

    file: int
    data: bytes
    tally: Tally


def shared_of(policy: Policy, keys: Keys | None, today: date, rate: float) -> bytes:
    """What all workers of a run must know, the key included."""
    return canonical_bytes(
        {
            "policy": policy.to_json(),
            "key": None if keys is None else keys.secret.hex(),
            "today": today.isoformat(),
            "rate": rate,
        }
    )


def work(job: Job, shared: bytes | Treats) -> Done:
    """Treat one piece.

    Args:
        shared: of ``shared_of``; or, in this process alone, whoever treats.

    Raises:
        DataError: a record that is not in the file's format, or that cannot be treated.
    """
    treats = treatment_of(shared) if isinstance(shared, bytes) else shared
    try:
        with _uncollected():
            if isinstance(job.chunk, Chunk):
                data, tally = _text(job.chunk, job, treats)
            else:
                data, tally = _table(job.chunk, job, treats)
    except DataError as error:
        raise DataError(f"{job.name}: {error}", hint=error.hint) from None
    return Done(job.file, data, tally)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles: a piece makes a million small objects and no cycle, and looking at them
    again and again would take a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _text(chunk: Chunk, job: Job, treats: Treats) -> tuple[bytes, Tally]:
    records = chunk.records()
    made, tally = treats.treat([one.cells for one in records], job.name)
    written = "".join(
        chunk.layout.rewrite(record.raw, record.cells, texts)
        for record, texts in zip(records, made, strict=True)
    )
    assert isinstance(job.codec, str)
    return written.encode(job.codec), tally


def _table(table: parquet_files.Table, job: Job, treats: Treats) -> tuple[bytes, Tally]:
    made, tally = treats.treat(parquet_files.records(table, treats.rule), job.name)
    assert isinstance(job.codec, bytes)
    return parquet_files.rewritten(table, made, treats.rule, job.codec), tally


@functools.lru_cache(maxsize=2)
def treatment_of(shared: bytes) -> Treatment:
    """Made once in each process: a detector takes a while to load."""
    from hauberk.privacy.text.second import SecondDetector

    settings: dict[str, Any] = json.loads(shared)
    key = settings["key"]
    return Treatment(
        Policy.of(settings["policy"]),
        None if key is None else Keys(bytes.fromhex(key)),
        date.fromisoformat(settings["today"]),
        second=SecondDetector(),
        rate=settings["rate"],
    )
