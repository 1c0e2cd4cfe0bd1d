"""Packages a model runs with: version, licence, hashes, and which of them needs which."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hauberk.assurance.environment.locks import read_lock

ROOT = "hauberk"
_LONGEST = 80  # letters of a licence's name; what is longer is its text


@dataclass(frozen=True, order=True)
class Library:
    """A package.

    Args:
        name: normalised.
        licence: an SPDX expression where its author gave one, else his word; empty: he says nothing.
        files: SHA-256 of the files that may be installed, in hex, as a lock file demands them.
        record: SHA-256 of the list of files that were installed, each of them with its own; empty where it is
            not installed here.
        needs: names of other packages.
    """

    name: str
    version: str
    licence: str = ""
    files: tuple[str, ...] = ()
    record: str = ""
    needs: tuple[str, ...] = ()


def needed(roots: Iterable[str] = (ROOT,)) -> list[Library]:
    """The installed packages that some need, themselves included, by name; extras are left out."""
    waiting = [str(canonicalize_name(one)) for one in roots]
    found: dict[str, Library] = {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = _installed(metadata.distribution(name))
        except metadata.PackageNotFoundError:
            continue
        waiting += found[name].needs
    there = {name: _within(one, found.keys()) for name, one in found.items()}
    return sorted(there.values())


def locked(path: str | Path) -> list[Library]:
    """The packages of a lock file, with the hashes that it demands; licences as far as they are installed here.

    Raises:
        DataError: the file cannot be read.
    """
    packages = [one for one in read_lock(path) if one.parsed is not None]
    names = {one.name for one in packages}
    found = []
    for one in packages:
        try:
            own = _installed(metadata.distribution(one.name))
        except metadata.PackageNotFoundError:
            own = Library(one.name, one.version)
        same = own.version == one.version
        known = Library(one.name, one.version, own.licence, one.hashes, own.record if same else "", own.needs)
        found.append(_within(known, names))
    return sorted(set(found))


def _within(one: Library, names: Iterable[str]) -> Library:
    needs = tuple(sorted(set(one.needs) & set(names) - {one.name}))
    return Library(one.name, one.version, one.licence, one.files, one.record, needs)


def _installed(one: metadata.Distribution) -> Library:
    record = one.read_text("RECORD") or ""
    return Library(
        name=str(canonicalize_name(one.metadata["Name"])),
        version=one.version,
        licence=_licence(one),
        record=hashlib.sha256(record.encode()).hexdigest() if record else "",
        needs=tuple(sorted(_needs(one))),
    )


def _licence(one: metadata.Distribution) -> str:
    said = one.metadata.json
    if said.get("license_expression"):
        return str(said["license_expression"]).strip()
    word = str(said.get("license", "")).strip()
    if word and len(word) <= _LONGEST and "\n" not in word and word.upper() != "UNKNOWN":
        return word
    classes = [text for text in said.get("classifier", []) if text.startswith("License :: ")]
    return " AND ".join(text.rsplit(" :: ", 1)[1] for text in classes if text != "License :: OSI Approved")


def _needs(one: metadata.Distribution) -> set[str]:
    found = set()
    for text in one.requires or []:
        try:
            asked = Requirement(text)
        except InvalidRequirement:
            continue
        if asked.marker is None or asked.marker.evaluate({"extra": ""}):
            found.add(str(canonicalize_name(asked.name)))
    return found
