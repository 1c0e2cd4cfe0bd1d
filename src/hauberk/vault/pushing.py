"""Pushing: bytes first, then one transaction, then the ledger; only then is the version seen.

    1  what is pushed is opened and held against the policy
    2  its bytes go to the artifacts, where nothing refers to them yet, while it is scanned
    3  one transaction: number, rows, and what the ledger is to be told
    4  the ledger's entry; with its number the version is seen

Stopped before the end of 3, nothing has happened but bytes that ``collect`` takes away. Stopped later, the
version is whole, and whoever pushes next or calls ``settle`` finishes 4.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from hauberk.core.errors import PolicyViolation
from hauberk.vault import registry, schema
from hauberk.vault.content import Content, Part, opened_content, verified
from hauberk.vault.demands import check_evidence, check_scan, check_signature
from hauberk.vault.names import Reference, check_model
from hauberk.vault.place import Vault
from hauberk.vault.registry import PUBLICATION, Version
from hauberk.vault.telling import note, settle, statement


@dataclass(frozen=True)
class Pushed:
    """What came of a push.

    Args:
        version: that now holds what was pushed.
        fresh: False where the newest version held just this already.
    """

    version: Version
    fresh: bool


def push(
    vault: Vault,
    path: str | Path,
    model: str,
    *,
    signature: str | Path | None = None,
    evidence: str | Path | None = None,
) -> Pushed:
    """Make a package or a sealed file the newest version of a model.

    Args:
        path: a model package, or a file that ``hauberk seal`` wrote: it stays sealed.
        signature: over the package [default: ``<path>.sig`` where there is one].
        evidence: folder of later evidence, of which what tells of this model is kept with the version
            [default: ``evidence`` beside ``path``].

    Raises:
        ConfigError: no name for a model.
        AccessDenied: who asks may not push.
        DataError, IntegrityError: no package, or one that was changed.
        PolicyViolation: the policy does not want it, or just this was revoked.
        EnvironmentFailure: disk full, database or ledger away. The version is not seen then; where only the
            ledger was away, it is when that is back and anybody pushes.

    Cost: one pass over the bytes, and another one for the scan beside it; memory for some pieces of 4 MiB.
    """
    check_model(model)
    source = Path(path)
    vault.gate.check("model.push", model)
    with opened_content(
        source, Path(signature) if signature else None, Path(evidence) if evidence else None
    ) as content:
        check_evidence(vault, (one.kind for one in content.evidence), str(path))
        signer = check_signature(vault, content.kind, content.files, content.signature, str(path))
        with ThreadPoolExecutor(1) as beside:
            scan = beside.submit(check_scan, vault, source, content)
            for part in content.parts:
                _store(vault, part)
            scan.result()
        with vault.database.write() as connection:
            registry.lock(connection)
            for part in content.parts:  # what was taken away as a leftover meanwhile
                if not vault.artifacts.has(part.file.sha256, part.file.size_bytes):
                    _store(vault, part)
            number, fresh = _alike(connection, content, model), False
            if number is None:
                number, fresh = _added(connection, vault, content, model, signer), True
    settle(vault)
    with vault.database.read() as connection:
        return Pushed(registry.find(connection, Reference(model, number=number)), fresh)


def _store(vault: Vault, part: Part) -> None:
    file = part.file
    if vault.artifacts.has(file.sha256, file.size_bytes):
        verified(part)
    else:
        vault.artifacts.put(part.read, file.size_bytes, file.sha256, file.path)


def _alike(connection: Connection, content: Content, model: str) -> int | None:
    """The number of the newest version, where it holds the same.

    Raises:
        PolicyViolation: a version that holds the same package was revoked.
    """
    table = schema.versions
    query = select(table).where(table.c.model == model, table.c.digest == content.digest)
    for row in connection.execute(query):
        if row.revoked_ms is not None:
            raise PolicyViolation(
                f"{model}@{row.number} holds just this and was revoked: {row.revoked_reason}",
                hint="a revoked version does not come back under its name",
            )
    newest = select(schema.models.c.newest).where(schema.models.c.name == model)
    number = connection.execute(newest).scalar_one_or_none()
    if number is None:
        return None
    own = registry.files(connection, model, number)
    return int(number) if registry.contents(own) == registry.contents(content.files) else None


def _added(connection: Connection, vault: Vault, content: Content, model: str, signer: str | None) -> int:
    by, at_ms = vault.gate.actor, vault.now_ms()
    number = registry.add(
        connection,
        model,
        kind=content.kind,
        digest=content.digest,
        subject=content.subject,
        signer=signer,
        by=by,
        at_ms=at_ms,
        parts=content.files,
    )
    said = statement(
        PUBLICATION,
        content.subject,
        model,
        at_ms,
        document=content.digest,
        version=number,
        contents=registry.contents(content.files),
    )
    note(connection, said, {"by": by}, detail=content.kind, by=by, at_ms=at_ms, random=vault.random)
    return number
