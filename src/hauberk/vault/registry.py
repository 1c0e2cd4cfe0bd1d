"""The registry: which versions there are, what they are made of, and what they are called now.

A version is seen from the moment when the ledger holds its publication. Until then, its row is there whole and
nobody is told of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, insert, select, text, update

from hauberk.core.canonical import digest
from hauberk.core.errors import DataError
from hauberk.vault import schema
from hauberk.vault.names import Reference

Kind = Literal["package", "sealed"]
PUBLICATION, DEPLOYMENT, REVOCATION = "publication", "deployment", "revocation"


@dataclass(frozen=True)
class File:
    """One file of a version.

    Args:
        path: ``package/…``, ``sealed``, ``signature`` or ``evidence/….json``.
        sha256: of its bytes, in hex.
    """

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Revoked:
    """That, when, by whom and why a version must not be used."""

    at_ms: int
    by: str
    reason: str


@dataclass(frozen=True)
class Version:
    """One immutable version.

    Args:
        digest: of the package, or of the sealed file.
        subject: the model's digest; the sealed file's where nobody here knows that.
        signer: whose signature the policy asked for when it came in.
        aliases: under which names it goes now.
        entry: its publication's number in the ledger.
    """

    model: str
    number: int
    kind: Kind
    digest: str
    subject: str
    size_bytes: int
    signer: str | None
    created_ms: int
    created_by: str
    revoked: Revoked | None
    aliases: tuple[str, ...]
    entry: int

    def __str__(self) -> str:
        return f"{self.model}@{self.number}"

    @property
    def names(self) -> tuple[str, ...]:
        """Number and aliases, as the gate is asked."""
        return (str(self.number), *self.aliases)


_VERSIONS, _EVENTS, _ALIASES = schema.versions, schema.events, schema.aliases
_SEEN = select(_VERSIONS, _EVENTS.c.entry).join(
    _EVENTS,
    and_(
        _EVENTS.c.model == _VERSIONS.c.model,
        _EVENTS.c.number == _VERSIONS.c.number,
        _EVENTS.c.what == PUBLICATION,
        _EVENTS.c.entry.is_not(None),
    ),
)


def versions(connection: Connection, model: str | None = None) -> list[Version]:
    """All versions, of one model or of all, by name and number."""
    query = _SEEN.order_by(_VERSIONS.c.model, _VERSIONS.c.number)
    called: dict[tuple[str, int], list[str]] = {}
    aliases = select(_ALIASES).order_by(_ALIASES.c.alias)
    if model is not None:
        query, aliases = query.where(_VERSIONS.c.model == model), aliases.where(_ALIASES.c.model == model)
    for one in connection.execute(aliases):
        called.setdefault((one.model, one.number), []).append(one.alias)
    return [_version(row, called.get((row.model, row.number), [])) for row in connection.execute(query)]


def find(connection: Connection, wanted: Reference) -> Version:
    """The version that a reference names.

    Raises:
        DataError: there is none.
    """
    number = wanted.number
    query = _SEEN.where(_VERSIONS.c.model == wanted.model)
    if wanted.alias is not None:
        named = select(_ALIASES.c.number).where(
            _ALIASES.c.model == wanted.model, _ALIASES.c.alias == wanted.alias
        )
        number = connection.execute(named).scalar_one_or_none()
        if number is None:
            raise _none(connection, wanted)
    if number is not None:
        query = query.where(_VERSIONS.c.number == number)
    elif wanted.digest is not None:
        query = query.where(_VERSIONS.c.digest == wanted.digest)
    else:
        query = query.where(_VERSIONS.c.revoked_ms.is_(None))
    row = connection.execute(query.order_by(_VERSIONS.c.number.desc()).limit(1)).first()
    if row is None:
        raise _none(connection, wanted)
    aliases = select(_ALIASES.c.alias).where(_ALIASES.c.model == row.model, _ALIASES.c.number == row.number)
    return _version(row, list(connection.execute(aliases.order_by(_ALIASES.c.alias)).scalars()))


def files(connection: Connection, model: str, number: int) -> list[File]:
    """What a version is made of, by path."""
    table = schema.files
    query = select(table).where(table.c.model == model, table.c.number == number)
    return [
        File(one.path, one.sha256, one.size_bytes) for one in connection.execute(query.order_by(table.c.path))
    ]


def contents(found: Sequence[File]) -> str:
    """One digest for all files of a version: what its publication in the ledger binds."""
    return digest(
        {one.path: {"sha256": one.sha256, "size_bytes": one.size_bytes} for one in sorted(found, key=_path)}
    )


def add(
    connection: Connection,
    model: str,
    *,
    kind: Kind,
    digest: str,
    subject: str,
    signer: str | None,
    by: str,
    at_ms: int,
    parts: Sequence[File],
) -> int:
    """A new version's rows; its number. In PostgreSQL the state's row must be locked."""
    table = schema.models
    newest = connection.execute(select(table.c.newest).where(table.c.name == model)).scalar_one_or_none()
    if newest is None:
        newest = 0
        connection.execute(insert(table).values(name=model, newest=0, created_ms=at_ms))
    number = newest + 1
    connection.execute(update(table).where(table.c.name == model).values(newest=number))
    connection.execute(
        insert(_VERSIONS).values(
            model=model,
            number=number,
            kind=kind,
            digest=digest,
            subject=subject,
            size_bytes=sum(one.size_bytes for one in parts),
            signer=signer,
            created_ms=at_ms,
            created_by=by,
        )
    )
    connection.execute(
        insert(schema.files),
        [
            {
                "model": model,
                "number": number,
                "path": one.path,
                "sha256": one.sha256,
                "size_bytes": one.size_bytes,
            }
            for one in parts
        ],
    )
    return number


def lock(connection: Connection) -> None:
    """Make this transaction the only one that changes the registry; in SQLite it is already."""
    connection.execute(select(schema.state.c.id).with_for_update()).all()


def decide_anew(connection: Connection) -> bool:
    """Let no decision be remembered that access made before this transaction; whether its row is there."""
    raised = connection.execute(text("UPDATE access_state SET epoch = epoch + 1"))  # ``hauberk.access.schema``
    return raised.rowcount == 1


def _path(one: File) -> str:
    return one.path


def _version(row: Row[Any], aliases: list[str]) -> Version:
    revoked = None
    if row.revoked_ms is not None:
        revoked = Revoked(row.revoked_ms, row.revoked_by, row.revoked_reason)
    return Version(
        row.model,
        row.number,
        row.kind,
        row.digest,
        row.subject,
        row.size_bytes,
        row.signer,
        row.created_ms,
        row.created_by,
        revoked,
        tuple(aliases),
        row.entry,
    )


def _none(connection: Connection, wanted: Reference) -> DataError:
    known = [str(one.number) for one in versions(connection, wanted.model)]
    if not known:
        return DataError(f"the vault has no model '{wanted.model}'", hint="hauberk vault list shows all")
    return DataError(
        f"the vault has no version {wanted}", hint=f"hauberk vault show {wanted.model} lists its {len(known)}"
    )
