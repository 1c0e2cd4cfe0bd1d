"""Access on both stores, with a clock that tests set."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from access_stores import START, Hands, connect
from postgres_server import Server
from sqlalchemy import insert

from hauberk.access import schema
from hauberk.access.entering import Access
from hauberk.core.database import Database
from hauberk.crypto.secret import Secret
from hauberk.ledger.opening import create_ledger
from hauberk.ledger.store.log import Log
from hauberk.vault.keys import VaultKeys

_DATABASES: list[str] = []


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def _emptied(postgres: Server) -> str:
    """The one database of these tests in PostgreSQL."""
    if not _DATABASES:
        _DATABASES.append(postgres.database(f"access_{uuid.uuid4().hex[:12]}"))
    return _DATABASES[0]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the tables of access are, empty but for the first row: once in each store."""
    if request.param == "sqlite":
        found = str(tmp_path / "vault.sqlite")
        Path(found).touch()
    else:
        found = request.getfixturevalue("_emptied")
    database = connect(found)
    with database.write() as connection:
        if request.param == "postgres":  # a new database for each test would take a second
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
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
