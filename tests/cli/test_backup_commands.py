"""``hauberk backup``, ``hauberk restore`` and ``hauberk vault doctor``: what is said, and which exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from transcripts import Call

from hauberk.core.evidence import Evidence


@pytest.fixture(autouse=True)
def engine(absent: Callable[[str, str], None]) -> None:
    if shutil.which("restic") is None:
        absent("restic", "apt install restic")


@pytest.fixture
def there(hauberk_command: Call, plain_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a vault that holds one version, and keys for its backups."""
    monkeypatch.chdir(tmp_path)
    for line in (
        ["vault", "init", "--vault", "vault"],
        ["vault", "push", plain_package, "net", "--vault", "vault"],
        ["keygen", "--out", "backup"],
    ):
        assert hauberk_command(*line).code == 0
    return tmp_path


BACKUP = ["backup", "--vault", "vault", "--to", "repo", "--password-file", "pw", "--recipient", "backup.pub"]
FROM = ["--from", "repo", "--password-file", "pw"]


def test_from_the_first_backup_to_the_last_restore(hauberk_command: Call, there: Path) -> None:
    before = hauberk_command(*BACKUP)
    assert (before.code, before.err.splitlines()[-1]) == (
        2,
        "hint: the first time: hauberk backup --init makes one",
    )
    first = hauberk_command(*BACKUP, "--init", "--json")
    assert first.code == 0, first.err
    assert "keep a copy" in first.err
    assert (there / "pw").stat().st_mode & 0o777 == 0o600
    second = json.loads(hauberk_command(*BACKUP, "--keep-last", "1", "--json").out)
    assert second["removed"] == 1
    assert second["artifacts"] == json.loads(first.out)["artifacts"]
    listed = json.loads(hauberk_command("backup", "list", *FROM, "--json").out)["snapshots"]
    assert [one["id"] for one in listed] == [second["snapshot"]]
    checked = hauberk_command("backup", "check", *FROM, "--max-age-hours", "1")
    assert checked.code == 0
    assert "1 backups, every byte as it was written" in checked.out
    drilled = hauberk_command("backup", "drill", *FROM, "--identity", "backup", "--json")
    assert drilled.code == 0, drilled.err
    result = json.loads(drilled.out)
    assert (result["passed"], result["model"]) == (True, "net@1")
    assert Evidence.load(result["evidence"]).kind == "backup-drill"
    refused = hauberk_command("restore", *FROM, "--identity", "backup", "--to", "vault")
    assert refused.code == 2
    assert "not empty" in refused.err
    restored = hauberk_command("restore", *FROM, "--identity", "backup", "--to", "back")
    assert restored.code == 0, restored.err
    assert "all verified" in restored.out
    assert "net@1" in hauberk_command("vault", "list", "--vault", "back").out


def test_damage_is_exit_code_1_and_one_clear_line(hauberk_command: Call, there: Path) -> None:
    assert hauberk_command(*BACKUP, "--init").code == 0
    pack = max(
        (one for one in (there / "repo" / "data").rglob("*") if one.is_file()),
        key=lambda one: one.stat().st_size,
    )
    data = bytearray(pack.read_bytes())
    data[5000] ^= 4
    pack.chmod(0o600)
    pack.write_bytes(data)
    for line in (
        ["backup", "check", *FROM],
        ["restore", *FROM, "--identity", "backup", "--to", "back"],
    ):
        said = hauberk_command(*line)
        assert said.code == 1, said
        assert said.err.startswith("error: the backup in repo is damaged")
    assert not (there / "back").exists()
    drilled = hauberk_command("backup", "drill", *FROM, "--identity", "backup")
    assert drilled.code == 1
    assert drilled.out.startswith("not passed: the backup in repo is damaged")
    record = Evidence.load(next((there / "evidence").glob("backup-drill-*.json")))
    assert record.result["passed"] is False


def test_a_trail_that_an_administrator_edited_does_not_pass_a_drill(hauberk_command: Call, there: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(there / "vault" / "vault.sqlite")) as connection, connection:
        names = [one[1] for one in connection.execute("PRAGMA table_info(access_trail)")]
        column = next(one for one in names if one in ("actor", "who", "data", "line"))
        changed = connection.execute(f"UPDATE access_trail SET {column} = 'mallory'").rowcount
    assert changed
    assert hauberk_command(*BACKUP, "--init").code in (0, 1)
    said = hauberk_command("backup", "drill", *FROM, "--identity", "backup")
    assert said.code == 1, said


def test_wrong_use(hauberk_command: Call, there: Path) -> None:
    for line, says in (
        (["backup", "--vault", "vault"], "say where the backup goes"),
        (["backup", "--vault", "vault", "--to", "repo"], "say who can open the vault's keys"),
        (BACKUP[:5] + BACKUP[7:], "with what is the repository opened"),
        (["backup", "--keep-last", "1", "list", *FROM], "options go behind 'list'"),
        (["backup", "dril"], "did you mean 'drill'"),
        (["restore", *FROM, "--to", "back"], "nothing to open it with"),
    ):
        said = hauberk_command(*line)
        assert said.code == 2, said
        assert says in said.err.splitlines()[0], said.err


def test_an_old_backup_fails_the_check(
    hauberk_command: Call, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime, timedelta

    from hauberk.core.errors import PolicyViolation
    from hauberk.vault.backup.ages import check_age
    from hauberk.vault.backup.restic import Snapshot

    made = datetime(2026, 1, 1, tzinfo=UTC)
    found = [
        Snapshot("a", "2025-12-01T00:00:00.123456789Z", "v"),
        Snapshot("b", "2026-01-01T00:00:00.5+00:00", "v"),
    ]
    check_age(found, 5, "repo", clock=lambda: made + timedelta(hours=4.9))
    with pytest.raises(PolicyViolation, match="6 hours old"):
        check_age(found, 5, "repo", clock=lambda: made + timedelta(hours=6))
    with pytest.raises(PolicyViolation, match="no backup"):
        check_age([], 5, "repo")


def test_a_schedule_is_written_and_its_command_works(hauberk_command: Call, there: Path) -> None:
    assert hauberk_command(*BACKUP, "--init").code == 0
    own = [*BACKUP[1:], "--keep-daily", "7", "--out", "units"]
    said = hauberk_command("backup", "schedule", *own, "--identity", "backup")
    assert said.code == 0, said.err
    assert len(said.out.splitlines()) == 6
    assert "systemctl enable --now" in said.err
    said = hauberk_command("backup", "schedule", *own, "--cron", "--every", "hour")
    assert said.code == 0, said.err
    lines = (there / "units" / "hauberk-backup.cron").read_text().splitlines()
    backup = next(one for one in lines if " --to " in one).split(maxsplit=6)[6]
    done = subprocess.run(["/bin/sh", "-c", backup], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    assert (
        len(json.loads(hauberk_command("backup", "list", *FROM, "--json").out)["snapshots"]) == 1
    )  # one a day


def test_the_doctor(hauberk_command: Call, there: Path) -> None:
    said = hauberk_command("vault", "doctor", "--vault", "vault", "--json")
    assert said.code == 0
    assert {"status", "name", "place", "found", "why", "todo"} == json.loads(said.out)["findings"][0].keys()
    (there / "vault" / "vault.key").chmod(0o644)
    said = hauberk_command("vault", "doctor", "--vault", "vault")
    assert said.code == 1
    assert "do: chmod 600 vault/vault.key" in said.out


def test_backups_start_without_torch() -> None:
    code = (
        "import sys\nfrom hauberk.cli.app import run\n"
        "import hauberk.vault.backup.drilling, hauberk.vault.doctor.examining\n"
        "run(['backup', '--help']); run(['restore', '--help']); run(['backup', 'schedule', '--help'])\n"
        "assert 'torch' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
