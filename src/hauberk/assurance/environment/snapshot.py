"""A downloaded copy of OSV, for networks that do not reach it: a zip, or a folder, of advisories.

OSV publishes ``PyPI/all.zip``: one JSON file for each advisory. How old a copy is, it says itself: somebody
changes an advisory nearly every day, so the newest change in it dates it. The time of the file is not asked,
for copying sets it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hauberk.assurance.environment.advisories import Advisory, parse
from hauberk.core.canonical import file_digest, parse_json
from hauberk.core.errors import DataError, EnvironmentFailure

_LARGEST = 64 << 20  # bytes of one advisory; the largest known has less than one MB
_MOST = 8 << 30  # bytes of all


@dataclass(frozen=True)
class Snapshot:
    """Advisories by package.

    Args:
        source: where they came from.
        digest: of the file; of a folder, None.
        newest: when the newest of them was changed.
        count: how many there are about PyPI, the withdrawn ones too.
        advisories: by normalised name, without the withdrawn ones.
    """

    source: str
    digest: str | None
    newest: datetime
    count: int
    advisories: Mapping[str, tuple[Advisory, ...]]

    def about(self, name: str) -> tuple[Advisory, ...]:
        """What is said about a package; withdrawn advisories say nothing."""
        return self.advisories.get(name, ())

    def age_days(self, now: datetime) -> float:
        """Days since the newest advisory was changed; below 0 where the copy or the clock is wrong."""
        return (now - self.newest).total_seconds() / 86400


def read_snapshot(path: str | Path) -> Snapshot:
    """Read a copy of OSV: a zip of JSON files, or a folder with such files in it and below.

    Raises:
        DataError: nothing there, not such a copy, damaged, or without any advisory about PyPI: an empty copy
            would find nothing.

    Cost: reads all of it; about 20 000 advisories take a few seconds.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"no advisories at {path}",
            hint="download PyPI/all.zip of OSV where there is a network, and bring it here",
        )
    documents = _folder(path) if path.is_dir() else _zip(path)
    found: list[Advisory] = []
    try:
        for where, data in documents:
            one = parse(parse_json(data, where=where), where=where)
            if one.affected:
                found.append(one)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise DataError(f"{path} cannot be read as a zip of advisories: {error}") from error
    except OSError as error:
        if isinstance(error, EnvironmentFailure):
            raise
        raise EnvironmentFailure(f"could not read {path}: {error.strerror or error}") from error
    if not found:
        raise DataError(f"{path} holds no advisory about packages of PyPI")
    return Snapshot(
        source=str(path),
        digest=None if path.is_dir() else file_digest(path),
        newest=max(one.modified for one in found),
        count=len(found),
        advisories=_by_package(found),
    )


def _zip(path: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".json"):
                continue
            total += info.file_size
            if info.file_size > _LARGEST or total > _MOST:
                raise DataError(f"{path} is larger than any copy of OSV: {info.filename}")
            with archive.open(info) as file:
                yield f"{path}: {info.filename}", file.read(_LARGEST + 1)


def _folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for one in sorted(path.rglob("*.json")):
        if one.is_file():
            if one.stat().st_size > _LARGEST:
                raise DataError(f"{one} is larger than any advisory")
            yield str(one), one.read_bytes()


def _by_package(found: list[Advisory]) -> dict[str, tuple[Advisory, ...]]:
    sorted_out: dict[str, dict[str, Advisory]] = {}
    for one in found:
        if one.withdrawn is None:
            for package in {each.package for each in one.affected}:
                sorted_out.setdefault(package, {})[one.id] = one
    return {package: tuple(each.values()) for package, each in sorted_out.items()}
