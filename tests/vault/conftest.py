"""Vaults to work on, on both kinds of database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from vault_packages import make_package

from hauberk.vault import Vault, create_vault


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
