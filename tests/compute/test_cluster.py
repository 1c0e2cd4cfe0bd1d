"""A real Ray cluster of two nodes, one of which dies; a Ray of our own; one behind the Ray client."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import compute_jobs as jobs
import numpy as np
import pytest

from hauberk.compute import Here, Ray
from hauberk.compute.cluster import _connect
from hauberk.core.errors import BudgetExceeded, ConfigError, DependencyMissing, EnvironmentFailure
from hauberk.datasets import Dataset

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.xdist_group("ray"),  # one cluster, started once
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves log files and sockets to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyMissing) as caught:
        list(Ray().map(jobs.power, range(3), shared=2))
    assert caught.value.hint == "pip install 'hauberk[ray]'"


class Aborting:
    """Ray, as far as joining goes; its head lets the first clients down."""

    exceptions = SimpleNamespace(RayError=RuntimeError)

    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, 0

    def init(self, address: str, **settings: Any) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionAbortedError(
                "Initialization failure from server:\nStarting Ray client server failed."
            )

    def shutdown(self) -> None:
        pass


def test_a_client_server_that_dies_at_birth_is_asked_for_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"ray://127.0.0.1:{head.getsockname()[1]}"
        patient, hopeless = Aborting(2), Aborting(9)
        _connect(patient, address, alone=False)
        assert patient.calls == 3
        with pytest.raises(EnvironmentFailure, match="could not be joined: Starting Ray client server failed"):
            _connect(hopeless, address, alone=False)
        assert hopeless.calls == 3


@pytest.fixture(scope="module")
def cluster(surroundings: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes with one processor each; the second has a make-believe GPU. The first serves Ray clients."""
    if not os.environ.get("HAUBERK_CI"):  # there, nothing may be skipped
        pytest.importorskip("ray", reason="Ray is missing; pip install 'hauberk[ray]'")
    from ray.cluster_utils import Cluster

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    head = {"num_cpus": 1, "include_dashboard": False, "ray_client_server_port": port}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    nodes.client_port = port
    nodes.second = nodes.add_node(num_cpus=1, num_gpus=1)
    yield nodes
    nodes.shutdown()


@pytest.mark.slow
def test_every_job_comes_once_with_its_number(cluster: Any) -> None:
    found = list(Ray(cluster.address).map(jobs.power, range(40), shared=3))
    assert len(found) == 40
    assert dict(found) == {number: number**3 for number in range(40)}


@pytest.mark.slow
def test_an_error_comes_back_as_itself(cluster: Any) -> None:
    with pytest.raises(BudgetExceeded, match="no more questions") as caught:
        list(Ray(cluster.address).map(jobs.over_budget, range(5), shared=None))
    assert (caught.value.hint, caught.value.facts) == ("ask less", {"spent": 2})
    assert "in over_budget" in "".join(caught.value.__notes__)


@pytest.mark.slow
def test_a_job_that_always_kills_its_worker_is_given_up_by_name(cluster: Any) -> None:
    with pytest.raises(EnvironmentFailure, match="job 1 was lost") as caught:
        list(Ray(cluster.address, retries=1).map(jobs.die_always, range(2), shared=None))
    assert caught.value.facts == {"job": 1}


@pytest.mark.slow
def test_jobs_ask_for_one_thread_and_for_gpus(cluster: Any) -> None:
    [(_, (pid, threads, variable))] = Ray(cluster.address).map(jobs.threads, [0], shared=None)
    assert pid != os.getpid()
    assert (threads, variable) == (1, "1")
    assert list(Ray(cluster.address, gpus=1).map(jobs.gpus, [0], shared=None)) == [(0, 1)]
    assert list(Ray(cluster.address).map(jobs.gpus, [0], shared=None)) == [(0, 0)]


@pytest.mark.slow
def test_a_session_that_is_open_is_used_and_left_open(cluster: Any) -> None:
    import ray

    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        assert dict(Ray().map(jobs.power, range(3), shared=2)) == {0: 0, 1: 1, 2: 4}
        assert ray.is_initialized()
        with pytest.raises(ConfigError, match="has a Ray session already"):
            list(Ray(cluster.address).map(jobs.power, range(3), shared=2))
    finally:
        ray.shutdown()


@pytest.mark.slow
def test_the_cluster_that_ray_address_names_is_used(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    found = {result for _, result in Ray().map(jobs.node, range(4), shared=None)}
    assert found <= {cluster.head_node.node_id, cluster.second.node_id}


@pytest.mark.slow
def test_closing_the_iterator_frees_the_cluster(cluster: Any, tmp_path: Path) -> None:
    work = Ray(cluster.address).map(jobs.process, range(9), shared=str(tmp_path))
    assert next(work) == (0, 0)
    work.close()
    assert dict(Ray(cluster.address).map(jobs.power, range(3), shared=2)) == {0: 0, 1: 1, 2: 4}


@pytest.mark.slow
def test_the_ray_client_serves_machines_outside(cluster: Any) -> None:
    crew = Ray(f"ray://127.0.0.1:{cluster.client_port}")
    assert dict(crew.map(jobs.power, range(5), shared=2)) == {number: number**2 for number in range(5)}
    with pytest.raises(BudgetExceeded, match="no more questions"):
        list(crew.map(jobs.over_budget, range(5), shared=None))


@pytest.mark.slow
def test_nobody_at_the_address(surroundings: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(EnvironmentFailure, match=f"nobody answers at '127.0.0.1:{port}'"):
        list(Ray(f"127.0.0.1:{port}").map(jobs.power, range(3), shared=2))


@pytest.mark.slow
def test_a_killed_node_changes_no_verdict(
    cluster: Any, tmp_path: Path, plain_package: Path, digits: Dataset
) -> None:
    """Jobs wait on the second node until it is killed; the others begin when one waits there."""
    parts = [jobs.shard(digits, start, start + 24) for start in range(0, 240, 24)]
    shared = {"package": jobs.packed(plain_package), "steps": 5, "eps": 0.1, "seed": 3}
    wanted = dict(Here().map(jobs.attack_shard, parts, shared=shared))

    watched = {**shared, "folder": str(tmp_path), "doomed": cluster.second.node_id}
    found: dict[int, Any] = {}
    for number, result in Ray(cluster.address).map(jobs.attack_on_doomed_node, parts, shared=watched):
        if not found:
            cluster.remove_node(cluster.second, allow_graceful=False)  # SIGKILL
        assert number not in found
        found[number] = result

    cluster.second = cluster.add_node(num_cpus=1, num_gpus=1)  # for the tests after this one

    assert (tmp_path / "waiting").read_text("ascii").split()  # somebody was at work there
    assert found.keys() == wanted.keys()
    for number, result in found.items():
        np.testing.assert_array_equal(result["success"], wanted[number]["success"])
        np.testing.assert_allclose(result["candidates"], wanted[number]["candidates"], atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's tables of sockets")
def test_a_ray_of_our_own_is_quiet_private_and_gone_afterwards(
    surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = """
import os
import compute_jobs as jobs
from hauberk.compute import Ray
before = dict(os.environ)
work = Ray().map(jobs.power, range(9), shared=2)
found = [next(work)]
import ray
assert ray.is_initialized()
ports = jobs.listening(os.getpid())
assert ports and ports <= {"0100007F", "0000000000000000FFFF00000100007F"}, ports
assert not ray._private.worker.get_dashboard_url()
found += work
assert sorted(found) == [(n, n * n) for n in range(9)]
assert not ray.is_initialized()
assert len(jobs.family(os.getpid())) == 1, jobs.family(os.getpid())
for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED"):
    assert name in before or name not in os.environ, name
"""
    surroundings.delenv("RAY_AUTH_MODE")
    surroundings.delenv("RAY_AUTH_TOKEN")
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert not (Path(os.environ["HOME"]) / ".ray" / "auth_token").exists()
