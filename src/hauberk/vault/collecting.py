"""What stopped pushes left behind: bytes that no version needs go, entries that wait are told to the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from hauberk.core.settings import require_number
from hauberk.vault import registry, schema
from hauberk.vault.place import Vault
from hauberk.vault.telling import settle

OLD_ENOUGH_S = 3600.0


@dataclass(frozen=True)
class Collected:
    """What was done.

    Args:
        removed: how many blobs and parts of blobs.
        told: how many entries the ledger got.
    """

    removed: int
    told: int


def collect(vault: Vault, *, older_than_s: float = OLD_ENOUGH_S) -> Collected:
    """Remove what no version needs and was written longer ago, and tell the ledger what waits.

    Nothing is pushed while it works: a push that comes to its last step waits, and stores again what has gone.

    Args:
        older_than_s: so that the bytes of a push on its way are left alone.

    Raises:
        AccessDenied: who asks is no administrator of the vault.
        EnvironmentFailure: the artifacts or the database do not answer.
    """
    require_number("older_than_s", older_than_s, "collect")
    vault.gate.check("vault.admin", detail="gc")
    before = vault.clock().timestamp() - older_than_s
    with vault.database.write() as connection:
        registry.lock(connection)
        needed = set(connection.execute(select(schema.files.c.sha256)).scalars())
        removed = sum(1 for _ in vault.artifacts.remove_unless(needed, before))
    return Collected(removed, settle(vault))
