"""Artifacts where one machine is not enough: in an object store, over SFTP, in what fsspec reaches."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from s3_server import BUCKET, ENVIRONMENT
from sftp_server import SftpServer
from vault_packages import make_package

from hauberk.core.errors import EnvironmentFailure, HauberkError, IntegrityError
from hauberk.core.stores import file_system
from hauberk.vault import Vault, collect, create_vault, pull, push


@pytest.fixture(scope="module")
def _sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer | str]:
    try:
        pytest.importorskip("paramiko")
        server = SftpServer(tmp_path_factory.mktemp("sftp"))
    except (RuntimeError, pytest.skip.Exception) as error:
        yield str(error)
        return
    yield server
    server.stop()


@pytest.fixture
def sftp(
    _sftp_server: SftpServer | str, absent: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[SftpServer]:
    """A running SFTP server, for which fsspec's settings hold the key."""
    if isinstance(_sftp_server, str):
        absent(
            f"an SFTP server ({_sftp_server})", "apt-get install openssh-server, pip install 'hauberk[sftp]'"
        )
    assert isinstance(_sftp_server, SftpServer)
    from fsspec.implementations.sftp import SFTPFileSystem

    monkeypatch.setitem(fsspec.config.conf, "sftp", _sftp_server.client)
    yield _sftp_server
    for one in SFTPFileSystem._cache.values():
        one.client.close()
    SFTPFileSystem.clear_instance_cache()


@pytest.fixture(params=["memory", "s3", "sftp"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place of the kind."""
    if request.param == "memory":
        return f"memory://{secrets.token_hex(6)}"
    server = request.getfixturevalue(request.param)
    if request.param == "s3":
        return f"s3://{BUCKET}/{secrets.token_hex(6)}"
    return f"sftp://127.0.0.1:{server.port}{tmp_path}/blobs"


@pytest.fixture
def vault(url: str, tmp_path: Path) -> Iterator[Vault]:
    with create_vault(tmp_path / "vault", artifacts=url) as made:
        yield made


def _several_parts(url: str) -> int:
    """Bytes of more than one part of an upload; SFTP has none, and is slow."""
    return 2_000_000 if url.startswith("sftp://") else 21_000_000


def objects(url: str) -> dict[str, Any]:
    files, root = file_system(url)
    files.invalidate_cache()
    return dict(files.find(root, detail=True))


def test_what_was_pushed_comes_back(vault: Vault, package: Path, url: str, tmp_path: Path) -> None:
    big = make_package(tmp_path / "big", seed=1, size=_several_parts(url))
    for number, source in enumerate((package, big), 1):
        push(vault, source, "digits")
        pull(vault, f"digits@{number}", tmp_path / f"out{number}")
        for file in source.rglob("*.*"):
            assert (tmp_path / f"out{number}" / file.relative_to(source)).read_bytes() == file.read_bytes()
    assert len(objects(url)) == 6
    assert not (vault.folder / "artifacts").exists()


def test_a_changed_object_is_found(vault: Vault, package: Path, url: str, tmp_path: Path) -> None:
    push(vault, package, "digits")
    files, _root = file_system(url)
    for path in objects(url):
        good = files.cat_file(path)
        for bad in (good[:-1], good[:90] + bytes([good[90] ^ 4]) + good[91:], b""):
            files.pipe_file(path, bad)
            with pytest.raises(IntegrityError):
                pull(vault, "digits", tmp_path / "out")
        files.rm_file(path)
        with pytest.raises(IntegrityError, match="lacks"):
            pull(vault, "digits", tmp_path / "out")
        files.pipe_file(path, good)
    pull(vault, "digits", tmp_path / "out")


def test_an_upload_that_fails_leaves_no_object(vault: Vault, url: str, tmp_path: Path) -> None:
    big = make_package(tmp_path / "big", size=_several_parts(url))
    weights = bytearray((big / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (big / "weights.safetensors").write_bytes(weights)
    vault.settings.policy.__dict__["scan"] = False  # which would find it first
    with pytest.raises(IntegrityError):
        push(vault, big, "digits")
    sizes = [facts["size"] for facts in objects(url).values()]
    if not url.startswith("memory://"):  # fsspec's memory shows a file while it is written
        assert all(size < 100_000 for size in sizes), "the small files may wait for a collection"
    assert collect(vault, older_than_s=-3600).removed == len(sizes)
    assert objects(url) == {}


def test_leftovers_are_collected_and_versions_kept(
    vault: Vault, package: Path, url: str, tmp_path: Path
) -> None:
    push(vault, package, "digits")
    kept = set(objects(url))
    vault.artifacts.put_bytes(b"left behind", hashlib.sha256(b"left behind").hexdigest(), "x")
    assert len(objects(url)) == len(kept) + 1
    assert collect(vault).removed == 0, "it is too new"
    assert collect(vault, older_than_s=-3600).removed == 1
    assert set(objects(url)) == kept
    pull(vault, "digits", tmp_path / "out")


def test_a_store_that_does_not_answer_is_said_in_one_line(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3fs = pytest.importorskip("s3fs")
    for variable, value in {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(variable, value)
    s3fs.S3FileSystem.clear_instance_cache()
    with create_vault(tmp_path / "vault", artifacts="s3://bucket/x") as vault:
        with pytest.raises(EnvironmentFailure, match="s3://bucket/x") as caught:
            push(vault, package, "digits")
        assert "\n" not in str(caught.value)
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_store_that_nothing_here_knows(tmp_path: Path, package: Path) -> None:
    with create_vault(tmp_path / "vault", artifacts="nonsense://bucket") as vault, pytest.raises(HauberkError):
        push(vault, package, "digits")
