"""A small package, and keys."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sign_files import write_keys

import hauberk
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset

pytest.importorskip("model_signing")


@pytest.fixture(scope="session")
def made_package(tmp_path_factory: pytest.TempPathFactory, digits: Dataset) -> Path:
    model = hauberk.create("mlp", digits)
    model.evidence = (
        Evidence(
            kind="training",
            subject={"name": "small", "digest": model.digest},
            inputs={"dataset": {"name": "digits", "samples": 3, "digest": "sha256:" + "ab" * 32}},
            parameters={"method": "plain"},
            seed=3,
        ),
    )
    return hauberk.save(model, tmp_path_factory.mktemp("made") / "small").path


@pytest.fixture
def package(made_package: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made_package, tmp_path / "small"))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with ``own`` and ``other``, each ``.pem`` and ``.pub``."""
    folder = tmp_path / "keys"
    folder.mkdir()
    write_keys(folder, "own")
    write_keys(folder, "other")
    return folder
