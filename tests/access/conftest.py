"""Access on both stores, with a clock that tests set."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from hauberk.access import schema
from hauberk.access.entering import Access
from hauberk.core.database import Database, postgres_url, sqlite_url
from hauberk.core.errors import DataError
from hauberk.crypto.secret import Secret
from hauberk.ledger.opening import create_ledger
from hauberk.ledger.store.log import Log
from hauberk.vault.keys import VaultKeys

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


@pytest.fixture
def clock() -> Hands:
    return Hands()


def absent_vault(where: str) -> DataError:
    return DataError(f"{where} holds no vault")


def connect(url: str) -> Database:
    made = postgres_url(url) if url.startswith("postgresql") else sqlite_url(Path(url))
    return Database(made, url, noun="vault", absent=absent_vault)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the tables of access are, empty but for the first row: once in each store."""
    if request.param == "sqlite":
        found = str(tmp_path / "vault.sqlite")
        Path(found).touch()
    else:
        found = request.getfixturevalue("postgres").database(f"access_{uuid.uuid4().hex[:12]}")
    database = connect(found)
    with database.write() as connection:
        schema.metadata.create_all(connection)
        row = {"id": 1, "epoch": 0, "number": 0, "hash": b"", "first": 1, "before": b""}
        connection.execute(insert(schema.state).values(row))
    database.close()
    return found


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = connect(url)
    yield made
    made.close()


@pytest.fixture
def keeper() -> VaultKeys:
    return VaultKeys(Secret(bytes(32)))


@pytest.fixture
def log(tmp_path: Path, clock: Hands) -> Iterator[Log]:
    with create_ledger(tmp_path / "ledger", clock=clock) as made:
        yield made


@pytest.fixture
def access(database: Database, keeper: VaultKeys, log: Log, clock: Hands) -> Access:
    return Access(database, keeper, START, ledger=lambda: log, clock=clock)
