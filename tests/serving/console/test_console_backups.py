"""Backups, drills and the doctor as the console shows them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hauberk.core.errors import NoIdentityMatched
from hauberk.core.evidence import Evidence
from hauberk.serving.console.backups import Backups, drills_of
from hauberk.vault import Vault, create_vault
from hauberk.vault.backup.addresses import parse_address
from hauberk.vault.backup.making import vault_id
from hauberk.vault.backup.restic import Repository, Snapshot

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "vault", clock=lambda: NOW) as made:
        yield made


class Listed(Repository):
    """A repository that lists what it is told."""

    def __init__(self, found: list[Snapshot] | Exception) -> None:
        self.address = parse_address("/mnt/backup")
        self.found, self.asked = found, 0

    def snapshots(self, vault: str | None = None) -> list[Snapshot]:
        self.asked += 1
        if isinstance(self.found, Exception):
            raise self.found
        return [one for one in self.found if one.vault == vault]


def made(vault: Vault, hours: float, id_: str = "a1") -> Snapshot:
    return Snapshot(id_, (NOW - timedelta(hours=hours)).isoformat(), vault_id(vault))


def drilled(vault: Vault, folder: Path, days: int, *, passed: bool) -> None:
    Evidence(
        kind="backup-drill",
        subject={"name": vault_id(vault), "digest": None},
        result={
            "passed": passed,
            "reason": None if passed else "entry 3 lacks",
            "backup_created": "2026-04-30T03:15:00Z",
            "versions": 4,
            "ledger_size": 9,
            "model": "digits@4",
        },
        created=(NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    ).save(folder)


def test_a_server_that_was_told_no_place_says_so(vault: Vault, tmp_path: Path) -> None:
    view = Backups(None, tmp_path / "evidence").view(vault)
    assert (view.place, view.problem, view.snapshots, view.late) == (None, None, (), False)
    assert (view.drill, view.stale) == (None, True)


def test_the_newest_backup_comes_first_and_an_old_one_is_late(vault: Vault, tmp_path: Path) -> None:
    other = Snapshot("ff", NOW.isoformat(), "another vault")
    fresh = Backups(Listed([made(vault, 30, "a1"), made(vault, 5, "a2"), other]), tmp_path).view(vault)
    assert ([one.id for one in fresh.snapshots], fresh.count, fresh.late) == (["a2", "a1"], 2, False)
    assert Backups(Listed([made(vault, 40)]), tmp_path).view(vault).late
    assert Backups(Listed([]), tmp_path).view(vault).late


def test_a_place_that_does_not_answer_is_a_problem_and_no_late_backup(vault: Vault, tmp_path: Path) -> None:
    view = Backups(Listed(NoIdentityMatched("the password does not open it")), tmp_path).view(vault)
    assert view.problem == "the password does not open it"
    assert not view.late


def test_it_is_looked_at_once_a_minute(vault: Vault, tmp_path: Path) -> None:
    repository, seconds = Listed([made(vault, 1)]), 0.0
    backups = Backups(repository, tmp_path, seconds=lambda: seconds)
    backups.view(vault)
    backups.view(vault)
    assert repository.asked == 1
    seconds = 61.0
    backups.view(vault)
    assert repository.asked == 2


def test_who_does_not_wait_gets_what_was_found_last(vault: Vault, tmp_path: Path) -> None:
    repository, seconds = Listed([made(vault, 1)]), 0.0
    backups = Backups(repository, tmp_path, seconds=lambda: seconds)
    assert backups.newest(vault) is None
    for thread in threading.enumerate():
        if thread.name == "backups":
            thread.join()
    found = backups.newest(vault)
    assert found is not None
    assert (found.count, repository.asked) == (1, 1)


def test_a_drill_counts_where_it_passed_and_is_not_old(vault: Vault, tmp_path: Path) -> None:
    drilled(vault, tmp_path, 40, passed=True)
    drilled(vault, tmp_path, 2, passed=False)
    (tmp_path / "backup-drill-broken.json").write_text("{}")
    view = Backups(None, tmp_path).view(vault)
    assert [(one.passed, one.reason) for one in view.drills] == [(False, "entry 3 lacks"), (True, "")]
    assert view.drill is not None
    assert (view.drill.versions, view.drill.entries, view.drill.model) == (4, 9, "digits@4")
    assert view.stale, "the one that passed is 40 days old"
    drilled(vault, tmp_path, 1, passed=True)
    assert not Backups(None, tmp_path).view(vault).stale
    assert drills_of(tmp_path, "another vault") == ()


def test_what_the_doctor_fails_comes_first(vault: Vault, tmp_path: Path) -> None:
    assert Backups(None, tmp_path).view(vault).sound
    (vault.folder / "vault.key").chmod(0o644)
    view = Backups(None, tmp_path).view(vault)
    assert not view.sound
    assert (view.findings[0].status, view.findings[0].name) == ("fail", "key-rights")
