"""What ``--workers`` takes and refuses, and that nothing heavy is loaded for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hauberk.compute import Here, Processes, Ray, Workers, workers
from hauberk.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "crew"),
    [
        ("1", Here()),
        ("2", Processes(2)),
        ("16", Processes(16)),
        ("ray", Ray()),
        ("ray:auto", Ray("auto")),
        ("ray:10.0.0.5:6379", Ray("10.0.0.5:6379")),
        ("ray://head.example:10001", Ray("ray://head.example:10001")),
        ("ray://head.example", Ray("ray://head.example")),
        ("ray:[::1]:6379", Ray("[::1]:6379")),
    ],
)
def test_names(text: str, crew: Workers) -> None:
    assert workers(text) == crew


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "+2", "1.5", "two", " 2", "²", "٢", "rays", "Ray", "ray ", "local", "dask://x", None, 4],
)
def test_other_names_are_refused_with_the_right_ones(text: object) -> None:
    with pytest.raises(ConfigError, match="no such workers") as caught:
        workers(text)
    assert "ray://HOST:PORT" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "ray:", "ray://", "ray:6379", "ray:head", "ray:head:", "ray:head:0", "ray:head:65536", "ray:head:x",
        "ray://:10001", "ray://user:secret@head:10001", "ray://head:10001/x",
        "ray:http://head:8265", "ray:local",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_one_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not the address of a Ray cluster"):
        workers(text)


@pytest.mark.parametrize("gpus", [-1, True, "1", float("nan"), 1e9])
def test_gpus_that_make_no_sense_are_refused(gpus: object) -> None:
    with pytest.raises(ConfigError, match="gpus must lie in"):
        Ray(gpus=gpus)


def test_parts_of_several_gpus_are_refused() -> None:
    assert Ray(gpus=0.5).gpus == 0.5
    with pytest.raises(ConfigError, match=r"a share of one or a whole number, got 1\.5"):
        Ray(gpus=1.5)


def test_naming_workers_loads_neither_ray_nor_torch() -> None:
    code = (
        "import sys\nfrom hauberk.compute import workers\nworkers('4'), workers('ray')\n"
        "print([name for name in ('ray', 'torch', 'numpy', 'grpc') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stdout.strip() == "[]", said.stderr
