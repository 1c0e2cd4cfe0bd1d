"""Backups: what there is, whether one was put back and judged, and where the vault lies now."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hauberk.core.errors import HauberkError
from hauberk.core.evidence import Evidence
from hauberk.serving.console.moments import milliseconds
from hauberk.serving.console.pages import Asked, Concern, Page
from hauberk.serving.console.viewer import Viewer
from hauberk.vault.backup.drilling import KIND
from hauberk.vault.backup.making import vault_id
from hauberk.vault.backup.restic import Repository, Snapshot
from hauberk.vault.doctor.examining import examine, worst
from hauberk.vault.doctor.finding import Finding
from hauberk.vault.place import Vault

SHOWN = 30  # backups in the list
LATE = timedelta(hours=36)  # a daily backup that did not run
STALE = timedelta(days=31)  # a drill
RECORDS = "evidence"
"""The folder in a vault's folder where records of drills are looked for."""

_KEPT_S = 60.0  # restic derives its key anew for each look, which takes a second
_RANK = {"fail": 0, "warn": 1, "ok": 2}


@dataclass(frozen=True)
class Backup:
    """One backup in the list; ``made_ms`` is when, in POSIX milliseconds."""

    id: str
    made_ms: int


@dataclass(frozen=True)
class Drilled:
    """The record of one drill.

    Args:
        created_ms: when; ``backup_ms`` is when the backup was made that was put back; POSIX milliseconds.
        reason: why it did not pass; empty where it did.
        model: the version that was opened, or None.
        digest: of the record.
    """

    created_ms: int
    backup_ms: int | None
    passed: bool
    reason: str
    versions: int
    entries: int
    model: str | None
    digest: str


@dataclass(frozen=True)
class BackupsView:
    """All about a vault's safety from loss.

    Args:
        place: where the backups are; None where the server was not told.
        problem: why they could not be listed; None where they were.
        snapshots: of this vault, the newest first; ``count`` how many there are in all.
        late, stale: whether the newest backup, or the last drill that passed, is too old or there is none.
        drills: the newest first.
        findings: what the doctor found, the worst first.
        sound: whether nothing of that fails.
    """

    place: str | None
    problem: str | None
    snapshots: tuple[Backup, ...]
    count: int
    late: bool
    drills: tuple[Drilled, ...]
    stale: bool
    findings: tuple[Finding, ...]
    sound: bool

    @property
    def drill(self) -> Drilled | None:
        """The last one."""
        return self.drills[0] if self.drills else None


class Backups:
    """Looks at a vault's backups, at most once a minute. Threads can share it.

    Args:
        repository: opened with the password file that the server was told; None where it was told none.
        records: folder in which drills left their records.
        seconds: a clock that only runs forward.
    """

    def __init__(
        self,
        repository: Repository | None,
        records: Path,
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository, self._records, self._seconds = repository, records, seconds
        self._lock = threading.Lock()
        self._found: tuple[float, BackupsView] | None = None

    def view(self, vault: Vault) -> BackupsView:
        """What there is; of up to a minute ago."""
        with self._lock:
            if self._found is None or self._is_old(self._found[0]):
                self._found = self._seconds(), self._look(vault)
            return self._found[1]

    def newest(self, vault: Vault) -> BackupsView | None:
        """What was found last, without waiting; None before the first look. An old one is looked at again
        meanwhile."""
        found = self._found
        if (found is None or self._is_old(found[0])) and not self._lock.locked():
            threading.Thread(target=self._renew, args=(vault,), daemon=True, name="backups").start()
        return None if found is None else found[1]

    def _renew(self, vault: Vault) -> None:
        with suppress(HauberkError):  # whoever opens the page is told
            self.view(vault)

    def _is_old(self, at_s: float) -> bool:
        return self._seconds() - at_s > _KEPT_S

    def _look(self, vault: Vault) -> BackupsView:
        place, problem, snapshots = None, None, list[Snapshot]()
        if self._repository is not None:
            place = self._repository.address.written
            try:
                snapshots = list(reversed(self._repository.snapshots(vault_id(vault))))
            except HauberkError as error:
                problem = str(error)
        drills = drills_of(self._records, vault_id(vault))
        findings, sound = examined(vault.folder)
        present = vault.now_ms()
        made = [Backup(one.id, milliseconds(one.time) or 0) for one in snapshots]
        passed = [one.created_ms for one in drills if one.passed]
        return BackupsView(
            place=place,
            problem=problem,
            snapshots=tuple(made[:SHOWN]),
            count=len(snapshots),
            late=problem is None and place is not None and _older([one.made_ms for one in made], LATE, present),
            drills=drills,
            stale=_older(passed, STALE, present),
            findings=findings,
            sound=sound,
        )


def drills_of(folder: Path, vault: str) -> tuple[Drilled, ...]:
    """The records of drills of one vault, the newest first; a file that cannot be read is left out."""
    found = []
    for path in sorted(folder.glob(f"{KIND}*.json")):
        try:
            one = Evidence.load(path)
        except HauberkError:
            continue
        if one.kind == KIND and one.subject.get("name") == vault:
            found.append(_drilled(one))
    return tuple(sorted(found, key=lambda one: one.created_ms, reverse=True))


def examined(folder: Path) -> tuple[tuple[Finding, ...], bool]:
    """What the doctor says of a vault's places, the worst first, and whether nothing fails."""
    found = examine(folder)
    return tuple(sorted(found, key=lambda one: _RANK[one.status])), worst(found)


def _drilled(one: Evidence) -> Drilled:
    result = one.result
    return Drilled(
        created_ms=milliseconds(one.created) or 0,
        backup_ms=milliseconds(str(result.get("backup_created", ""))),
        passed=result.get("passed") is True,
        reason=str(result.get("reason") or ""),
        versions=int(result.get("versions") or 0),
        entries=int(result.get("ledger_size") or 0),
        model=str(result["model"]) if result.get("model") else None,
        digest=one.digest,
    )


def _older(times_ms: list[int], most: timedelta, now_ms: int) -> bool:
    """Whether the newest of these times lies further back, or there is none."""
    return not times_ms or now_ms - max(times_ms) > most.total_seconds() * 1000


def _view(viewer: Viewer, _asked: Asked) -> BackupsView:
    return viewer.inside.kept.backups.view(viewer.vault)


def _concerns(viewer: Viewer) -> Sequence[Concern]:
    found, to = viewer.inside.kept.backups.newest(viewer.vault), "/backups"
    concerns = list[Concern]()
    if found is None:
        return concerns
    if not found.sound:
        concerns.append(Concern("bad", "backups.concern.doctor", to))
    if found.problem is not None:
        concerns.append(Concern("bad", "backups.concern.problem", to))
    elif found.late:
        concerns.append(Concern("bad", "backups.concern.late", to))
    if found.drill is not None and not found.drill.passed:
        concerns.append(Concern("bad", "backups.concern.drill", to))
    elif found.stale:
        concerns.append(Concern("warn", "backups.concern.stale", to))
    return concerns


PAGES = (Page(name="backups", path="/backups", view=_view, action="audit.read", concerns=_concerns),)
