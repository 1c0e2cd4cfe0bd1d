"""How SQLite keeps what it was told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hauberk.core.database import Database
from hauberk.vault.doctor.disks import NETWORK, Machine, mount_of
from hauberk.vault.doctor.finding import Finding

_WHY = "what was acknowledged must be on the disk when the power fails"
_FULL = 2  # PRAGMA synchronous


def look(file: Path, database: Database, machine: Machine) -> Iterator[Finding]:
    """A database in a file, through the connections that the vault works with."""
    with database.read() as connection:
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
    found = f"journal {journal}, synchronous {synchronous}"
    if journal != "wal" or synchronous < _FULL:
        todo = "let a user work on it who may write there"
        yield Finding("fail", "durability", str(file), found, _WHY, todo)
    else:
        yield Finding("ok", "durability", str(file), found, _WHY)
    kind = mount_of(file, machine).kind
    if kind in NETWORK:
        why, todo = (
            "its readers share memory, which no network gives",
            "move it to a local disk, or to PostgreSQL",
        )
        yield Finding("fail", "file-system", str(file), f"SQLite on {kind}", why, todo)
