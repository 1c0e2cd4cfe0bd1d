"""Models from plain places: each name has one package or one sealed file, which may be exchanged at any time.

A place is best a link that is moved in one step (``ln -sfn``, or a rename). A file named like the package with
``.revoked`` behind it takes the model out of service at once; its first line is the reason.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from hauberk.core.canonical import file_digest, parse_json
from hauberk.core.errors import ConfigError, DataError, HauberkError
from hauberk.core.files import machine_errors, read_bytes
from hauberk.core.manifest import MANIFEST, check_digest
from hauberk.serving.admitting import Checks
from hauberk.serving.offers import NAME, Offer, Offers

REVOKED = ".revoked"
_VERSION_LETTERS = 12
_LONGEST_REASON = 200


class FolderSource:
    """One place for each name.

    Args:
        places: packages (folders) and sealed files, by the name under which callers ask for them.

    Raises:
        ConfigError: no place, or a name that cannot stand in a path of the protocol.
    """

    def __init__(self, places: Mapping[str, Path], checks: Checks) -> None:
        if not places:
            raise ConfigError("nothing to serve", hint="--models NAME=PACKAGE")
        for name in places:
            if not NAME.fullmatch(name):
                raise ConfigError(f"'{name}' cannot be the name of a model: letters, digits and ._- only")
        self._places, self._checks = dict(places), checks
        self._files: dict[Path, tuple[tuple[int, ...], str]] = {}
        self._seen: dict[Path, str] = {}

    def look(self) -> Offers:
        """As ``Source``; a version is the beginning of a digest, and a place without a model is ``unread``."""
        models, revoked, unread = [], {}, {}
        for name, place in self._places.items():
            path = place.resolve()  # a link that moves while the model is loaded changes nothing
            load = self._checks.package if path.is_dir() else self._checks.sealed
            try:
                digest = self._seen[path] = self._package(path) if path.is_dir() else self._file(path)
                models.append(Offer(name, _version(digest), digest, partial(load, path, digest)))
            except HauberkError as error:
                unread[name] = error
            if path in self._seen and (reason := _reason(path)) is not None:
                revoked[name, _version(self._seen[path])] = reason
        return Offers(tuple(models), revoked, unread)

    def _package(self, path: Path) -> str:
        where = str(path / MANIFEST)
        manifest = parse_json(read_bytes(path / MANIFEST, what="model package (model.json)"), where=where)
        if not isinstance(manifest, dict):
            raise DataError(f"{where} is no manifest")
        check_digest(manifest, where=where)
        return str(manifest["digest"])

    def _file(self, path: Path) -> str:
        """A sealed file's digest, computed again when the file is another one."""
        if not path.exists():
            raise DataError(f"no model at {path}", path=str(path))
        with machine_errors("read", path):
            found = os.stat(path)
            state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._files.get(path)
            if known is None or known[0] != state:
                known = self._files[path] = state, file_digest(path)
        return known[1]


def _version(digest: str) -> str:
    return digest.partition(":")[2][:_VERSION_LETTERS]


def _reason(path: Path) -> str | None:
    """Why a model was taken out of service; None where it was not."""
    note = path.with_name(path.name + REVOKED)
    if not note.exists():
        return None
    lines = read_bytes(note, what="revocation").decode("utf-8", "replace").splitlines()
    return lines[0].strip()[:_LONGEST_REASON] if lines and lines[0].strip() else "no reason given"


def places_of(texts: tuple[str, ...]) -> dict[str, Path]:
    """``NAME=PATH`` each.

    Raises:
        ConfigError: one that says something else, or a name twice.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name or not path:
            raise ConfigError(f"--models takes NAME=PACKAGE or NAME=FILE.sealed, got '{text}'")
        if name in found:
            raise ConfigError(f"--models names '{name}' twice")
        found[name] = Path(path)
    return found
