"""Advisories in the schema of OSV (Open Source Vulnerability format, 1.x), read as untrusted input.

Source: ossf.github.io/osv-schema. Fields that this reader does not know are left alone, as the schema asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from packaging.utils import canonicalize_name

from hauberk.assurance.environment.severity import Severity, severity_of
from hauberk.core.errors import DataError

ECOSYSTEM = "PyPI"
_EVENTS = ("introduced", "fixed", "last_affected", "limit")


@dataclass(frozen=True)
class Range:
    """Versions between events; each event is ``(kind, version)``, in the order of the file."""

    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Affected:
    """What an advisory says about one package: ranges and single versions, either of which is enough."""

    package: str
    ranges: tuple[Range, ...]
    versions: tuple[str, ...]


@dataclass(frozen=True)
class Advisory:
    """One advisory, as far as it is about packages of PyPI.

    Args:
        id: such as ``GHSA-…``, ``PYSEC-…`` or ``CVE-…``.
        aliases: other names of the same flaw.
        modified: when it was last changed; ``withdrawn``: when it was taken back, or None.
        severity: the worst that it says; ``unknown`` where it says nothing that can be read.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: Severity
    modified: datetime
    withdrawn: datetime | None
    affected: tuple[Affected, ...]


def parse(document: Any, *, where: str) -> Advisory:
    """Read one advisory.

    Raises:
        DataError: it does not fit the schema; nothing is guessed, for what is skipped is never found.
    """
    if not isinstance(document, Mapping):
        raise DataError(f"{where} is no advisory: not an object")
    name = document.get("id")
    if not isinstance(name, str) or not name:
        raise DataError(f"{where} is no advisory: it has no id")
    return Advisory(
        id=name,
        aliases=_texts(document, "aliases", where),
        summary=_summary(document),
        severity=severity_of(document, malicious=name.startswith("MAL-")),
        modified=moment(document.get("modified"), where=f"{where}: modified"),
        withdrawn=moment(document["withdrawn"], where=f"{where}: withdrawn")
        if document.get("withdrawn") is not None
        else None,
        affected=tuple(_affected(document, where)),
    )


def moment(text: object, *, where: str) -> datetime:
    """An RFC 3339 time with its zone.

    Raises:
        DataError: it is none.
    """
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise DataError(f"{where} is no time: {text!r}")
    return found


def _summary(document: Mapping[str, Any]) -> str:
    for key in ("summary", "details"):
        text = document.get(key)
        if isinstance(text, str) and text.strip():
            line = " ".join(text.split())
            return line if len(line) <= 160 else f"{line[:159]}…"
    return ""


def _texts(document: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    found = document.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise DataError(f"{where}: '{key}' is no list of texts")
    return tuple(found)


def _objects(document: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    found = document.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise DataError(f"{where}: '{key}' is no list of objects")
    return found


def _affected(document: Mapping[str, Any], where: str) -> Iterator[Affected]:
    for one in _objects(document, "affected", where):
        package = one.get("package")
        if not isinstance(package, Mapping):  # of a repository alone: commits, no package
            continue
        ecosystem, name = package.get("ecosystem"), package.get("name")
        if not isinstance(ecosystem, str) or not isinstance(name, str):
            raise DataError(f"{where}: a package without ecosystem or name")
        if ecosystem.partition(":")[0] == ECOSYSTEM:
            yield Affected(
                str(canonicalize_name(name)),
                tuple(_ranges(one, where)),
                _texts(one, "versions", where),
            )


def _ranges(affected: Mapping[str, Any], where: str) -> Iterator[Range]:
    for one in _objects(affected, "ranges", where):
        if one.get("type") == "GIT":  # commits; the versions stand beside them
            continue
        events = [
            (kind, event[kind])
            for event in _objects(one, "events", where)
            for kind in _EVENTS
            if event.get(kind) is not None
        ]
        if not all(isinstance(version, str) for _, version in events):
            raise DataError(f"{where}: an event without a version")
        yield Range(tuple(events))
