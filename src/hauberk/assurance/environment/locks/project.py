"""``pyproject.toml``: what is asked for, which is seldom one version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hauberk.assurance.environment.locks.requirements import of_text
from hauberk.assurance.environment.locks.tables import toml
from hauberk.assurance.environment.packages import Package, named
from hauberk.core.errors import DataError


def read(path: Path) -> list[Package]:
    """The requirements of a project (PEP 621), its extras, groups (PEP 735) and build, and Poetry's own.

    What the project asks of itself (an extra made of others) is left out.

    Raises:
        DataError: not TOML, or a list of requirements that is none.
    """
    document = toml(path)
    project = _table(path, document, "project")
    lists = [
        project.get("dependencies", []),
        *_table(path, project, "optional-dependencies").values(),
        *_table(path, document, "dependency-groups").values(),
        _table(path, document, "build-system").get("requires", []),
    ]
    own = named(str(project.get("name", "")) or "-", "", "").name
    found = [of_text(text, str(path)) for one in lists for text in _texts(path, one)]
    found += _poetry(path, document)
    return [one for one in dict.fromkeys(found) if one.name != own]


def _table(path: Path, document: dict[str, Any], key: str) -> dict[str, Any]:
    found = document.get(key, {})
    if not isinstance(found, dict):
        raise DataError(f"{path}: '{key}' is no table")
    return found


def _texts(path: Path, listed: object) -> Iterator[str]:
    if not isinstance(listed, list):
        raise DataError(f"{path}: requirements must be a list, got {listed!r}")
    for one in listed:
        if isinstance(one, str):
            yield one
        elif not isinstance(one, dict):  # a table includes another group, which is read itself
            raise DataError(f"{path}: {one!r} is no requirement")


def _poetry(path: Path, document: dict[str, Any]) -> Iterator[Package]:
    """Poetry writes ``torch = "^2.6"``; a version without a sign is a range for it."""
    poetry = _table(path, _table(path, document, "tool"), "poetry")
    groups = _table(path, poetry, "group").values()
    tables = [poetry, *(one for one in groups if isinstance(one, dict))]
    for table in tables:
        for name, asked in _table(path, table, "dependencies").items():
            said = str(asked.get("version", asked) if isinstance(asked, dict) else asked)
            if name.lower() != "python":
                exact = said[2:].strip() if said.startswith("==") and "*" not in said else ""
                yield named(name, exact, str(path), asked="" if exact else said)
