"""All places of a vault, looked at one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hauberk.core.database import Database, postgres_url
from hauberk.core.errors import DependencyMissing, HauberkError
from hauberk.ledger.opening import FILE as LEDGER_FILE
from hauberk.vault.doctor import clocks, disks, postgres, rights, sqlite, stores
from hauberk.vault.doctor.disks import Machine
from hauberk.vault.doctor.finding import Finding
from hauberk.vault.place import KEY, database_of
from hauberk.vault.settings import FILE, Settings, is_url


def examine(folder: Path, *, machine: Machine | None = None) -> list[Finding]:
    """Look at a vault's folder, database, artifacts and ledger. Neither the key nor any content is read.

    Raises:
        DataError: there is no vault.
        ConfigError: its ``vault.toml`` says what cannot be.
    """
    settings, own = Settings.load(folder), machine or Machine()
    return list(_looks(folder, settings, own))


def worst(findings: list[Finding], *, strict: bool = False) -> bool:
    """Whether the vault may be trusted to lie there; ``strict`` allows no warning either."""
    return not any(one.status == "fail" or (strict and one.status == "warn") for one in findings)


def _looks(folder: Path, settings: Settings, machine: Machine) -> Iterator[Finding]:
    secrets = [one for one in (folder / KEY, folder / settings.ledger_key) if one.exists()]
    files = [folder / FILE]
    yield from _places(folder, settings, machine)
    yield disks.swap(machine)
    yield clocks.kernel()
    yield from _database(folder, settings, machine)
    ledger = folder / settings.ledger / LEDGER_FILE
    if not is_url(settings.ledger):
        files.append(ledger)
    elif settings.ledger != settings.database:
        yield from _ledger_server(settings.ledger)
    if not is_url(settings.database):
        files.append(folder / settings.database)
    if is_url(settings.artifacts):
        try:
            yield from stores.look(settings.artifacts)
        except DependencyMissing as error:
            yield _away(settings.artifacts, error)
    yield from rights.look(folder, secrets, files)


def _places(folder: Path, settings: Settings, machine: Machine) -> Iterator[Finding]:
    """File systems of the vault's folder, and of parts that lie on another one."""
    parts = [folder / one for one in (settings.artifacts, settings.ledger) if not is_url(one)]
    seen = set()
    for one in (folder, *parts):
        mount = disks.mount_of(one, machine)
        if mount not in seen:
            seen.add(mount)
            yield from disks.look(one, machine)


def _database(folder: Path, settings: Settings, machine: Machine) -> Iterator[Finding]:
    with closing(database_of(folder, settings)) as database:
        try:
            if is_url(settings.database):
                yield from postgres.look(settings.database, database)
            else:
                yield from sqlite.look(folder / settings.database, database, machine)
        except HauberkError as error:
            yield _away(database.where, error)


def _ledger_server(url: str) -> Iterator[Finding]:
    shown = postgres_url(url).set(drivername="postgresql").render_as_string(hide_password=True)
    with closing(Database(postgres_url(url), shown, noun="ledger", absent=_absent)) as database:
        try:
            yield from postgres.look(url, database)
        except HauberkError as error:
            yield _away(shown, error)


def _absent(where: str) -> HauberkError:
    return HauberkError(f"{where} lacks a table")


def _away(place: str, error: HauberkError) -> Finding:
    why = "what does not answer cannot be looked at, and cannot be worked on"
    return Finding("fail", "reachable", place, str(error), why, error.hint or "see why it does not answer")
