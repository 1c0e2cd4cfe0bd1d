"""Evidence: one immutable JSON document that says what was done, on what, how, and with what result.

Each document names the documents it builds on by digest (``parents``), so a model's whole life is a chain:
the evaluation names the hardening, which names the training, which names the data. The digest of a document
is SHA-256 over its RFC 8785 bytes without the ``digest`` field itself.

A digest shows that a document was not changed by accident; only a signature or the ledger shows who made it.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from hauberk.core.canonical import digest, parse_json
from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.display import Card, brief, facts_of, render, tables_of
from hauberk.core.errors import DataError, HauberkError, IntegrityError, check_known
from hauberk.core.files import read_bytes, write_atomic

SCHEMA = "hauberk-evidence/1"

KINDS = (
    "training",
    "hardening",
    "import",
    "evaluation",
    "attack",
    "curve",
    "corruptions",
    "poisoning",
    "extraction",
    "membership",
    "inversion",
    "privacy-audit",
    "certificates",
    "detection",
    "cleansing",
    "sweep",
    "sealing",
    "trace",
    "signing",
    "scan",
    "obfuscation",
    "watermark",
    "watermark-verification",
    "deidentification",
    "private-query",
    "anonymization",
    "aggregation",
    "backup-drill",
    "audit",
)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One record. All fields are plain JSON values.

    Args:
        kind: what was done; one of ``KINDS``.
        subject: what it was done to or what came out, such as ``{"name": "hardened", "digest": "sha256:…"}``.
        inputs: digests of everything that went in, by role (``dataset``, ``model``).
        parameters: what a repetition needs, complete.
        result: figures and per-sample verdicts; the meaning of its keys belongs to ``kind``.
        seed: the run's seed, or None where nothing was random.
        parents: digests of the evidence this builds on.
        duration_s: wall-clock seconds of the work.
        created: RFC 3339 time of the record.
        versions: the software that did it.
    """

    kind: str
    subject: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    parents: tuple[str, ...] = ()
    duration_s: float = 0.0
    created: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            check_known([self.kind], KINDS, what="kind of evidence", where="Evidence(kind=…)")
        object.__setattr__(self, "parents", tuple(self.parents))
        for name in ("subject", "inputs", "parameters", "result"):
            object.__setattr__(self, name, _listed(getattr(self, name)))
        if not self.created:
            object.__setattr__(self, "created", timestamp())
        if not self.versions:
            object.__setattr__(self, "versions", software_versions())

    def _body(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "subject": dict(self.subject),
            "inputs": dict(self.inputs),
            "parameters": dict(self.parameters),
            "result": dict(self.result),
            "seed": self.seed,
            "parents": list(self.parents),
            "duration_s": self.duration_s,
            "created": self.created,
            "versions": dict(self.versions),
        }

    @property
    def digest(self) -> str:
        """``sha256:<hex>``, the name by which later evidence refers to this one."""
        return digest(self._body())

    def to_json(self) -> dict[str, Any]:
        """The document with its own digest, ready for ``json.dumps``."""
        body = self._body()
        return {**body, "digest": digest(body)}

    def _repr_html_(self) -> str:
        """A card for notebooks."""
        name = str(self.subject.get("name", ""))
        facts = [
            ("evidence", self.digest),
            ("created", self.created),
            ("seed", brief(self.seed)),
            *facts_of(self.parameters),
            *facts_of(self.result),
        ]
        heading = f"{self.kind} of {name}" if name else self.kind
        return render(Card(heading, facts=tuple(facts), tables=tuple(tables_of(self.result))))

    @classmethod
    def from_json(cls, document: Any, *, where: str = "evidence") -> Evidence:
        """Read a document back.

        Raises:
            DataError: not an evidence document, or a key that lacks or holds the wrong kind of value.
            UnknownName: a key that does not belong.
            IntegrityError: the document is not the one its digest names.
        """
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise DataError(f"{where} is not a {SCHEMA} document")
        fields = {*cls.__dataclass_fields__}
        # the digest first: what was changed must not be taken for a typing error
        body = {key: value for key, value in document.items() if key != "digest"}
        if "digest" not in document:
            raise DataError(f"{where} lacks 'digest'")
        if digest(body) != document["digest"]:
            raise IntegrityError(f"{where} was changed after it was written: its digest does not match")
        check_known(document, fields | {"schema", "digest"}, what="key", where=where)
        missing = sorted(fields - document.keys())
        if missing:
            raise DataError(f"{where} lacks '{missing[0]}'")
        try:
            evidence = cls(**{name: document[name] for name in fields})
            found = evidence.digest
        except HauberkError:
            raise
        except (TypeError, ValueError) as error:
            raise DataError(f"{where} is malformed: {error}") from error
        if found != document["digest"]:
            raise IntegrityError(f"{where} was changed after it was written: its digest does not match")
        return evidence

    def save(self, folder: str | Path, name: str | None = None) -> Path:
        """Write ``<folder>/<name>.json``; the default name is the kind and the digest's first letters."""
        stem = name or f"{self.kind}-{self.digest.split(':')[1][:12]}"
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        return write_atomic(Path(folder) / f"{stem}.json", text.encode())

    @classmethod
    def load(cls, path: str | Path) -> Evidence:
        """Read a file that ``save`` wrote; raises as ``from_json``."""
        data = read_bytes(path, what="evidence file")
        return cls.from_json(parse_json(data, where=str(path)), where=str(path))


def _listed(value: Any) -> Any:
    """The same with lists in place of tuples, as it comes back from a file."""
    if isinstance(value, Mapping):
        return {key: _listed(one) for key, one in value.items()}
    return [_listed(one) for one in value] if isinstance(value, list | tuple) else value


def load_folder(folder: str | Path) -> list[Evidence]:
    """All evidence in a folder, oldest first (name order among equals)."""
    paths = sorted(Path(folder).glob("*.json"))
    return sorted((Evidence.load(path) for path in paths), key=lambda one: one.created)


def software_versions(packages: Iterable[str] = ("hauberk", "torch", "numpy")) -> dict[str, str]:
    """What ran: the interpreter and the packages that can change a figure."""
    versions = {"python": platform.python_version(), "platform": platform.machine()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "unknown"
    return versions


__all__ = ["KINDS", "SCHEMA", "Clock", "Evidence", "load_folder", "now", "software_versions"]
