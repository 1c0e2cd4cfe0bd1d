"""Vaults to work on, on both kinds of database."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vault_packages import make_package

from hauberk.vault import Vault, create_vault
from hauberk.vault.backup.addresses import parse_address
from hauberk.vault.backup.password import new_password
from hauberk.vault.backup.restic import Repository


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package."""
    return make_package(tmp_path / "models" / "small")


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """A vault in its folder."""
    with create_vault(tmp_path / "vault") as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def any_vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    """A vault on either kind of database."""
    database = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        database = server.database(f"vault_{uuid.uuid4().hex[:12]}")
    with create_vault(tmp_path / "vault", database=database) as made:
        yield made


@pytest.fixture(scope="session")
def _empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A repository without snapshots and its password, made once: making one takes a second."""
    if shutil.which("restic") is None:
        return None
    folder = tmp_path_factory.mktemp("backup")
    new_password(folder / "password")
    Repository(parse_address(str(folder / "repository")), folder / "password").create()
    return folder


@pytest.fixture
def repository(
    _empty_repository: Path | None, tmp_path: Path, absent: Callable[[str, str], None]
) -> Repository:
    """An empty repository of backups, in ``repository``; ``password`` opens it."""
    if _empty_repository is None:
        absent("restic", "apt install restic")
    assert _empty_repository is not None
    shutil.copy2(_empty_repository / "password", tmp_path / "password")
    shutil.copytree(_empty_repository / "repository", tmp_path / "repository")
    return Repository(parse_address(str(tmp_path / "repository")), tmp_path / "password")
