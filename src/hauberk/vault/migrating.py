"""The tables of a vault's database: which version they have, and the way to the newest.

All steps of an upgrade are one transaction, in SQLite too: one that is stopped leaves the tables as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from hauberk.core.errors import DataError
from hauberk.vault.schema import VERSION, VERSION_TABLE

_SCRIPTS = Path(__file__).parent / "migrations"


def version_of(connection: Connection) -> str | None:
    """Which version the tables have; None where the database holds no vault."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608
    return max(found, default=None)


def check_version(connection: Connection, where: str) -> None:
    """Go on only with tables that this Hauberk knows.

    Raises:
        DataError: there are none, or older ones, or newer ones.
    """
    found = version_of(connection)
    if found is None:
        raise DataError(f"{where} holds no vault", hint="hauberk vault init --vault DIR")
    if found < VERSION:
        raise DataError(
            f"{where} has tables of version {found}, and this Hauberk works on version {VERSION}",
            hint="make a backup, then: hauberk vault upgrade",
        )
    check_not_newer(found, where)


def check_not_newer(found: str, where: str) -> None:
    """Raises ``DataError`` where a later Hauberk has written the tables."""
    if found > VERSION:
        raise DataError(
            f"{where} has tables of version {found}, which is newer than this Hauberk knows ({VERSION})",
            hint="use the version of Hauberk that made it",
        )


def migrate(connection: Connection, where: str) -> str | None:
    """Bring the tables to ``VERSION`` within the transaction of the connection; the version before.

    Raises:
        DataError: the tables are newer.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    before = version_of(connection)
    if before is not None:
        check_not_newer(before, where)
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(current: Any, _context: Any) -> Sequence[Any]:
        return script._upgrade_revs(VERSION, current)

    with EnvironmentContext(config, script, fn=steps, destination_rev=VERSION) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        with environment.begin_transaction():
            environment.run_migrations()
    return before
