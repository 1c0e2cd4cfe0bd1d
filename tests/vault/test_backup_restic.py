"""The engine: what goes in comes out, every flipped bit is found, and what goes wrong is one clear line."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hauberk.core.errors import (
    ConfigError,
    DataError,
    DependencyMissing,
    EnvironmentFailure,
    IntegrityError,
    NoIdentityMatched,
)
from hauberk.vault.backup.addresses import parse_address
from hauberk.vault.backup.password import new_password
from hauberk.vault.backup.restic import Repository
from hauberk.vault.backup.retention import Retention

SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")


@pytest.fixture(autouse=True)
def engine(absent: Callable[[str, str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("restic") is None:
        absent("restic", "apt install restic")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / "large").write_bytes(random.Random(5).randbytes(3_000_000))
    (folder / "small").write_text("small")
    return folder


def tree(folder: Path) -> dict[str, str]:
    files = [one for one in sorted(folder.rglob("*")) if one.is_file()]
    return {str(one.relative_to(folder)): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.chmod(0o600)
    file.write_bytes(data)


def test_what_is_stored_comes_back_and_the_same_again_costs_nothing(
    repository: Repository, content: Path, tmp_path: Path
) -> None:
    first = repository.store(content, "v")
    again = repository.store(content, "v")
    assert first.files_new == 2
    assert again.files_new == 0
    assert again.added_bytes < 5_000 < 3_000_000 <= first.added_bytes
    (content / "artifacts" / "large").rename(content / "artifacts" / "elsewhere")
    assert repository.store(content, "v").added_bytes < 5_000  # known by its content, not by its name
    repository.restore(first.snapshot, tmp_path / "out")
    assert tree(tmp_path / "out") == {
        "artifacts/large": tree(content)["artifacts/elsewhere"],
        "small": tree(content)["small"],
    }
    assert [one.vault for one in repository.snapshots()] == ["v"] * 3
    assert repository.snapshots("other") == []


def test_nothing_stored_can_be_read_without_the_password(repository: Repository, content: Path) -> None:
    (content / "small").write_text("a sentence that nobody is to find")
    repository.store(content, "vault-name")
    stored = b"".join(one.read_bytes() for one in repository.address.folder.rglob("*") if one.is_file())
    assert b"sentence" not in stored
    assert b"vault-name" not in stored


def test_a_bit_flipped_in_any_kind_of_file_is_found(repository: Repository, content: Path) -> None:
    repository.store(content, "v")
    repository.check()
    folder = repository.address.folder
    for kind in ("config", "data", "index", "keys", "snapshots"):
        found = [folder / "config"] if kind == "config" else sorted(folder.joinpath(kind).rglob("*"))
        file = next(one for one in found if one.is_file())
        was = file.read_bytes()
        flip(file, 8 * (len(was) // 2) + 3)
        with pytest.raises(IntegrityError):
            repository.check()
        file.write_bytes(was)


def test_a_flipped_bit_that_restic_overlooks_is_found(repository: Repository, content: Path) -> None:
    repository.store(content, "v")
    key = next((repository.address.folder / "keys").iterdir())
    at = key.read_bytes().index(b'"hostname":"') + 12
    flip(key, 8 * at)
    alone = ["restic", "-r", str(repository.address.folder), "--password-file", str(repository._password)]
    assert subprocess.run([*alone, "--no-cache", "check", "--read-data"], capture_output=True).returncode == 0
    with pytest.raises(IntegrityError, match="keys/"):
        repository.check()


@pytest.mark.slow
def test_sixty_random_flips_are_found(repository: Repository, content: Path) -> None:
    repository.store(content, "v")
    files = [one for one in repository.address.folder.rglob("*") if one.is_file() and "locks" not in one.parts]
    chance = random.Random(7)
    for _ in range(60):
        file = chance.choice(files)
        was = file.read_bytes()
        flip(file, chance.randrange(8 * len(was)))
        with pytest.raises(IntegrityError):
            repository.check()
        file.write_bytes(was)


def test_a_lost_file_is_found_and_not_restored_around(
    repository: Repository, content: Path, tmp_path: Path
) -> None:
    stored = repository.store(content, "v")
    packs = [one for one in (repository.address.folder / "data").rglob("*") if one.is_file()]
    max(packs, key=lambda one: one.stat().st_size).unlink()
    with pytest.raises(IntegrityError, match="damaged"):
        repository.check()
    with pytest.raises(IntegrityError, match="damaged"):
        repository.restore(stored.snapshot, tmp_path / "out")


def test_damage_stops_a_restore(repository: Repository, content: Path, tmp_path: Path) -> None:
    stored = repository.store(content, "v")
    packs = [one for one in (repository.address.folder / "data").rglob("*") if one.is_file()]
    flip(max(packs, key=lambda one: one.stat().st_size), 8000)
    with pytest.raises(IntegrityError, match="damaged"):
        repository.restore(stored.snapshot, tmp_path / "out")


def test_what_the_retention_does_not_keep_is_gone(repository: Repository, content: Path) -> None:
    for number in range(3):
        (content / "small").write_text(str(number))
        repository.store(content, "v")
    other = repository.store(content, "other")
    kept = repository.snapshots("v")[-2:]
    assert repository.forget(Retention(last=2), "v") == 1
    assert repository.snapshots("v") == kept
    assert [one.id for one in repository.snapshots("other")] == [
        other.snapshot
    ]  # another vault's is not touched


def test_the_password_is_in_no_argument(repository: Repository, content: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    spy = tmp_path / "bin" / "restic"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\necho "$@" >> {seen}\nenv >> {seen}\nexec {shutil.which("restic")} "$@"\n')
    spy.chmod(0o755)
    before = os.environ["PATH"]
    os.environ.update(
        PATH=f"{spy.parent}:{before}", HAUBERK_API_KEY="hbk_secret", RESTIC_REPOSITORY="elsewhere"
    )
    try:
        repository.store(content, "v")
    finally:
        os.environ["PATH"] = before
        del os.environ["HAUBERK_API_KEY"], os.environ["RESTIC_REPOSITORY"]
    text = seen.read_text()
    assert "backup" in text
    assert (tmp_path / "password").read_text().strip() not in text
    assert "hbk_secret" not in text
    assert "elsewhere" not in text


def test_another_password_opens_nothing(repository: Repository, tmp_path: Path) -> None:
    new_password(tmp_path / "other")
    with pytest.raises(NoIdentityMatched, match="password does not open"):
        Repository(repository.address, tmp_path / "other").snapshots()


@pytest.mark.parametrize(
    ("content", "mode", "error", "says"),
    [
        ("right\n", 0o644, ConfigError, "others may read"),
        ("\n", 0o600, DataError, "no password"),
        (None, 0, DataError, "no password file"),
    ],
)
def test_a_password_file_that_is_none(
    tmp_path: Path, content: str | None, mode: int, error: type[Exception], says: str
) -> None:
    if content is not None:
        (tmp_path / "password").write_text(content)
        (tmp_path / "password").chmod(mode)
    with pytest.raises(error, match=says):
        Repository(parse_address(str(tmp_path)), tmp_path / "password")


def test_passwords_and_repositories_are_not_replaced(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exists already"):
        new_password(tmp_path / "password")
    with pytest.raises(ConfigError, match="already"):
        repository.create()


def test_a_place_without_backups(tmp_path: Path, content: Path) -> None:
    new_password(tmp_path / "password")
    nowhere = Repository(parse_address(str(tmp_path / "nowhere")), tmp_path / "password")
    with pytest.raises(DataError, match="holds no backup"):
        nowhere.store(content, "v")
    assert not (tmp_path / "nowhere").exists()  # a place that is not mounted is not filled


def test_without_the_engine(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("hauberk.vault.backup.programs._PLACES", ())
    with pytest.raises(DependencyMissing) as error:
        repository.snapshots()
    assert error.value.hint == "apt install restic"


def test_a_killed_backup_leaves_no_snapshot_and_no_lock_that_stays(
    repository: Repository, content: Path, tmp_path: Path
) -> None:
    """``restic`` is killed while it holds its lock; the next backup and check go on."""
    pipe = tmp_path / "slow"
    pipe.mkdir()
    (pipe / "large").write_bytes(random.Random(1).randbytes(20_000_000))
    own = ["--repo", repository.address.restic, "--password-file", str(tmp_path / "password"), "--no-cache"]
    running = subprocess.Popen(
        ["restic", *own, "backup", "--tag", "hauberk-backup", "--limit-upload", "1000", "."],
        cwd=pipe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    locks = repository.address.folder / "locks"
    while not list(locks.iterdir()):
        assert running.poll() is None
    running.kill()
    running.wait()
    assert list(locks.iterdir())
    assert repository.snapshots() == []
    stored = repository.store(content, "v")
    repository.check()
    repository.restore(stored.snapshot, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(content)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts")
def test_a_full_disk(
    repository: Repository, content: Path, tmp_path: Path, absent: Callable[[str, str], None]
) -> None:
    """In a mount namespace of its own: two megabytes are too few for three."""
    script = f"""
mount -t tmpfs -o size=2m none {tmp_path}/small && exec {sys.executable} - <<'PYTHON'
from pathlib import Path
from hauberk.core.errors import EnvironmentFailure
from hauberk.vault.backup.addresses import parse_address
from hauberk.vault.backup.restic import Repository
small, password = Path("{tmp_path}/small"), Path("{tmp_path}/password")
full = Repository(parse_address(str(small / "r")), password)
full.create()
for action in (
    lambda: full.store(Path("{content}"), "v"),
    lambda: Repository(parse_address("{repository.address.folder}"), password).restore("latest", small / "out"),
):
    try:
        action()
    except EnvironmentFailure as error:
        print(error)
assert full.snapshots() == []
PYTHON
"""
    (tmp_path / "small").mkdir()
    repository.store(content, "v")
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script]
    if subprocess.run([*command[:-1], "true"], capture_output=True).returncode:
        absent("unshare --mount", "allow user namespaces")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the disk is full") == 2


def test_over_sftp(
    content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: Callable[[str, str], None]
) -> None:
    """OpenSSH's own SFTP server, with the way to it cut short: ``ssh`` starts it here."""
    if not SFTP_SERVER.exists():
        absent("sftp-server", "apt install openssh-sftp-server")
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f"#!/bin/sh\nexec {SFTP_SERVER}\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    new_password(tmp_path / "password")
    far = Repository(parse_address(f"sftp://me@host{tmp_path}/far"), tmp_path / "password")
    far.create()
    stored = far.store(content, "v")
    assert (tmp_path / "far" / "config").exists()
    far.check()
    far.restore(stored.snapshot, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(content)
    packs = [one for one in (tmp_path / "far" / "data").rglob("*") if one.is_file()]
    flip(packs[0], 1000)
    with pytest.raises(IntegrityError, match="damaged"):
        far.check()


@pytest.mark.parametrize(
    ("written", "restic"),
    [
        ("sftp://me@host/srv/backup", "sftp://me@host//srv/backup"),
        ("sftp://me@host:2222/host", "sftp://me@host:2222//host"),
        ("sftp:me@host:backup", "sftp:me@host:backup"),
        ("s3://bucket/a/b/", "s3:https://s3.amazonaws.com/bucket/a/b"),
        ("s3:https://store.example/bucket", "s3:https://store.example/bucket"),
    ],
)
def test_addresses(written: str, restic: str) -> None:
    assert parse_address(written, {}).restic == restic
    assert parse_address(written, {}).folder is None


def test_an_s3_server_of_ones_own() -> None:
    found = parse_address("s3://bucket/a", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000/"})
    assert found.restic == "s3:http://127.0.0.1:9000/bucket/a"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "empty"),
        ("ftp://host/x", "do not go to ftp"),
        ("s3:///x", "no bucket"),
        ("sftp://host", "no folder"),
        ("sftp://me:secret@host/x", "holds a password"),
        ("s3:https://me:secret@host/x", "holds a password"),
        ("sftp://[host/x", "cannot be read"),
    ],
)
def test_places_that_are_none(written: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as error:
        parse_address(written, {})
    assert "secret" not in str(error.value)


def test_nobody_at_the_other_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text("#!/bin/sh\necho 'ssh: connect to host h port 22: Connection refused' >&2\nexit 255\n")
    ssh.chmod(0o755)
    new_password(tmp_path / "password")
    # restic may end before it has passed on what ssh said
    with pytest.raises(EnvironmentFailure, match=r"nobody answers|SFTP gives no session"):
        Repository(parse_address("sftp://me@h/x"), tmp_path / "password").snapshots()


def test_a_retention_that_keeps_nothing() -> None:
    with pytest.raises(ConfigError, match="keeps nothing"):
        Retention()
    with pytest.raises(ConfigError, match="daily must be a whole number"):
        Retention(daily=-1)
    assert Retention(daily=7, monthly=12).options == ["--keep-daily", "7", "--keep-monthly", "12"]
