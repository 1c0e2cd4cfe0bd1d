"""Who may enter a vault, by what means, with which keys and rights, and when each key was last used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from hauberk.access import identities, key_store, schema
from hauberk.access.granting import own_roles
from hauberk.access.roles import BUILT_IN
from hauberk.access.words import expand
from hauberk.assurance.target import ApiKey, Identity

if TYPE_CHECKING:
    from hauberk.vault import Vault


def gather_identities(vault: Vault) -> tuple[Identity, ...]:
    """All identities with what they may: each grant of a role as the actions that it comes to."""
    with vault.database.read() as connection:
        passwords = set(connection.execute(select(schema.passwords.c.identity)).scalars())
        factors = set(connection.execute(select(schema.factors.c.identity)).scalars())
        keys = set(connection.execute(select(schema.keys.c.identity).distinct()).scalars())
        grants = _grants(connection)
    return tuple(
        Identity(
            name=one.name,
            kind=one.kind,
            disabled=one.disabled,
            entries=tuple(
                word
                for word, there in (
                    ("password", one.name in passwords),
                    ("key", one.name in keys),
                    ("link", bool(one.links)),
                )
                if there
            ),
            factor=one.name in factors,
            grants=tuple(grants.get(one.name, ())),
        )
        for one in identities.everybody(vault.database)
    )


def _grants(connection: Connection) -> dict[str, list[tuple[str, str, str]]]:
    roles = {**BUILT_IN, **own_roles(connection)}
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in connection.execute(select(schema.grants).order_by(schema.grants.c.id)):
        for rule in roles.get(row.what, ()):
            if rule.effect == "allow":
                found.setdefault(row.identity, []).extend(
                    (row.effect, action, row.pattern) for action in expand(rule.action)
                )
        if row.what not in roles:
            found.setdefault(row.identity, []).extend(
                (row.effect, action, row.pattern) for action in expand(row.what)
            )
    return found


def gather_keys(vault: Vault, at: datetime) -> tuple[ApiKey, ...]:
    """Keys that let somebody in now."""
    lines = schema.trail.c
    with vault.database.read() as connection:
        rows = connection.execute(
            select(lines.how, func.max(lines.time_ms)).where(lines.allowed.is_(True)).group_by(lines.how)
        )
        used: dict[str, int] = {how: last for how, last in rows}
    present = int(at.timestamp() * 1000)
    return tuple(
        ApiKey(
            id=one.id,
            identity=one.identity,
            created=_time(one.created_ms),
            expires=None if one.expires_ms is None else _time(one.expires_ms),
            last_used=None if (last := used.get(f"key {one.id}")) is None else _time(last),
            scopes=tuple(str(rule) for rule in one.scopes),
        )
        for one in key_store.listed(vault.database)
        if one.refusal(present) is None
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
