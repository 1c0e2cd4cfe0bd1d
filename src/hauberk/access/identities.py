"""People and services, and under which names other authorities know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from hauberk.access import schema
from hauberk.access.changes import changing, identity_row, milliseconds
from hauberk.access.sessions import end_of
from hauberk.access.words import check_name
from hauberk.core.clock import Clock, now
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError

Kind = Literal["person", "service"]
KINDS = ("person", "service")
CERTIFICATE = "certificate"


@dataclass(frozen=True)
class Identity:
    """Args:
    links: pairs of an authority (an issuer's URL, or "certificate") and the name there.
    """

    name: str
    kind: str
    disabled: bool
    links: tuple[tuple[str, str], ...] = ()


def add(
    database: Database,
    name: str,
    kind: Kind = "person",
    links: Sequence[tuple[str, str]] = (),
    *,
    clock: Clock = now,
) -> Identity:
    """A new identity, which may do nothing yet.

    Raises:
        ConfigError: the name is taken or none, or one of the links is somebody else's.
    """
    check_name(name)
    if kind not in KINDS:
        raise ConfigError(f"an identity is a person or a service, got {kind!r}")
    with changing(database) as connection:
        if connection.execute(select(schema.identities.c.name).where(schema.identities.c.name == name)).first():
            raise ConfigError(f"there is an identity '{name}' already")
        made = {"name": name, "kind": kind, "disabled": False, "created_ms": milliseconds(clock())}
        connection.execute(insert(schema.identities).values(made))
        for authority, subject in links:
            _link(connection, name, authority, subject)
    return Identity(name, kind, False, tuple(links))


def set_disabled(database: Database, name: str, disabled: bool) -> None:
    """Let nobody in under this name, or again; its keys and grants stay as they are, its sessions end.

    An identity is never removed: the trail names it, and a new one of the same name would be taken for it.

    Raises:
        ConfigError: no such identity.
    """
    with changing(database) as connection:
        identity_row(connection, name)
        connection.execute(
            update(schema.identities).where(schema.identities.c.name == name).values(disabled=disabled)
        )
        end_of(connection, name)


def link(database: Database, name: str, authority: str, subject: str) -> None:
    """Let an authority's subject in as this identity; raises as ``add``."""
    with changing(database) as connection:
        identity_row(connection, name)
        _link(connection, name, authority, subject)


def unlink(database: Database, name: str, authority: str, subject: str) -> bool:
    """No longer; False where there was no such link."""
    table = schema.links
    with changing(database) as connection:
        identity_row(connection, name)
        own = (table.c.authority == authority) & (table.c.subject == subject) & (table.c.identity == name)
        return bool(connection.execute(delete(table).where(own)).rowcount)


def any_identity(database: Database) -> bool:
    """Whether there is one."""
    with database.read() as connection:
        return connection.execute(select(schema.identities.c.name).limit(1)).first() is not None


def one(database: Database, name: str) -> Identity:
    """One identity.

    Raises:
        ConfigError: there is none of that name.
    """
    with database.read() as connection:
        row = identity_row(connection, name)
        links = select(schema.links.c.authority, schema.links.c.subject).where(schema.links.c.identity == name)
        return Identity(
            row.name, row.kind, bool(row.disabled), tuple(map(tuple, connection.execute(links).all()))
        )


def everybody(database: Database) -> list[Identity]:
    """All identities, by name."""
    with database.read() as connection:
        rows = connection.execute(select(schema.identities).order_by(schema.identities.c.name)).all()
        links: dict[str, list[tuple[str, str]]] = {}
        for one in connection.execute(
            select(schema.links).order_by(schema.links.c.authority, schema.links.c.subject)
        ):
            links.setdefault(one.identity, []).append((one.authority, one.subject))
    return [Identity(one.name, one.kind, bool(one.disabled), tuple(links.get(one.name, ()))) for one in rows]


def linked(connection: Connection, authority: str, subject: str) -> str | None:
    """Whose link this is."""
    table = schema.links
    own = (table.c.authority == authority) & (table.c.subject == subject)
    return connection.execute(select(table.c.identity).where(own)).scalar()


def _link(connection: Connection, name: str, authority: str, subject: str) -> None:
    if not authority or not subject:
        raise ConfigError("a link has an authority and a subject")
    owner = linked(connection, authority, subject)
    if owner is not None:
        raise ConfigError(f"{subject} of {authority} is '{owner}' already")
    connection.execute(insert(schema.links).values(authority=authority, subject=subject, identity=name))
