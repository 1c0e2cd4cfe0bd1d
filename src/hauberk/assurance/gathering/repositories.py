"""A folder with packages, data, recipes and lock files: everything in it that an audit can read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hauberk.assurance.target import DataFile
from hauberk.core.canonical import file_digest
from hauberk.core.manifest import MANIFEST

_SKIPPED = {".git", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".mypy_cache", "site-packages"}
_DATA = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow", ".npz", ".npy", ".xlsx")
_ENCRYPTED = (b"age-encryption.org/v1\n", b"PARE")


def walk(folder: Path) -> Iterator[Path]:
    """Every ordinary file, in order; environments, caches and what links lead to are left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if one not in _SKIPPED and not one.startswith(".hauberk"))
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path


def packages_in(folder: Path) -> list[Path]:
    """Every model package, by path."""
    return sorted(one.parent for one in walk(folder) if one.name == MANIFEST)


def evidence_folders(folder: Path, packages: list[Path]) -> list[Path]:
    """Folders of evidence outside of packages."""
    found = {one.parent for one in walk(folder) if one.suffix == ".json" and one.parent.name == "evidence"}
    return sorted(one for one in found if not any(one.is_relative_to(package) for package in packages))


def gather_data(folder: Path, packages: list[Path]) -> tuple[DataFile, ...]:
    """Files of learning data, and whether each of them is encrypted."""
    found = []
    for one in walk(folder):
        if any(one.is_relative_to(package) for package in packages):
            continue
        with open(one, "rb") as file:
            encrypted = file.read(32).startswith(_ENCRYPTED)
        names = [suffix.lower() for suffix in one.suffixes]
        if any(suffix in _DATA for suffix in names) or (encrypted and one.suffix != ".sealed"):
            found.append(DataFile(file=one.relative_to(folder).as_posix(), encrypted=encrypted))
    return tuple(found)


def files_of(folder: Path) -> dict[str, str]:
    """Digests of all files, by name; of those that cannot be read, that."""
    found = {}
    for one in walk(folder):
        try:
            found[one.relative_to(folder).as_posix()] = file_digest(one)
        except OSError:
            found[one.relative_to(folder).as_posix()] = "unreadable"
    return found
