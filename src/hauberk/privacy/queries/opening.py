"""Budgets outside a vault: a database beside the data, or one that an URL names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from hauberk.core.clock import Clock, now
from hauberk.core.database import Database, postgres_url, sqlite_url
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import machine_errors
from hauberk.privacy.queries.schema import metadata
from hauberk.privacy.queries.store import BudgetStore

_HINT = "hauberk data query init DATA --budget E …"


def default_store(data: str | Path) -> str:
    """The URL of the database beside the data."""
    return f"sqlite:///{Path(data).absolute()}.budget"


@contextmanager
def budgets_at(url: str, *, make: bool = False, clock: Clock = now) -> Iterator[BudgetStore]:
    """Budgets in a database of their own.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``.
        make: create what is not there. Without it a missing database is an error: an empty one would have
            nothing spent.

    Raises:
        ConfigError: another URL.
        DataError: there is no such database.
        EnvironmentFailure: it cannot be reached.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        file = Path(parsed.database or "")
        _check_file(file, make)
        database = Database(sqlite_url(file), str(file), noun="budgets", absent=_absent)
    else:
        shown = parsed.render_as_string(hide_password=True)
        database = Database(postgres_url(url), shown, noun="budgets", absent=_absent)
    try:
        if make:
            with database.write() as connection:
                metadata.create_all(connection)
        yield BudgetStore(database, clock=clock)
    finally:
        database.close()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigError(f"'{url}' is no database URL", hint="sqlite:///budgets.sqlite, or postgresql://…")
    return parsed


def _check_file(path: Path, make: bool) -> None:
    if path.is_file():
        return
    if not make:
        raise _absent(str(path))
    with machine_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))  # the salt in it is the steward's


def _absent(where: str) -> DataError:
    return DataError(f"no budgets at {where}", hint=_HINT)
