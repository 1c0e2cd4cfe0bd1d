"""One contract for whoever does the work."""

from __future__ import annotations

import itertools
from pathlib import Path

import compute_jobs as jobs
import numpy as np
import pytest

from hauberk.compute import Here, Processes, Workers
from hauberk.core.errors import BudgetExceeded, ConfigError
from hauberk.datasets import Dataset

BOTH = [Here(), Processes(2)]
pytestmark = pytest.mark.parametrize("crew", BOTH, ids=repr)


def test_every_job_comes_once_with_its_number(crew: Workers) -> None:
    found = list(crew.map(jobs.power, range(40), shared=3))
    assert len(found) == 40
    assert dict(found) == {number: number**3 for number in range(40)}


def test_no_jobs_no_results(crew: Workers) -> None:
    assert list(crew.map(jobs.power, [], shared=3)) == []


def test_arrays_keep_their_bits(crew: Workers) -> None:
    maker = np.random.default_rng(0)
    parts = [maker.normal(size=(5, 8)).astype(np.float32) for _ in range(6)]
    payload = np.eye(8, dtype=np.float32)[::-1]
    for number, result in crew.map(jobs.scaled, parts, shared=payload):
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, parts[number] @ payload)


def test_jobs_are_taken_as_they_are_needed(crew: Workers) -> None:
    taken = []

    def endless():
        for number in range(10**9):
            taken.append(number)
            yield number

    for count, _ in enumerate(work := crew.map(jobs.power, endless(), shared=2), 1):
        if count == 3:
            break
    work.close()
    assert len(taken) < 20


def test_an_error_comes_back_as_itself(crew: Workers) -> None:
    with pytest.raises(BudgetExceeded, match="no more questions") as caught:
        list(crew.map(jobs.over_budget, range(5), shared=None))
    assert caught.value.hint == "ask less"
    assert caught.value.facts == {"spent": 2}


@pytest.mark.parametrize("function", [lambda job, shared: job, [].append, None])
def test_a_function_without_a_name_is_refused_at_once(crew: Workers, function: object) -> None:
    with pytest.raises(ConfigError, match="imported by name") as caught:
        crew.map(function, range(3), shared=None)
    assert "module" in caught.value.hint


def test_an_attack_gives_the_same_on_shards_of_any_size(
    crew: Workers, plain_package: Path, digits: Dataset
) -> None:
    shared = {"package": jobs.packed(plain_package), "steps": 5, "eps": 0.1, "seed": 3}
    whole = jobs.attack_shard(jobs.shard(digits, 0, 48), shared)
    edges = [0, 7, 31, 48]
    parts = [jobs.shard(digits, *pair) for pair in itertools.pairwise(edges)]
    found = dict(crew.map(jobs.attack_shard, parts, shared=shared))
    success = np.concatenate([found[number]["success"] for number in range(3)])
    candidates = np.concatenate([found[number]["candidates"] for number in range(3)])
    np.testing.assert_array_equal(success, whole["success"])
    np.testing.assert_allclose(candidates, whole["candidates"], atol=1e-6)
    assert 0 < success.sum() < 48
