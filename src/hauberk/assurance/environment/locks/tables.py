"""Lock files that are tables: Poetry, PDM, uv, Pipenv, and PEP 751's ``pylock.toml``."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hauberk.assurance.environment.packages import Package, named
from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError
from hauberk.core.files import read_bytes


def poetry(path: Path) -> list[Package]:
    """``poetry.lock`` and ``pdm.lock``: hashes under each package, in older files in a table of their own."""
    document = toml(path)
    older = document.get("metadata", {}).get("files", {})
    return [
        _package(path, one, one.get("files") or older.get(one.get("name"), []))
        for one in _packages(path, document, "package")
    ]


def uv(path: Path) -> list[Package]:
    """``uv.lock``: without what lies in the repository itself."""
    return [
        _package(path, one, [*one.get("wheels", []), *([one["sdist"]] if "sdist" in one else [])])
        for one in _packages(path, toml(path), "package")
        if not {"virtual", "editable"} & set(one.get("source", {}))
    ]


def pylock(path: Path) -> list[Package]:
    """``pylock.toml`` (PEP 751)."""
    found = []
    for one in _packages(path, toml(path), "packages"):
        parts = [*one.get("wheels", []), *(one[key] for key in ("sdist", "archive") if key in one)]
        files = [{"hash": f"sha256:{part.get('hashes', {}).get('sha256', '')}"} for part in parts]
        if "directory" not in one:
            found.append(_package(path, one, files))
    return found


def pipfile(path: Path) -> list[Package]:
    """``Pipfile.lock``, which is JSON: what is run, and what is developed with."""
    document = parse_json(read_bytes(path, what="lock file"), where=str(path))
    found = []
    for section in ("default", "develop"):
        packages = document.get(section, {}) if isinstance(document, dict) else None
        if not isinstance(packages, dict) or not all(isinstance(one, dict) for one in packages.values()):
            raise DataError(f"{path} is no Pipfile.lock: '{section}' is no table of packages")
        for name, one in packages.items():
            version = str(one.get("version", "")).removeprefix("==")
            hashes = tuple(str(each).removeprefix("sha256:") for each in one.get("hashes", []))
            asked = "" if version else json.dumps(one, sort_keys=True)
            found.append(named(name, version, str(path), asked=asked, hashes=hashes))
    return found


def toml(path: Path) -> dict[str, Any]:
    """A TOML file.

    Raises:
        DataError: it cannot be read as such.
    """
    try:
        return tomllib.loads(read_bytes(path, what="file").decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} cannot be read as TOML: {str(error).splitlines()[0]}") from error


def _packages(path: Path, document: dict[str, Any], key: str) -> Iterator[dict[str, Any]]:
    found = document.get(key, [])
    if not isinstance(found, list):
        raise DataError(f"{path}: '{key}' is no list of packages")
    for one in found:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise DataError(f"{path}: a package without a name")
        yield one


def _package(path: Path, one: dict[str, Any], files: Any) -> Package:
    version = one.get("version", "")
    if not isinstance(version, str):
        raise DataError(f"{path}: the version of '{one['name']}' is no text")
    hashes = re.findall(r"sha256:([0-9a-f]{64})", json.dumps(files, default=str))
    return named(one["name"], version, str(path), asked="" if version else "no version", hashes=tuple(hashes))
