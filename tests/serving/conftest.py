"""A small network in a package, and a server of it that all tests of a worker share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from model_servers import Server, served

import hauberk
from hauberk.models import Classifier


def make(path: Path, seed: int, *, channels: int = 1, size: int = 4, classes: int = 3) -> Path:
    """A package with an untrained network of ``channels x size x size`` images."""
    from hauberk.models.architectures import build

    args = {"hidden": [8]}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = build("mlp", (channels, size, size), classes, args)
    hauberk.save(
        Classifier(
            module,
            input_shape=(channels, size, size),
            labels=classes,
            architecture={"name": "mlp", "args": args},
        ),
        path,
    )
    return path


@pytest.fixture(scope="session")
def nets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two versions of a network."""
    folder = tmp_path_factory.mktemp("nets")
    return make(folder / "one", 1), make(folder / "two", 2)


@pytest.fixture(scope="session")
def server(nets: tuple[Path, Path]) -> Iterator[Server]:
    """The first of them is served as ``net``."""
    with served({"net": nets[0]}, limits={"body_bytes": 1 << 16, "rows": 16}) as found:
        yield found
