"""Statements: what the log says of a model. Digests and public facts in the clear, everything else salted.

A statement names a document by its digest and does not repeat it. The same document makes the same bytes, so
that whoever has it can look it up; only where a digest would give a person away is it salted too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hauberk.core import evidence
from hauberk.core.canonical import canonical_bytes, parse_json
from hauberk.core.errors import DataError, check_known
from hauberk.crypto.secret import Random
from hauberk.ledger.entry import Entry
from hauberk.ledger.salting import salt, salted

SCHEMA = "hauberk-statement/1"
KINDS = (
    *evidence.KINDS,
    "watermark-commitment",
    "signature",
    "sealed-file",
    "publication",
    "deployment",
    "revocation",
    "access-batch",
)
PRIVATE = "private"
_OPTIONAL = ("created", "document", "parents", "facts", "salted")


@dataclass(frozen=True)
class Statement:
    """What one entry says.

    Args:
        kind: what happened; one of ``KINDS``.
        subject: digest of the model, or of the file that it speaks of; None where it speaks of neither.
        name: what the subject is called; None where that is nobody's business.
        document: digest of the document behind it.
        parents: digests of the documents that this one builds on.
        created: RFC 3339, as its maker says; None where the document tells none.
        facts: further public facts, JSON values.
        salted: digests of facts that are not public, by name; ``document``, ``name``, ``parents`` among them.
    """

    kind: str
    subject: str | None
    name: str | None
    created: str | None
    document: str | None = None
    parents: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    salted: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_known([self.kind], KINDS, what="kind of statement", where="the statement")

    def to_json(self) -> dict[str, Any]:
        """The entry as JSON; what is empty is left out."""
        optional: dict[str, Any] = {
            "document": self.document,
            "parents": list(self.parents),
            "facts": dict(self.facts),
        }
        optional |= {"created": self.created, "salted": dict(self.salted)}
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "subject": {"name": self.name, "digest": self.subject},
            **{name: value for name, value in optional.items() if value},
        }

    @classmethod
    def parse(cls, data: bytes) -> Statement | None:
        """What an entry says, or None where it is no statement: a log holds any bytes.

        Raises:
            DataError: it claims to be one and is malformed.
        """
        if SCHEMA.encode() not in data:
            return None
        document = parse_json(data, where="the entry")
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            return None
        return from_json(document)


def from_json(document: Mapping[str, Any], *, where: str = "the statement") -> Statement:
    """Read a statement.

    Raises:
        DataError: a key that lacks or holds the wrong kind of value.
        UnknownName: a key or kind that does not belong.
    """
    check_known(document, ("schema", "kind", "subject", *_OPTIONAL), what="key", where=where)
    subject = document.get("subject")
    shaped: dict[str, tuple[Any, Any]] = {
        "kind": (document.get("kind"), str),
        "created": (document.get("created"), str | None),
        "subject": (subject, dict),
        "document": (document.get("document"), str | None),
        "parents": (document.get("parents", []), list),
        "facts": (document.get("facts", {}), dict),
        "salted": (document.get("salted", {}), dict),
    }
    for key, (value, kind) in shaped.items():
        if not isinstance(value, kind):
            raise DataError(f"{where}: '{key}' is missing, or no {getattr(kind, '__name__', kind)}")
    told = {key: value for key, (value, _) in shaped.items()}
    texts = [*told["parents"], *told["salted"].values()]
    names = [told["subject"].get(one) for one in ("name", "digest")]
    check_known(told["subject"], ("name", "digest"), what="key", where=f"{where}, subject")
    if not all(isinstance(one, str) for one in texts) or not all(isinstance(one, str | None) for one in names):
        raise DataError(f"{where}: names and digests are texts")
    return Statement(**{**told, "name": names[0], "subject": names[1], "parents": tuple(told["parents"])})


def state(
    statement: Statement, private: Mapping[str, Any] | None = None, *, random: Random = os.urandom
) -> Entry:
    """The entry that says this.

    Args:
        private: facts by name that go in as salted digests; what opens them stays beside the log.

    Raises:
        DataError: more than 65,535 bytes, or facts that are no JSON values.
    """
    openings = {name: salt(fact, random=random) for name, fact in (private or {}).items()}
    said = statement.to_json()
    if not openings:
        return Entry(canonical_bytes(said), said["subject"]["digest"])
    identity = hashlib.sha256(canonical_bytes({"statement": said, PRIVATE: dict(private or {})})).digest()
    said["salted"] = {**statement.salted, **{name: salted(one) for name, one in openings.items()}}
    return Entry(canonical_bytes(said), statement.subject, openings, identity)
