"""Looking: which versions there are and what happened to them, as far as the caller may see them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from hauberk.core.errors import AccessDenied, DataError, TrailUnavailable
from hauberk.vault import registry, schema
from hauberk.vault.place import Vault
from hauberk.vault.pulling import seen
from hauberk.vault.registry import File, Version


@dataclass(frozen=True)
class Event:
    """Something that happened to a version.

    Args:
        what: ``publication``, ``deployment`` or ``revocation``.
        detail: the kind of version, the alias, or the reason.
        entry: its number in the ledger; None while it waits.
    """

    number: int
    what: str
    detail: str
    by: str
    at_ms: int
    entry: int | None


def known(vault: Vault, model: str) -> list[Version]:
    """All versions of a model, for a process that follows a vault; nobody is asked and no line is written.

    Raises:
        DataError: there is no such model.
    """
    with vault.database.read() as connection:
        found = registry.versions(connection, model)
    if not found:
        raise DataError(f"the vault has no model '{model}'", hint="hauberk vault list shows all")
    return found


def visible(vault: Vault, model: str | None = None) -> list[Version]:
    """All versions that the caller may see, of one model or of all, by name and number.

    Raises:
        AccessDenied: a model was named, and he may not see any of it.
        DataError: there is no such model.
        TrailUnavailable: it cannot be written down that he asked.
    """
    with vault.database.read() as connection:
        found = registry.versions(connection, model)
    if model is not None:
        vault.gate.check("model.view", model)
        if not found:
            raise DataError(f"the vault has no model '{model}'", hint="hauberk vault list shows all")
        return found
    return [one for one in found if _may_see(vault, one)]


def described(vault: Vault, reference: str) -> tuple[Version, list[File]]:
    """A version and its files, as the registry lists them; nothing is verified.

    Raises:
        AccessDenied, DataError: as ``pull``.
    """
    version = seen(vault, reference, "model.view")
    with vault.database.read() as connection:
        return version, registry.files(connection, version.model, version.number)


def happened(vault: Vault, model: str, number: int | None = None) -> list[Event]:
    """What happened to a model's versions, or to one of them, oldest first. The caller was let through."""
    table = schema.events
    query = select(table).where(table.c.model == model).order_by(table.c.id)
    if number is not None:
        query = query.where(table.c.number == number)
    with vault.database.read() as connection:
        rows = connection.execute(query).all()
    return [Event(one.number, one.what, one.detail, one.by, one.at_ms, one.entry) for one in rows]


def _may_see(vault: Vault, version: Version) -> bool:
    try:
        vault.gate.check("model.view", version.model, version.names, detail="list")
    except TrailUnavailable:
        raise
    except AccessDenied:
        return False
    return True
