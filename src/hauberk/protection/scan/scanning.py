"""A file or a folder, looked at from end to end before anything loads it."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError
from hauberk.protection.scan import libraries as scanners
from hauberk.protection.scan.finding import Finding, Looked, Scan, Unread
from hauberk.protection.scan.inspecting import inspect
from hauberk.protection.scan.job import Job, Limits, Part
from hauberk.protection.scan.rules import RULES, SEVERITIES
from hauberk.protection.scan.window import Window

Opened = Callable[[], io.BufferedReader | io.BytesIO]


def scan(path: str | Path, *, limits: Limits | None = None, libraries: bool = True) -> Scan:
    """Look at a file, or at every file of a folder, without running or unpacking anything of it.

    Args:
        limits: how far each file is followed.
        libraries: also ask picklescan and fickling, where they are installed.

    Raises:
        DataError: there is nothing at ``path``, or neither a file nor a folder.
        EnvironmentFailure: it may not be read.

    Cost:
        One pass over the bytes for the digest, and one over what is not plain numbers. Memory stays below a few
        hundred MB whatever the file says.

    Limits:
        Shows that a file runs no code when it is loaded; says nothing about what the network in it answers: a
        trained-in backdoor is no finding. The C library that reads HDF5 files may have faults of its own.
    """
    findings: list[Finding] = []
    files = ((name, partial(_open, place)) for name, place in _files(Path(path), findings))
    return _scanned(str(path), files, findings, limits or Limits(), libraries)


def scan_held(
    files: Mapping[str, bytes], name: str, *, limits: Limits | None = None, libraries: bool = True
) -> Scan:
    """The same for files that are held in memory and are not to touch the disk.

    Args:
        files: their bytes, by their paths within the package.
        name: what messages call them all.
    """
    held = ((path, partial(io.BytesIO, data)) for path, data in sorted(files.items()))
    return _scanned(name, held, [], limits or Limits(), libraries)


def _scanned(
    path: str,
    files: Iterable[tuple[str, Opened]],
    findings: list[Finding],
    limits: Limits,
    libraries: bool,
) -> Scan:
    looked: list[Looked] = []
    unread: list[Unread] = []
    mentioned: set[str] = set()
    for name, opened in files:
        job = Job(name, limits, inspect, libraries)
        one = _look(opened, job)
        if one is not None:
            looked.append(one)
        findings += job.findings
        unread += job.unread
        mentioned |= {(PurePosixPath(name).parent / one).as_posix() for one in job.mentioned}
    # raw numbers beside a model that names them are no unknown kind
    findings = [one for one in findings if not (one.rule == "unknown/kind" and one.path in mentioned)]
    weight = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    findings.sort(
        key=lambda one: (weight[RULES[one.rule].severity], one.path, one.where, one.rule, one.message)
    )
    return Scan(
        path=path,
        files=tuple(looked),
        findings=tuple(findings),
        unread=tuple(unread),
        scanners=scanners.versions(libraries),
    )


def refuse(found: Scan) -> None:
    """Stop where a scan was not clean.

    Raises:
        IntegrityError: with ``facts`` ``findings``; names the worst.
        EnvironmentFailure: something could not be looked at.
    """
    if found.findings:
        worst = found.findings[0]
        more = f" (and {len(found.findings) - 1} more)" if len(found.findings) > 1 else ""
        raise IntegrityError(
            f"{found.path} was not read: {worst.rule}, {worst.line}{more}",
            hint=f"{worst.remedy}; hauberk scan {found.path} lists everything",
            findings=[one.to_json() for one in found.findings],
        )
    if found.unread:
        first = found.unread[0]
        raise EnvironmentFailure(f"{found.path} was not read: {first.reason}", hint=first.hint)


def _files(root: Path, findings: list[Finding]) -> Iterator[tuple[str, Path]]:
    """``(name, place)`` of every file; a link out of the folder is a finding and not followed."""
    try:
        mode = root.stat().st_mode
    except FileNotFoundError:
        raise DataError(f"nothing to scan at {root}", path=str(root)) from None
    except OSError as error:
        raise EnvironmentFailure(f"could not read {root}: {error.strerror}") from error
    if stat.S_ISREG(mode):
        yield root.name, root
        return
    if not stat.S_ISDIR(mode):
        raise DataError(f"{root} is neither a file nor a folder")
    base = root.resolve()
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted([*folders, *names]):
            place = Path(folder) / name
            shown = place.relative_to(root).as_posix()
            if place.is_symlink() and not place.resolve().is_relative_to(base):
                findings.append(_of(shown, "folder/link", f"leads to {os.readlink(place)!r}"))
            elif not place.is_symlink() and place.is_file():
                yield shown, place
            elif not place.is_symlink() and not place.is_dir():
                findings.append(_of(shown, "folder/special", "a pipe, a socket or a device"))


def _of(path: str, rule: str, message: str) -> Finding:
    return Finding(rule=rule, path=path, where="", message=message)


def _open(place: Path) -> io.BufferedReader:
    return open(place, "rb")


def _look(opened: Opened, job: Job) -> Looked | None:
    try:
        with opened() as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            kind = inspect(Part(Window.of(file), PurePosixPath(job.path).name), job)
    except OSError as error:
        job.missing(f"could not read it: {error.strerror or error}")
        return None
    return Looked(path=job.path, kind=kind, size_bytes=size, digest=f"sha256:{digest}")
