"""Ledgers to work on: in a folder of one's own, and in a real PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import Server

from hauberk.ledger.opening import create_ledger
from hauberk.ledger.store.log import Log

ORIGIN = "example.com/log"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the ledger of this test lies."""
    return tmp_path / "log"


@pytest.fixture
def log(folder: Path) -> Iterator[Log]:
    with create_ledger(folder, origin=ORIGIN) as made:
        yield made


@pytest.fixture
def database(postgres: Server) -> str:
    """The URL of an empty database."""
    return postgres.database(f"ledger_{uuid.uuid4().hex[:12]}")
