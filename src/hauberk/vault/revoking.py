"""Revocation: from the moment when it is on disk nobody gets the version any more, whatever it is called."""

from __future__ import annotations

from sqlalchemy import select, update

from hauberk.core.errors import ConfigError
from hauberk.vault import registry, schema
from hauberk.vault.names import Reference
from hauberk.vault.place import Vault
from hauberk.vault.pulling import seen
from hauberk.vault.registry import REVOCATION, Version
from hauberk.vault.telling import note, settle, statement

_LONGEST_REASON = 500


def revoke(vault: Vault, reference: str, reason: str) -> Version:
    """Take a version out of use for ever; its bytes and its history stay.

    Args:
        reference: as for ``pull``.
        reason: in a line; the ledger gets its salted digest only.

    Raises:
        ConfigError: no reason.
        AccessDenied: who asks may not.
        DataError: there is no such version.
        EnvironmentFailure: the ledger is away: the revocation holds all the same, and its entry follows.

    Limits: who has pulled the version before still has it.
    """
    text = " ".join(reason.split())
    if not text or len(text) > _LONGEST_REASON or not text.isprintable():
        raise ConfigError(f"a reason has 1 to {_LONGEST_REASON} characters in one line", hint="--reason TEXT")
    version = seen(vault, reference, "model.revoke")
    by, at_ms = vault.gate.actor, vault.now_ms()
    table = schema.versions
    same = (table.c.model == version.model, table.c.number == version.number)
    with vault.database.write() as connection:
        registry.lock(connection)
        if connection.execute(select(table.c.revoked_ms).where(*same)).scalar_one() is None:
            connection.execute(
                update(table).where(*same).values(revoked_ms=at_ms, revoked_by=by, revoked_reason=text)
            )
            registry.decide_anew(connection)
            said = statement(REVOCATION, version.subject, version.model, at_ms, version=version.number)
            private = {"by": by, "reason": text}
            note(connection, said, private, detail=text, by=by, at_ms=at_ms, random=vault.random)
    settle(vault)
    with vault.database.read() as connection:
        return registry.find(connection, Reference(version.model, number=version.number))
