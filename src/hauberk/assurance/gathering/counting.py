"""Which documents count for a model: whole, of this model, and not older than it.

A digest in a document shows accidents and careless edits. Against a person who writes a document anew, with
another figure and a fitting digest, there are the ledger and signatures, which are other rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hauberk.assurance.target import Refused
from hauberk.assurance.text import Text
from hauberk.core.canonical import parse_json
from hauberk.core.errors import HauberkError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.core.files import read_bytes

NO_MODEL = (
    "deidentification",
    "anonymization",
    "aggregation",
    "private-query",
    "backup-drill",
    "audit",
    "scan",
)
"""Kinds whose subject is no model."""

_CLOCKS = timedelta(minutes=5)  # by which two machines' clocks may differ
_EDITED = Text("it was changed after it was written: its digest does not match", "写成之后被改动过：其摘要不符")
_MALFORMED = Text("it is no evidence that this version can read: {error}", "不是本版本能读取的证据：{error}")
_OLDER = Text(
    "it is dated {created}, and the model was made at {born}: it cannot speak of this model",
    "其日期为 {created}，而模型产生于 {born}：它不可能是关于该模型的",
)
_FUTURE = Text("it is dated {created}, which is yet to come", "其日期为 {created}，尚未到来")
_FOREIGN = Text("it speaks of another model ({name})", "它说的是另一个模型（{name}）")


@dataclass(frozen=True)
class Document:
    """A file that says it is evidence: ``evidence``, or why it is none."""

    file: str
    evidence: Evidence | None = None
    refused: Refused | None = None


@dataclass(frozen=True)
class Counted:
    """Documents of one model, sorted; each of them oldest first."""

    own: tuple[Evidence, ...]
    related: tuple[Evidence, ...]
    refused: tuple[Refused, ...]


def read_document(path: Path, name: str) -> Document | None:
    """One file; None where it is JSON of another kind, of which nobody says that it is evidence."""
    try:
        data = read_bytes(path, what="evidence file")
        document = parse_json(data, where=name)
    except HauberkError as error:
        return Document(name, refused=_malformed(name, None, error))
    if not isinstance(document, dict) or not str(document.get("schema", "")).startswith("hauberk-evidence"):
        return None
    claimed = document.get("digest")
    digest = claimed if isinstance(claimed, str) else None
    try:
        return Document(name, Evidence.from_json(document, where=name))
    except IntegrityError:
        return Document(name, refused=Refused(name, digest, "edited", _EDITED))
    except HauberkError as error:
        return Document(name, refused=_malformed(name, digest, error))


def read_folder(folder: Path, *, below: Path | None = None) -> list[Document]:
    """All documents of a folder, by name; none where there is no such folder."""
    root = below or folder
    found = (read_document(one, _named(one, root)) for one in sorted(folder.glob("*.json")) if one.is_file())
    return [one for one in found if one is not None]


def count(
    documents: Iterable[Document], names: Mapping[str, str], born: tuple[Evidence, ...], at: datetime
) -> Counted:
    """Sort documents by whether they count for a model.

    Args:
        names: digests by which the model may be called (model, package, files made of it), and what each is.
        born: evidence within the package, which is verified with it.
        at: the present.
    """
    inside = {one.digest for one in born}
    birth = max((one.created for one in born), default="")
    own, related = list(born), list[Evidence]()
    refused: list[Refused] = []
    for document in documents:
        one = document.evidence
        if document.refused is not None:
            refused.append(document.refused)
        if one is None or one.digest in inside or one.kind in NO_MODEL:
            continue
        inside.add(one.digest)
        about = one.subject.get("digest") in names
        if not about and not _went_in(one) & names.keys():
            refused.append(_refuse(document.file, one, "foreign", _FOREIGN, name=one.subject.get("name")))
        elif _time(one) > at + _CLOCKS:
            refused.append(_refuse(document.file, one, "future", _FUTURE, created=one.created))
        elif birth and one.created < birth:
            refused.append(_refuse(document.file, one, "older", _OLDER, created=one.created, born=birth))
        else:
            (own if about else related).append(one)
    return Counted(_ordered(own), _ordered(related), tuple(refused))


def about_no_model(
    documents: Iterable[Document], at: datetime
) -> tuple[tuple[Evidence, ...], tuple[Refused, ...]]:
    """Documents that speak of data, backups or earlier audits, and those that nothing can be said of."""
    found: dict[str, Evidence] = {}
    refused = []
    for document in documents:
        one = document.evidence
        if document.refused is not None:
            refused.append(document.refused)
        elif one is not None and one.kind in NO_MODEL:
            if _time(one) > at + _CLOCKS:
                refused.append(_refuse(document.file, one, "future", _FUTURE, created=one.created))
            else:
                found[one.digest] = one
    return _ordered(found.values()), tuple(refused)


def _ordered(found: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda one: one.created))


def _refuse(file: str, one: Evidence, reason: Any, why: Text, **facts: object) -> Refused:
    return Refused(file, one.digest, reason, why.format(**{key: str(value) for key, value in facts.items()}))


def _malformed(file: str, digest: str | None, error: HauberkError) -> Refused:
    # braces of a foreign file's words must not be taken for places
    return Refused(file, digest, "malformed", _MALFORMED.format(error=str(error)))


def _went_in(one: Evidence) -> set[str]:
    values = (value.get("digest") for value in one.inputs.values() if isinstance(value, dict))
    return {value for value in values if isinstance(value, str)}


def _time(one: Evidence) -> datetime:
    """Of a document that says no time: the end of all times, so that it never counts."""
    try:
        found = datetime.fromisoformat(one.created)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return found if found.tzinfo else datetime.max.replace(tzinfo=UTC)


def _named(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
