"""The guard's tables, in the vault's database or one of their own: made where they are not there.

guard_news     verdicts, lifts and places of searches, which every worker reads in the order of their numbers
guard_callers  what is remembered of callers
guard_models   what is usual at models
guard_alerts   the newest alerts, for people

What lies here are prints, counts and names, never an input. Whoever removes the tables makes the guard start
anew, and loses nothing else.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, Float, Integer, LargeBinary, MetaData, Table, Text, inspect, text

from hauberk.core.database import Database

_METADATA = MetaData()
_LOCK = 0x6861756265726B  # "hauberk" in bytes; PostgreSQL's locks of this kind are numbers

news = Table(
    "guard_news", _METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("worker", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # a caller, or a model's digest
    Column("until", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,  # a number that was read is not given again
)  # fmt: skip
callers = Table(
    "guard_callers", _METADATA,
    Column("caller", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
)  # fmt: skip
models = Table(
    "guard_models", _METADATA,
    Column("model", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)  # fmt: skip
alerts = Table(
    "guard_alerts", _METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Text, nullable=False),  # RFC 3339
    Column("caller", Text),  # null where it is about all traffic of a model
    Column("name", Text, nullable=False),
    Column("model", Text, nullable=False),  # the package's digest
    Column("finding", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("facts", Text, nullable=False),  # JSON
    sqlite_autoincrement=True,
)  # fmt: skip


def make(database: Database) -> None:
    """Make the tables that are not there."""
    with database.write() as connection:
        alone(connection)
        _METADATA.create_all(connection)


def there(connection: Connection) -> bool:
    """Whether a guard has ever kept anything here."""
    return inspect(connection).has_table(alerts.name)


def alone(connection: Connection) -> None:
    """Let the writers of these tables come one after the other, as SQLite's do anyway.

    Otherwise PostgreSQL could show a later number before an earlier one, and a reader who goes on from the
    last number that he saw would never see the earlier.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
