"""Aliases: names of versions that move. ``production`` moves only when as many people agree as the policy asks.

Who agrees says the same as who asked: that this version be production. A request lapses after a week.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from hauberk.core.errors import PolicyViolation
from hauberk.vault import registry, schema
from hauberk.vault.checking import check_published
from hauberk.vault.names import PRODUCTION, check_alias
from hauberk.vault.place import Vault
from hauberk.vault.pulling import seen
from hauberk.vault.registry import DEPLOYMENT, Version
from hauberk.vault.telling import note, settle, statement

REQUEST_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True)
class Promotion:
    """What came of it.

    Args:
        done: whether the alias names this version now.
        agreed: who has asked for it so far.
        lacking: how many further people must.
        before: the version that the alias named before, or None.
    """

    version: Version
    alias: str
    done: bool
    agreed: tuple[str, ...]
    lacking: int
    before: int | None


def promote(vault: Vault, reference: str, alias: str) -> Promotion:
    """Let an alias name a version, or ask for it, or agree to who asked.

    Args:
        reference: as for ``pull``.
        alias: ``staging``, ``production`` or one of your own.

    Raises:
        ConfigError: no alias.
        AccessDenied: who asks may not.
        DataError: there is no such version.
        PolicyViolation: it was revoked.
        IntegrityError: it is not what the ledger published.
        EnvironmentFailure: as ``push``.

    Limits: people are told apart by their names in the gate. The owner of the folder is one of them, and he who
    can write in the database can write any name.
    """
    check_alias(alias)
    version = seen(vault, reference, "model.view")
    vault.gate.check(
        "model.promote", version.model, (str(version.number), alias), detail=f"{version} to {alias}"
    )
    with vault.database.read() as connection:
        files = registry.files(connection, version.model, version.number)
    check_published(vault, version, files)
    with vault.database.write() as connection:
        registry.lock(connection)
        row = connection.execute(
            select(schema.versions.c.revoked_reason).where(
                schema.versions.c.model == version.model, schema.versions.c.number == version.number
            )
        ).one()
        if row.revoked_reason is not None:
            raise PolicyViolation(f"{version} was revoked: {row.revoked_reason}")
        agreed = _agreed(connection, vault, version, alias)
        needed = 1 + (vault.policy.approvals if alias == PRODUCTION else 0)
        before = _named(connection, version.model, alias)
        if len(agreed) >= needed:
            _move(connection, vault, version, alias, agreed)
    settle(vault)
    return Promotion(version, alias, len(agreed) >= needed, agreed, max(0, needed - len(agreed)), before)


def _agreed(connection: Connection, vault: Vault, version: Version, alias: str) -> tuple[str, ...]:
    """Who wants it, now with who asks; a request that has lapsed does not count."""
    table, now_ms = schema.requests, vault.now_ms()
    same = (table.c.model == version.model, table.c.alias == alias, table.c.number == version.number)
    own = (*same, table.c.by == vault.gate.actor)
    connection.execute(delete(table).where(table.c.at_ms < now_ms - REQUEST_MS))
    connection.execute(delete(table).where(*own))
    connection.execute(
        insert(table).values(
            model=version.model, alias=alias, number=version.number, by=vault.gate.actor, at_ms=now_ms
        )
    )
    query = select(table.c.by).where(*same, table.c.at_ms <= now_ms).order_by(table.c.by)
    return tuple(connection.execute(query).scalars())


def _named(connection: Connection, model: str, alias: str) -> int | None:
    table = schema.aliases
    query = select(table.c.number).where(table.c.model == model, table.c.alias == alias)
    return connection.execute(query).scalar_one_or_none()


def _move(connection: Connection, vault: Vault, version: Version, alias: str, agreed: tuple[str, ...]) -> None:
    by, at_ms = vault.gate.actor, vault.now_ms()
    for table in (schema.requests, schema.aliases):
        connection.execute(delete(table).where(table.c.model == version.model, table.c.alias == alias))
    connection.execute(
        insert(schema.aliases).values(
            model=version.model, alias=alias, number=version.number, set_ms=at_ms, set_by=by
        )
    )
    said = statement(DEPLOYMENT, version.subject, version.model, at_ms, version=version.number, alias=alias)
    private = {"by": list(agreed)}
    note(connection, said, private, detail=alias, by=", ".join(agreed), at_ms=at_ms, random=vault.random)
