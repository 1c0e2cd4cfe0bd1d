"""A vault backed up, restored and drilled: nothing is lost, and whatever is not whole is not called so."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres_server import Server, find
from s3_server import BUCKET, S3Server
from sqlalchemy import select
from vault_packages import make_package

from hauberk.access import AccessGate, check_trail, open_access
from hauberk.core.errors import (
    AccessDenied,
    ConfigError,
    DataError,
    EnvironmentFailure,
    IntegrityError,
    NoIdentityMatched,
)
from hauberk.crypto import age
from hauberk.ledger.opening import create_ledger
from hauberk.vault import schema
from hauberk.vault.backup import layout, restoring
from hauberk.vault.backup.addresses import parse_address
from hauberk.vault.backup.drilling import drill
from hauberk.vault.backup.keys import open_keys, seal_keys
from hauberk.vault.backup.making import STAGE, back_up, vault_id
from hauberk.vault.backup.password import new_password
from hauberk.vault.backup.restic import Repository
from hauberk.vault.backup.restoring import Target, restore
from hauberk.vault.making import create_vault
from hauberk.vault.place import Vault, open_vault
from hauberk.vault.pushing import push

ME = age.generate("x25519", random=lambda count: bytes(range(count)))


@pytest.fixture(autouse=True)
def engine(absent: Callable[[str, str], None]) -> None:
    if shutil.which("restic") is None:
        absent("restic", "apt install restic")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "vault") as made:
        push(made, make_package(tmp_path / "first"), "net")
        yield made


@pytest.fixture
def real_vault(tmp_path: Path, plain_package: Path) -> Iterator[Vault]:
    """With a network in it that can be opened."""
    with create_vault(tmp_path / "vault") as made:
        push(made, plain_package, "net")
        yield made


def rows(vault: Vault) -> dict[str, list[tuple[object, ...]]]:
    """Everything that the database holds."""
    with vault.database.read() as connection:
        return {
            one.name: sorted(map(tuple, connection.execute(select(one))), key=str)
            for one in schema.metadata.sorted_tables
        }


def test_a_restored_vault_is_the_same_vault(vault: Vault, repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "vault" / "release.pem").write_text("a public key")
    made = back_up(vault, repository, [ME.recipient])
    assert not (vault.folder / STAGE).exists()
    found = restore(repository, tmp_path / "back", [ME])
    assert found.snapshot.vault == made.vault == vault_id(vault)
    assert found.judged.versions == 1
    assert found.judged.artifacts == made.artifacts
    with open_vault(tmp_path / "back") as back:
        assert rows(back) == rows(vault)
        assert back.ledger.head() == vault.ledger.head()
        assert vault_id(back) == vault_id(vault)
        assert push(back, _other(tmp_path), "net").version.number == 2  # and it works on
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "back" / "vault.key").stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in (tmp_path / "back").iterdir()) == [
        "artifacts", "ledger", "vault.key", "vault.sqlite", "vault.toml",
    ]  # fmt: skip
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".back")]


def _other(tmp_path: Path) -> Path:
    return make_package(tmp_path / "other", seed=1)


def test_the_repositorys_password_does_not_open_the_vaults_keys(
    vault: Vault, repository: Repository, tmp_path: Path
) -> None:
    back_up(vault, repository, [ME.recipient])
    repository.restore(repository.snapshots()[0].id, tmp_path / "raw")
    secrets = [(vault.folder / one).read_bytes().split()[-1] for one in ("vault.key", "ledger/key")]
    for file in (one for one in (tmp_path / "raw").rglob("*") if one.is_file()):
        assert not [one for one in secrets if one in file.read_bytes()], file
    with pytest.raises(NoIdentityMatched):
        restore(repository, tmp_path / "back", [age.generate()])
    assert not (tmp_path / "back").exists()


def test_the_keys_open_with_other_peoples_tools(tmp_path: Path, absent: Callable[[str, str], None]) -> None:
    if shutil.which("age") is None:
        absent("age", "apt install age")
    sealed = seal_keys({"vault.key": b"one", "ledger/key": b"two"}, [ME.recipient])
    (tmp_path / "me").write_text(ME.written())
    opened = subprocess.run(
        ["age", "--decrypt", "--identity", tmp_path / "me"], input=sealed, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(opened.stdout)) as archive:
        found = {one.name: archive.extractfile(one).read() for one in archive}
    assert found == {"vault.key": b"one", "ledger/key": b"two"}
    assert open_keys(sealed, [ME]) == found
    for at in range(0, len(sealed), 7):
        broken = bytearray(sealed)
        broken[at] ^= 1
        with pytest.raises(IntegrityError):
            open_keys(bytes(broken), [ME])
    with pytest.raises(IntegrityError):
        open_keys(sealed[:-1], [ME])


def test_a_drill_opens_a_model_and_leaves_evidence(
    real_vault: Vault, repository: Repository, tmp_path: Path
) -> None:
    back_up(real_vault, repository, [ME.recipient])
    work = tmp_path / "work"
    work.mkdir()
    seen: list[int] = []
    found = drill(
        repository, [ME], work=work, checks=[lambda one: seen.append(len(rows(one)["vault_versions"]))]
    )
    assert found.passed
    assert found.evidence.kind == "backup-drill"
    assert found.evidence.result["model"] == "net@1"
    assert found.evidence.result["ledger_size"] == 1
    assert seen == [1]
    assert list(work.iterdir()) == []  # thrown away


@pytest.mark.parametrize("how", ["blob", "row", "entry", "file"])
def test_a_drill_does_not_pass_on_what_is_not_whole(
    how: str, vault: Vault, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong was wrong when the backup was made, or went wrong between its maker and the engine."""
    if how == "blob":
        blob = max(
            (vault.folder / "artifacts").rglob("*"), key=lambda one: one.is_file() and one.stat().st_size
        )
        data = bytearray(blob.read_bytes())
        data[-1] ^= 1
        blob.write_bytes(data)
    elif how == "row":  # the database says of a version what the ledger does not
        with vault.database.write() as connection:
            connection.execute(schema.files.update().values(path=schema.files.c.path + "x"))
    elif how == "entry":
        with vault.database.write() as connection:
            connection.execute(schema.events.update().values(entry=5))
    else:
        take = Repository.store

        def changed(self: Repository, folder: Path, name: str) -> object:
            with (folder / "vault.sqlite").open("ab") as file:
                file.write(b"x")
            return take(self, folder, name)

        monkeypatch.setattr(Repository, "store", changed)
    back_up(vault, repository, [ME.recipient])
    found = drill(repository, [ME], work=tmp_path)
    assert not found.passed
    assert found.reason
    assert found.evidence.result["passed"] is False
    assert "model" not in found.evidence.result


def _wrong() -> None:
    raise IntegrityError("something else is wrong")


def test_a_drill_without_a_model_does_not_pass(repository: Repository, tmp_path: Path) -> None:
    with create_vault(tmp_path / "empty") as empty:
        back_up(empty, repository, [ME.recipient])
    found = drill(repository, [ME])
    assert not found.passed
    assert "no model" in str(found.reason)
    restore(repository, tmp_path / "back", [ME])  # what there is comes back


def test_an_artifact_that_is_gone_is_said_when_it_is_to_be_backed_up(
    vault: Vault, repository: Repository
) -> None:
    blob = next(one for one in (vault.folder / "artifacts").rglob("*") if one.is_file())
    blob.unlink()
    with pytest.raises(IntegrityError, match="lacks"):
        back_up(vault, repository, [ME.recipient])
    assert repository.snapshots() == []


def test_backups_while_others_push(vault: Vault, repository: Repository, tmp_path: Path) -> None:
    """Each snapshot holds a whole vault, at whatever moment it was made."""
    stop, numbers, failed = threading.Event(), [], []
    packages = [make_package(tmp_path / f"package{number}", seed=number) for number in range(2)]

    def pushing() -> None:
        try:
            with open_vault(vault.folder) as own:
                access = open_access(own)
                own.gate = AccessGate(access, access.owner())
                while not stop.is_set():
                    numbers.append(push(own, packages[len(numbers) % 2], "net").version.number)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    pusher = threading.Thread(target=pushing)
    pusher.start()
    try:
        for _ in range(3):
            back_up(vault, repository, [ME.recipient])
    finally:
        stop.set()
        pusher.join()
    assert not failed
    assert len(numbers) > 3
    with open_vault(vault.folder) as after:
        assert len(rows(after)["access_trail"]) > 3
    found = [
        restore(repository, tmp_path / f"back{at}", [ME], snapshot=one.id, checks=[check_trail]).judged
        for at, one in enumerate(repository.snapshots())
    ]
    assert [one.versions for one in found] == sorted({one.versions for one in found})  # each later one has more
    for one in found:
        assert one.versions - one.waiting <= one.ledger_size


def test_one_backup_of_a_vault_at_a_time(vault: Vault, repository: Repository) -> None:
    import fcntl

    with (vault.folder / ".backup.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentFailure, match="another backup"):
            back_up(vault, repository, [ME.recipient])


def test_what_a_killed_backup_left_is_cleared(vault: Vault, repository: Repository, tmp_path: Path) -> None:
    (vault.folder / STAGE / "artifacts").mkdir(parents=True)
    (vault.folder / STAGE / "artifacts" / "old").write_text("left")
    back_up(vault, repository, [ME.recipient])
    repository.restore(repository.snapshots()[0].id, tmp_path / "raw")
    assert not (tmp_path / "raw" / "artifacts" / "old").exists()


def test_who_may_not_back_up_does_not(vault: Vault, repository: Repository) -> None:
    class Closed:
        actor = "mallory"

        def check(
            self, action: str, model: str = "", versions: tuple[str, ...] = (), *, detail: str = ""
        ) -> None:
            assert action == "backup.run"
            raise AccessDenied("no")

    vault.gate = Closed()
    with pytest.raises(AccessDenied):
        back_up(vault, repository, [ME.recipient])
    assert repository.snapshots() == []


def test_a_restore_that_was_stopped_leaves_nothing_in_the_way(
    vault: Vault, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(vault, repository, [ME.recipient])
    left = tmp_path / ".back.restore"  # as kill -9 leaves it
    left.mkdir()
    (left / "vault.toml").write_text("half")
    monkeypatch.setattr(restoring, "judge", lambda *_arguments, **_more: _wrong())
    with pytest.raises(IntegrityError, match="something else"):
        restore(repository, tmp_path / "back", [ME])
    assert not (tmp_path / "back").exists()
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".back")]


def test_places_that_are_not_restored_to(vault: Vault, repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no backup of a vault"):
        restore(repository, tmp_path / "back", [ME])
    back_up(vault, repository, [ME.recipient])
    with pytest.raises(ConfigError, match="not empty"):
        restore(repository, vault.folder, [ME])
    with pytest.raises(DataError, match="no snapshot 'abc'"):
        restore(repository, tmp_path / "back", [ME], snapshot="abc")
    with pytest.raises(ConfigError, match="no PostgreSQL database"):
        Target(database="sqlite:///x")
    with pytest.raises(ConfigError, match="password"):
        Target(database="postgresql://me:secret@host/x")
    with create_vault(tmp_path / "second") as second:
        back_up(second, repository, [ME.recipient])
    with pytest.raises(ConfigError, match="backups of 2 vaults"):
        restore(repository, tmp_path / "back", [ME])


def test_a_backup_from_a_newer_hauberk_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / layout.MANIFEST).write_text('{"format": "hauberk-backup/2"}')
    with pytest.raises(DataError, match="hauberk-backup/2"):
        layout.Manifest.load(tmp_path)
    outside = layout.Manifest("", "", "", "", {"../elsewhere": ""})
    (tmp_path / layout.MANIFEST).write_bytes(outside.to_bytes())
    with pytest.raises(IntegrityError):
        layout.Manifest.load(tmp_path)


@pytest.fixture
def databases(postgres: Server, absent: Callable[[str, str], None]) -> Callable[[], str]:
    """Empty databases, as many as are wanted."""
    if find("pg_dump") is None:
        absent("pg_dump", "apt install postgresql-client")
    return lambda: postgres.database(f"backup_{uuid.uuid4().hex[:12]}")


@pytest.mark.slow
def test_a_vault_in_postgresql(
    databases: Callable[[], str], repository: Repository, plain_package: Path, tmp_path: Path
) -> None:
    """Its ledger in a folder, restored into another, empty database."""
    with create_vault(tmp_path / "vault", database=databases()) as vault:
        push(vault, plain_package, "net")
        back_up(vault, repository, [ME.recipient])
        before = rows(vault)
    with pytest.raises(ConfigError, match="needs an empty database"):
        restore(repository, tmp_path / "back", [ME])
    with pytest.raises(ConfigError, match="is not empty"):
        restore(repository, tmp_path / "back", [ME], target=Target(vault.settings.database))
    place = databases()
    found = drill(repository, [ME], target=Target(place))
    assert found.passed, found.reason
    restore(repository, tmp_path / "back", [ME], target=Target(place))  # the drill left it empty
    with open_vault(tmp_path / "back") as back:
        assert rows(back) == before
        assert back.settings.database == place
        assert push(back, _other(tmp_path), "net").version.number == 2


@pytest.mark.slow
def test_a_restore_that_fails_leaves_postgresql_empty(
    databases: Callable[[], str], repository: Repository, tmp_path: Path
) -> None:
    with create_vault(tmp_path / "vault", database=databases()) as vault:
        back_up(vault, repository, [ME.recipient])
    place = databases()
    with pytest.raises(IntegrityError, match="something else"):
        restore(repository, tmp_path / "back", [ME], target=Target(place), checks=[lambda _vault: _wrong()])
    restore(repository, tmp_path / "back", [ME], target=Target(place))


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_a_ledger_in_postgresql(
    shared: bool, databases: Callable[[], str], repository: Repository, tmp_path: Path
) -> None:
    """In the vault's own database, or in one of its own."""
    where = databases()
    ledger = where if shared else databases()
    create_ledger(ledger, key=tmp_path / "log.key").close()
    with create_vault(
        tmp_path / "vault", database=where, ledger=ledger, ledger_key=tmp_path / "log.key"
    ) as vault:
        push(vault, make_package(tmp_path / "first"), "net")
        back_up(vault, repository, [ME.recipient])
        head = vault.ledger.head()
    target = Target(databases(), None if shared else databases())
    restore(repository, tmp_path / "back", [ME], target=target)
    with open_vault(tmp_path / "back") as back:
        assert back.ledger.head() == head
        assert push(back, _other(tmp_path), "net").version.number == 2


def test_a_server_that_goes_away(
    databases: Callable[[], str], repository: Repository, postgres: Server, tmp_path: Path
) -> None:
    with create_vault(tmp_path / "vault", database=databases()) as vault:
        postgres.stop(how="immediate")
        try:
            with pytest.raises(EnvironmentFailure, match="does not answer"):
                back_up(vault, repository, [ME.recipient])
        finally:
            postgres.start()
        assert repository.snapshots() == []
        back_up(vault, repository, [ME.recipient])


@pytest.fixture
def https_store(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The tests' S3 server again, behind TLS. It reads no bodies in chunks: over plain http restic sends such,
    and over https botocore does unless it is told not to."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    certificate, key, program = tmp_path / "store.crt", tmp_path / "store.key", tmp_path / "bin" / "s3rver"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shutil.which("s3rver")} "$@" --key {key} --cert {certificate}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # restic's
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))  # s3fs'
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    server = S3Server(tmp_path / "store")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{server.port}")
    yield f"s3://{BUCKET}"
    server.stop()


@pytest.mark.slow
def test_artifacts_and_backups_in_an_object_store(
    https_store: str, plain_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Artifacts are fetched from one place of the store, the backup goes to another one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    new_password(tmp_path / "password")
    far = Repository(parse_address(f"{https_store}/backup"), tmp_path / "password")
    far.create()
    with create_vault(tmp_path / "vault", artifacts=f"{https_store}/artifacts") as vault:
        push(vault, plain_package, "net")
        made = back_up(vault, far, [ME.recipient])
    assert made.artifacts > 1
    far.check()
    found = drill(far, [ME])
    assert found.passed, found.reason
    restore(far, tmp_path / "back", [ME])
    with open_vault(tmp_path / "back") as back:
        assert back.settings.artifacts == "artifacts"
        assert push(back, _other(tmp_path), "net").version.number == 2


@pytest.mark.slow
def test_an_object_store_that_does_not_let_us_in(
    https_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_password(tmp_path / "password")
    far = Repository(parse_address(f"{https_store}/backup"), tmp_path / "password")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    with pytest.raises(EnvironmentFailure, match="refuses these credentials"):
        far.create()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    with pytest.raises(EnvironmentFailure, match="nobody answers"):
        Repository(parse_address(f"{https_store}/backup"), tmp_path / "password").snapshots()
