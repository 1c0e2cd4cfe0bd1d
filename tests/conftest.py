"""Shared by all tests: quiet machines, small models that are trained once, and no ambient settings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from postgres_server import Server
from s3_server import ENVIRONMENT, S3Server

import hauberk
from hauberk.datasets import Dataset
from hauberk.defenses import AdversarialTraining
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the commands that tests start
torch.set_num_threads(1)  # workers side by side, one core each

DIGITS_EPS = 0.2


def missing(part: str, how: str) -> None:
    """Skip on a user's machine; fail in CI, where every part is installed."""
    reason = f"{part} is missing; {how}"
    if os.environ.get("HAUBERK_CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def absent() -> Callable[[str, str], None]:
    """``missing``, for tests of all folders: a folder's own conftest hides this one from imports."""
    return missing


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own folders."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HAUBERK_CONFIG", str(home / "config"))
    monkeypatch.setenv("HAUBERK_CACHE", str(home / "cache"))


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return hauberk.datasets.load("digits", split="test")


@pytest.fixture(scope="session")
def digits_train() -> Dataset:
    return hauberk.datasets.load("digits", split="train")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One folder for all workers of this test run."""
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    made = folder / "models"
    made.mkdir(exist_ok=True)
    return made


@pytest.fixture(scope="session")
def plain_package(shared_folder: Path, digits_train: Dataset) -> Path:
    """A package with a small network trained on clean digits."""
    path = shared_folder / "plain"
    with FileLock(str(path) + ".lock"):
        if not path.exists():
            plan = TrainingPlan(epochs=8, batch_size=64, learning_rate=5e-3, schedule="one-cycle")
            model = hauberk.train(hauberk.create("cnn", digits_train), digits_train, plan, seed=0, name="plain")
            hauberk.save(model, path)
    return path


@pytest.fixture(scope="session")
def hardened_package(shared_folder: Path, plain_package: Path, digits_train: Dataset) -> Path:
    """The same network after a short adversarial training."""
    path = shared_folder / "hardened"
    with FileLock(str(path) + ".lock"):
        if not path.exists():
            plan = TrainingPlan(epochs=8, batch_size=64, learning_rate=5e-3, schedule="one-cycle")
            defense = AdversarialTraining(plan=plan, held_out=100, steps=5)
            model = defense.fit(
                hauberk.load(plain_package), digits_train, hauberk.Linf(DIGITS_EPS), name="hardened"
            )
            hauberk.save(model, path)
    return path


@pytest.fixture(scope="session")
def plain(plain_package: Path) -> Classifier:
    return hauberk.load(plain_package)


@pytest.fixture(scope="session")
def hardened(hardened_package: Path) -> Classifier:
    return hauberk.load(hardened_package)


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[Server | str]:
    try:
        pytest.importorskip("psycopg")
        server = Server()
    except (RuntimeError, pytest.skip.Exception) as error:
        yield str(error)
        return
    yield server
    server.remove()


@pytest.fixture
def postgres(_postgres_server: Server | str, absent: Callable[[str, str], None]) -> Server:
    """A running PostgreSQL."""
    if isinstance(_postgres_server, str):
        absent(
            f"PostgreSQL ({_postgres_server})", "apt-get install postgresql, pip install 'hauberk[postgres]'"
        )
    assert isinstance(_postgres_server, Server)
    return _postgres_server


@pytest.fixture(scope="session")
def _s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server | str]:
    try:
        pytest.importorskip("s3fs")
        server = S3Server(tmp_path_factory.mktemp("s3"))
    except (RuntimeError, pytest.skip.Exception) as error:
        yield str(error)
        return
    yield server
    server.stop()


@pytest.fixture
def s3(
    _s3_server: S3Server | str, absent: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Server]:
    """A running S3 server that clients find by the environment; its bucket is ``s3_server.BUCKET``."""
    if isinstance(_s3_server, str):
        absent(f"an S3 server ({_s3_server})", "npm install -g s3rver@3.7.1, pip install 'hauberk[s3]'")
    assert isinstance(_s3_server, S3Server)
    import s3fs

    for variable, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": _s3_server.url}.items():
        monkeypatch.setenv(variable, value)
    s3fs.S3FileSystem.clear_instance_cache()
    yield _s3_server
    s3fs.S3FileSystem.clear_instance_cache()
