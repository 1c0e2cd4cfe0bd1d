"""A clock that tests set, and connections to a store of access."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hauberk.core.database import Database, postgres_url, sqlite_url
from hauberk.core.errors import DataError

START = bytes(range(32))


class Hands:
    """A clock whose hands are moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **span: float) -> None:
        self.time += timedelta(**span)

    @property
    def ms(self) -> int:
        return int(self.time.timestamp() * 1000)


def absent_vault(where: str) -> DataError:
    return DataError(f"{where} holds no vault")


def connect(url: str) -> Database:
    made = postgres_url(url) if url.startswith("postgresql") else sqlite_url(Path(url))
    return Database(made, url, noun="vault", absent=absent_vault)
