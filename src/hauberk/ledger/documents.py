"""Which entry a file becomes.

    evidence                   a statement: kind, subject, digest of the evidence, parents, time
    watermark commitment       a statement about the marked model
    signature (.sig)           a statement with the digest of the bundle: its certificate may name a person
    sealed file                a statement with the digest of the file
    statement                  itself; what stands under its key "private" is salted
    any other JSON             its own bytes, at most 65,535: all of the world may read them

Evidence of kinds that tell of people (who a copy was made for, who can open a file) is named by salted digests
only: few people can be meant, and who knows the rest of a document could try them all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hauberk.core.canonical import file_digest, parse_json
from hauberk.core.errors import DataError
from hauberk.core.evidence import SCHEMA as EVIDENCE
from hauberk.core.evidence import Evidence
from hauberk.core.files import machine_errors, read_bytes
from hauberk.crypto.age.header import VERSION as AGE
from hauberk.crypto.secret import Random
from hauberk.ledger.entry import Entry
from hauberk.ledger.statements import PRIVATE, SCHEMA, Statement, from_json, state

TELL_OF_PEOPLE = ("sealing", "trace")
_COMMITMENT = "hauberk-watermark-commitment/1"
_BUNDLE = "application/vnd.dev.sigstore.bundle"


def evidence_entry(evidence: Evidence, *, private: bool = False, random: Random = os.urandom) -> Entry:
    """The statement about a piece of evidence.

    Args:
        private: salt the digest, name and parents even where the kind does not tell of people.
    """
    subject, name = (_text(evidence.subject.get(key)) for key in ("digest", "name"))
    if not private and evidence.kind not in TELL_OF_PEOPLE:
        return state(
            Statement(evidence.kind, subject, name, evidence.created, evidence.digest, evidence.parents)
        )
    hidden = {"document": evidence.digest, "name": name, "parents": list(evidence.parents)}
    return state(Statement(evidence.kind, subject, None, evidence.created), hidden, random=random)


def file_entry(path: str | Path, *, private: bool = False, random: Random = os.urandom) -> Entry:
    """The entry for a file.

    Args:
        private: salt the digest, name and parents of evidence of any kind.

    Raises:
        DataError: neither JSON nor a sealed file, or too long.
        IntegrityError: evidence that was changed after it was written.
    """
    path = Path(path)
    if _begins(path, AGE):
        sealed = file_digest(path)
        return state(Statement("sealed-file", sealed, None, None, sealed))
    data = read_bytes(path, what="document")
    try:
        document = parse_json(data, where=str(path))
    except DataError as error:
        raise DataError(str(error), hint="a ledger takes JSON documents and sealed models") from error
    known = _known(document, data, str(path), private, random) if isinstance(document, dict) else None
    return known or Entry(data)


def _known(document: Mapping[str, Any], data: bytes, where: str, private: bool, random: Random) -> Entry | None:
    """The statement about a document whose kind is known here."""
    if document.get("schema") == EVIDENCE:
        return evidence_entry(Evidence.from_json(document, where=where), private=private, random=random)
    if document.get("schema") == SCHEMA:
        hidden = document.get(PRIVATE, {})
        if not isinstance(hidden, dict):
            raise DataError(f"{where}: '{PRIVATE}' holds facts by name")
        public = {key: value for key, value in document.items() if key != PRIVATE}
        return state(from_json(public, where=where), hidden, random=random)
    if document.get("format") == _COMMITMENT:
        model, created = _text(document.get("model")), _text(document.get("created"))
        facts = {"commitment": document.get("commitment")}
        return state(Statement("watermark-commitment", model, None, created, _sha256(data), facts=facts))
    if str(document.get("mediaType", "")).startswith(_BUNDLE):
        return state(Statement("signature", _sha256(data), None, None, _sha256(data)))
    return None


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _begins(path: Path, start: bytes) -> bool:
    with machine_errors("read", path):
        if not path.is_file():
            return False
        with open(path, "rb") as file:
            return file.read(len(start)) == start


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
