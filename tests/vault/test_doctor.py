"""What is wrong with a place is seen, and what cannot be seen is not called good."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
import uuid
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import pytest
from postgres_server import Server
from s3_server import BUCKET, S3Server

from hauberk.core.errors import DataError
from hauberk.vault import Vault, create_vault
from hauberk.vault.doctor import clocks, disks, stores
from hauberk.vault.doctor.disks import Machine
from hauberk.vault.doctor.examining import examine, worst
from hauberk.vault.doctor.finding import Finding
from hauberk.vault.doctor.postgres import _is_here

LUKS = "CRYPT-LUKS2-0123456789abcdef-data"


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in found}


class Made:
    """A machine out of files, as the kernel shows one."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder / "proc", folder / "sys")
        (folder / "proc" / "self").mkdir(parents=True)
        (folder / "proc" / "swaps").write_text("Filename Type Size Used Priority\n")
        self._lines: list[str] = []

    def mount(self, device: str, where: Path | str, kind: str, source: str) -> None:
        written = str(where).replace(" ", "\\040")
        self._lines.append(f"30 1 {device} / {written} rw,relatime shared:1 - {kind} {source} rw")
        (self.machine.proc / "self" / "mountinfo").write_text("\n".join(self._lines))

    def device(self, number: str, *, uuid: str | None = None, below: tuple[str, ...] = ()) -> None:
        folder = self.machine.sys / "dev" / "block" / number
        folder.mkdir(parents=True)
        if uuid:
            (folder / "dm").mkdir()
            (folder / "dm" / "uuid").write_text(uuid + "\n")
        for one in below:
            (folder / "slaves").mkdir(exist_ok=True)
            (folder / "slaves" / one).symlink_to(self.machine.sys / "dev" / "block" / one)
        (folder / "dev").write_text(number + "\n")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    found = Made(tmp_path / "machine")
    found.mount("8:1", "/", "ext4", "/dev/sda1")
    found.device("8:1")
    return found


@pytest.mark.parametrize(
    ("case", "status"),
    [
        ("plain", "warn"),
        ("luks", "ok"),
        ("lvm on luks", "ok"),
        ("lvm on half luks", "warn"),
        ("gocryptfs", "ok"),
    ],
)
def test_encryption_of_a_disk_is_seen_through_what_lies_between(
    case: str, status: str, made: Made, tmp_path: Path
) -> None:
    place = tmp_path / "a place"
    place.mkdir()
    made.device("254:0", uuid=LUKS)
    made.device("254:1", uuid="LVM-abc", below=("254:0",))
    made.device("254:2", uuid="LVM-abd", below=("254:0", "8:1"))
    number = {"luks": "254:0", "lvm on luks": "254:1", "lvm on half luks": "254:2"}.get(case, "8:1")
    made.mount(number, place, "fuse.gocryptfs" if case == "gocryptfs" else "ext4", "/dev/mapper/x")
    found = by_name(list(disks.look(place, made.machine)))["disk-encryption"]
    assert found.status == status, found
    assert bool(found.todo) == (status != "ok")


@pytest.mark.parametrize(("kind", "status"), [("tmpfs", "fail"), ("nfs4", "warn"), ("ext4", "ok")])
def test_file_systems_that_do_not_keep(kind: str, status: str, made: Made, tmp_path: Path) -> None:
    made.mount("0:55", tmp_path, kind, "somewhere")
    assert by_name(list(disks.look(tmp_path, made.machine)))["file-system"].status == status


def test_sqlite_is_not_trusted_on_a_network(vault: Vault, made: Made, tmp_path: Path) -> None:
    made.mount("0:55", tmp_path, "nfs4", "server:/x")
    failing = [one for one in examine(vault.folder, machine=made.machine) if one.status == "fail"]
    assert [(one.name, "SQLite on nfs4" in one.found) for one in failing] == [("file-system", True)]


def test_the_mount_is_the_kernels(tmp_path: Path) -> None:
    """What this machine says, against ``findmnt``."""
    if shutil.which("findmnt") is None:
        pytest.skip("no findmnt")
    said = subprocess.run(
        ["findmnt", "-n", "-o", "MAJ:MIN,FSTYPE", "-T", tmp_path], capture_output=True, text=True
    )
    found = disks.mount_of(tmp_path, Machine())
    assert [found.device, found.kind] == said.stdout.split()


@pytest.mark.parametrize(("free", "status"), [(100 << 20, "fail"), (5 << 30, "warn"), (50 << 30, "ok")])
def test_room(free: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = os.statvfs_result((4096, 4096, (100 << 30) // 4096, free // 4096, free // 4096, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: facts)
    assert disks._room(tmp_path).status == status


def test_swap(made: Made) -> None:
    assert disks.swap(made.machine).status == "ok"
    (made.machine.proc / "swaps").write_text("Filename Type\n/nowhere/swapfile file 1 0 -2\n")
    assert disks.swap(made.machine).status == "warn"
    (made.machine.proc / "swaps").write_text("Filename Type\n/dev/zram0 partition 1 0 -2\n")
    assert disks.swap(made.machine).status == "ok"


def test_a_fresh_vault_has_no_failure(vault: Vault) -> None:
    found = examine(vault.folder)
    assert worst(found)
    assert {"disk-encryption", "free-space", "clock", "durability", "key-rights", "path-rights"} <= {
        one.name for one in found
    }


def test_keys_that_others_may_read(vault: Vault) -> None:
    for name in ("vault.key", "ledger/key"):
        (vault.folder / name).chmod(0o640)
        failing = [one for one in examine(vault.folder) if one.status == "fail"]
        assert [one.place for one in failing] == [str(vault.folder / name)]
        assert "chmod 600" in failing[0].todo
        (vault.folder / name).chmod(0o600)
    vault.folder.chmod(0o755)
    found = {one.place: one for one in examine(vault.folder) if one.name in ("folder-rights", "file-rights")}
    assert found[str(vault.folder)].status == "warn"
    assert found[str(vault.folder / "ledger" / "ledger.sqlite")].status == "warn"


def test_a_path_that_others_may_change(vault: Vault) -> None:
    vault.folder.parent.chmod(0o777)
    try:
        assert by_name(examine(vault.folder))["path-rights"].status == "fail"
        vault.folder.parent.chmod(0o1777)
        assert by_name(examine(vault.folder))["path-rights"].status == "ok"
    finally:
        vault.folder.parent.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_somebody_else(vault: Vault) -> None:
    os.chown(vault.folder / "vault.key", pwd.getpwnam("nobody").pw_uid, -1)
    found = by_name([one for one in examine(vault.folder) if one.place.endswith("vault.key")])
    assert found["key-rights"].status == "fail"
    assert "nobody" in found["key-rights"].found


@pytest.mark.parametrize(
    ("theirs", "status"), [(100.5, "ok"), (103.0, "warn"), (97.0, "warn"), (140.0, "fail"), (50.0, "fail")]
)
def test_clocks_are_compared(theirs: float, status: str) -> None:
    assert clocks.compare(theirs, 100.0, 100.2, "there").status == status


def test_a_slow_answer_is_no_wrong_clock() -> None:
    assert clocks.compare(105.0, 100.0, 110.0, "there").status == "ok"


def test_the_kernel_is_asked_and_nothing_is_set() -> None:
    assert clocks.kernel().name == "clock"
    assert clocks.kernel().status in ("ok", "warn")


def test_a_postgres_server(postgres: Server, tmp_path: Path) -> None:
    """The tests' server runs without fsync, which the doctor must not let through."""
    url = postgres.database(f"doctor_{uuid.uuid4().hex[:12]}")
    create_vault(tmp_path / "vault", database=url).close()
    found = by_name([one for one in examine(tmp_path / "vault") if one.place.startswith("postgresql://")])
    assert found["fsync"].status == "fail"
    assert found["full_page_writes"].status == "ok"
    assert found["synchronous_commit"].status == "ok"
    assert found["data_checksums"].status == "warn"
    assert found["database-role"].status == "warn"
    assert found["tls"].status == "ok"  # loopback
    assert found["clock"].status == "ok"
    assert found["disk-encryption"].status == "warn"


def test_tls_to_a_server_is_asked_of_the_connection(postgres: Server, tmp_path: Path) -> None:
    """A certificate of its own; with and without verifying it."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    data = postgres._data
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2",
         "-keyout", data / "server.key", "-out", data / "server.crt", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    (data / "server.key").chmod(0o600)
    for one in ("server.key", "server.crt"):
        os.chown(data / one, data.stat().st_uid, data.stat().st_gid)
    shutil.copy(data / "server.crt", tmp_path / "root.crt")
    url = postgres.database(f"doctor_{uuid.uuid4().hex[:12]}")
    _set(url, "ALTER SYSTEM SET ssl = on")
    try:
        for number, (query, status) in enumerate(
            (
                ("sslmode=disable", "ok"),
                ("sslmode=require", "warn"),
                (f"sslmode=verify-full&sslrootcert={tmp_path / 'root.crt'}", "ok"),
            )
        ):
            folder = tmp_path / f"vault{number}"
            own = postgres.database(f"doctor_{uuid.uuid4().hex[:12]}")
            create_vault(folder, database=f"{own}?{query}").close()
            found = next(one for one in examine(folder) if one.name == "tls")
            assert found.status == status, found
            assert ("TLSv1" in found.found) == (number > 0)
    finally:
        _set(url, "ALTER SYSTEM RESET ssl")


def _set(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SELECT pg_sleep(0.5)")


@pytest.mark.parametrize(
    ("host", "here"),
    [(None, True), ("/run/postgresql", True), ("localhost", True), ("127.0.0.1", True), ("::1", True),
     ("10.0.0.5", False), ("db.example", False), ("localhost.example", False)],
)  # fmt: skip
def test_which_lines_leave_the_machine(host: str | None, here: bool) -> None:
    assert _is_here(host) is here


def test_a_server_that_is_away_is_a_failure(tmp_path: Path, postgres: Server) -> None:
    url = postgres.database(f"doctor_{uuid.uuid4().hex[:12]}")
    create_vault(tmp_path / "vault", database=url).close()
    toml = tmp_path / "vault" / "vault.toml"
    toml.write_text(toml.read_text().replace(f":{postgres.port}/", ":1/"))
    found = examine(tmp_path / "vault")
    assert not worst(found)
    assert by_name(found)["reachable"].status == "fail"


@pytest.mark.parametrize("url", ["sftp://me@host/x", "gs://bucket/x"])
def test_what_a_store_does_not_say_is_not_called_good(url: str) -> None:
    assert by_name(list(stores.look(url)))["versioning"].status == "warn"


def test_an_object_store(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real server, which knows neither versions nor encryption and says so."""
    url = f"s3://{BUCKET}/doctor-{uuid.uuid4().hex[:8]}"
    create_vault(tmp_path / "vault", artifacts=url).close()
    found = by_name([one for one in examine(tmp_path / "vault") if one.place == url])
    assert {name: one.status for name, one in found.items()} == {
        "tls": "ok",  # loopback
        "clock": "ok",
        "versioning": "warn",
        "store-encryption": "warn",
        "public-access": "warn",
    }
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert by_name(list(stores.look("s3://elsewhere/x")))["reachable"].status == "fail"


class Bucket:
    """Answers as S3's documentation says."""

    def __init__(self, endpoint: str, versioning: str, date: str) -> None:
        self.s3 = SimpleNamespace(meta=SimpleNamespace(endpoint_url=endpoint))
        self._answers = {
            "head_bucket": {"ResponseMetadata": {"HTTPHeaders": {"date": date}}},
            "get_bucket_versioning": {"Status": versioning} if versioning else {},
            "get_bucket_encryption": {"ServerSideEncryptionConfiguration": {"Rules": []}},
            "get_public_access_block": {
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": True,
                    "IgnorePublicAcls": bool(versioning),
                }
            },
        }

    def call_s3(self, name: str, Bucket: str) -> dict[str, object]:
        assert Bucket == "bucket"
        return self._answers[name]


def test_what_a_store_says_of_itself() -> None:
    now = formatdate(time.time(), usegmt=True)
    good = by_name(list(stores._s3(Bucket("https://s3.example", "Enabled", now), "bucket", "s3://bucket")))
    assert {one.status for one in good.values()} == {"ok"}
    late = formatdate(time.time() - 3600, usegmt=True)
    bad = by_name(list(stores._s3(Bucket("http://s3.example", "", late), "bucket", "s3://bucket")))
    assert {name: one.status for name, one in bad.items()} == {
        "tls": "fail", "clock": "fail", "versioning": "warn", "store-encryption": "ok", "public-access": "warn",
    }  # fmt: skip
    paused = by_name(list(stores._s3(Bucket("https://s3.example", "Suspended", now), "bucket", "s3://bucket")))
    assert paused["versioning"].found == "off"


def test_warnings_fail_only_when_asked_to() -> None:
    warning = Finding("warn", "x", "y", "z", "w", "v")
    assert worst([warning])
    assert not worst([warning], strict=True)
    assert not worst([Finding("fail", "x", "y", "z", "w", "v")])


def test_no_vault(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no vault"):
        examine(tmp_path)
