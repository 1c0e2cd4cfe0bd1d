"""All looks at an environment, gathered once; rules read what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hauberk.assurance.environment import online
from hauberk.assurance.environment.advisories import Advisory
from hauberk.assurance.environment.files import Files, look_at_files
from hauberk.assurance.environment.locks import lock_files, read_lock
from hauberk.assurance.environment.machine import Interpreter, Look
from hauberk.assurance.environment.machine import look as look_at_machine
from hauberk.assurance.environment.packages import Package, installed
from hauberk.assurance.environment.snapshot import read_snapshot
from hauberk.assurance.environment.vulnerable import Unjudged, Vulnerability, judge
from hauberk.assurance.text import Text, same
from hauberk.core.errors import ConfigError, HauberkError


@dataclass(frozen=True)
class Known:
    """Where the knowledge of flaws came from.

    Args:
        source: a file, a folder, or the service's address; empty where nobody was asked.
        digest: of the file, or None.
        age_days: since its newest advisory was changed, at the time of the audit; None where nobody was asked,
            or the service was, which is of today.
        advisories: how many it holds; None where that is not known.
        failed: why there is nothing to judge by; None where there is.
    """

    source: str = ""
    digest: str | None = None
    age_days: float | None = None
    advisories: int | None = None
    failed: Text | None = None


@dataclass(frozen=True)
class Environment:
    """What was found.

    Args:
        packages: all that were looked at, the installed ones first.
        locks: the files that name packages.
        known: by which knowledge packages were judged.
        flaws: packages with known flaws, the worst first.
        unjudged: packages that nobody can judge.
        unread: lock files that could not be read, with the reason.
        machine: looks at interpreter and machine.
        files: keys, rights and secrets; None where there is no folder to look at.
    """

    packages: tuple[Package, ...]
    locks: tuple[str, ...]
    known: Known
    flaws: tuple[Vulnerability, ...]
    unjudged: tuple[Unjudged, ...]
    unread: tuple[str, ...]
    machine: tuple[Look, ...]
    files: Files | None


def look(
    folder: str | Path | None,
    *,
    now: datetime,
    osv: str | Path | None = None,
    ask_online: bool = False,
    service: str = online.SERVICE,
    secrets: bool = True,
    own: Sequence[Package] | None = None,
    interpreter: Interpreter | None = None,
) -> Environment:
    """Look at this interpreter, and at a folder's lock files and files.

    Args:
        folder: a repository, a package or a vault; None for the interpreter alone.
        now: dates the copy of OSV and the interpreter.
        osv: a copy of OSV; ``ask_online`` asks the service instead.
        secrets: whether secrets in the folder's files are a finding; not in a vault, where they belong.
        own: the installed packages; None for those of this interpreter.
        interpreter: what to look at; None for this one.

    Knowledge that cannot be had (no network, a damaged copy) is no error here: ``known.failed`` says why, and a
    rule that needs it does not pass.

    Raises:
        ConfigError: a copy and the service, both.
    """
    if osv is not None and ask_online:
        raise ConfigError(
            "flaws are looked up in a copy of OSV or at its service: give one of --osv and --online"
        )
    packages, locks, unread = _packages(folder, own)
    known, about = _knowledge(packages, now, osv, ask_online, service)
    flaws, unjudged = judge(packages, about) if about else ([], [])
    return Environment(
        packages=tuple(packages),
        locks=tuple(locks),
        known=known,
        flaws=tuple(flaws),
        unjudged=tuple(unjudged),
        unread=tuple(unread),
        machine=tuple(look_at_machine(interpreter, today=now.date())),
        files=None if folder is None else look_at_files(folder, secrets=secrets),
    )


def _packages(
    folder: str | Path | None, own: Sequence[Package] | None
) -> tuple[list[Package], list[str], list[str]]:
    packages, locks, unread = list(installed() if own is None else own), [], []
    for path in lock_files(Path(folder)) if folder is not None and Path(folder).is_dir() else []:
        try:
            packages += read_lock(path)
            locks.append(str(path))
        except HauberkError as error:
            unread.append(str(error))
    return packages, locks, unread


def _knowledge(
    packages: Sequence[Package], now: datetime, osv: str | Path | None, ask_online: bool, service: str
) -> tuple[Known, Callable[[str], Sequence[Advisory]] | None]:
    try:
        if ask_online:
            said = online.ask(packages, service=service)
            return Known(service, age_days=0.0), lambda name: said.get(name, ())
        if osv is not None:
            copy = read_snapshot(osv)
            return Known(copy.source, copy.digest, copy.age_days(now), copy.count), copy.about
    except HauberkError as error:
        return Known(service if ask_online else str(osv), failed=same(str(error))), None
    nobody = Text("neither --osv FILE nor --online was given", "未给出 --osv FILE 或 --online")
    return Known(failed=nobody), None
