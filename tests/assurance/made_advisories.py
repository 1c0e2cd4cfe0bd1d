"""Small advisories in OSV's published schema, made by hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def advisory(id: str, package: str = "torch", *events: dict[str, str], **more: Any) -> dict[str, Any]:
    """An advisory about one package of PyPI, by default affected up to its fix in 2.6.0."""
    affected = {
        "package": {"ecosystem": "PyPI", "name": package, "purl": f"pkg:pypi/{package}"},
        "ranges": [{"type": "ECOSYSTEM", "events": list(events or ({"introduced": "0"}, {"fixed": "2.6.0"}))}],
    }
    if "versions" in more:
        affected["versions"] = more.pop("versions")
    document = {
        "schema_version": "1.7.0",
        "id": id,
        "modified": "2026-11-20T08:00:00Z",
        "published": "2025-04-18T15:00:00Z",
        "summary": f"a flaw in {package}",
        "affected": [affected],
        "references": [{"type": "WEB", "url": f"https://example.org/{id}"}],
    }
    return document | more


def zipped(path: Path, *documents: dict[str, Any]) -> Path:
    """As OSV publishes an ecosystem."""
    with zipfile.ZipFile(path, "w") as archive:
        for one in documents:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    return path


def folder_of(path: Path, *documents: dict[str, Any]) -> Path:
    path.mkdir()
    for one in documents:
        (path / f"{one['id']}.json").write_text(json.dumps(one), "utf-8")
    return path
