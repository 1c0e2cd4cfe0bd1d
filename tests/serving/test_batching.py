"""Micro-batches: everybody gets his own answer, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from hauberk.serving.batching import Batcher
from hauberk.serving.limits import Limits
from hauberk.serving.problems import Problem
from hauberk.serving.protocol import Answer


class Sums:
    """Stands for a network: each row's probability is its own sum; counts its passes."""

    labels = ("a", "b")
    input_shape = (2,)

    def __init__(self, batch_s: float = 0.0, broken: bool = False) -> None:
        self.batch_s, self.broken = batch_s, broken
        self.passes: list[int] = []

    def __call__(self, rows: Any) -> Answer:
        self.passes.append(len(rows))
        time.sleep(self.batch_s)
        if self.broken:
            raise ValueError("a secret of the network")
        sums = rows.sum(axis=1)
        return Answer(np.stack([sums, -sums], 1), (sums < 0).astype(np.int64), np.stack([sums, -sums], 1))

    def invalid(self, rows: Any) -> Any:
        return ~((rows >= 0) & (rows <= 1)).all(axis=1)

    def clipped(self, rows: Any) -> Any:
        return rows

    def bounds(self) -> tuple[float, float]:
        return 0.0, 1.0


def run(work: Callable[[Callable[..., Batcher]], Awaitable[None]]) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            await work(lambda engine, **limits: Batcher(engine, Limits(**limits), executor))

    asyncio.run(main())


def rows(*values: float) -> Any:
    return np.array([[one, 0.0] for one in values], np.float32)


@pytest.mark.parametrize("slow", [0.0, 0.01])
def test_each_gets_his_own_answer(slow: float) -> None:
    async def work(make: Callable[..., Batcher]) -> None:
        engine = Sums(slow)
        batcher = make(engine, batch_rows=8)
        asked = [rows(*(np.arange(1, 1 + n) / 100)) for n in (1, 3, 2, 1, 5, 8, 20, 1)]
        answers = await asyncio.gather(*(batcher.ask(one) for one in asked))
        for one, answer in zip(asked, answers, strict=True):
            assert np.array_equal(answer.probabilities[:, 0], one.sum(axis=1))
        assert sum(engine.passes) == sum(map(len, asked))
        assert len(engine.passes) < len(asked)  # together, not one by one
        assert max(engine.passes) <= 20  # only who alone is larger than a batch
        assert batcher.rows == 0

    run(work)


def test_a_batch_waits_for_company_no_longer_than_it_may() -> None:
    async def work(make: Callable[..., Batcher]) -> None:
        engine = Sums()
        batcher = make(engine, delay_ms=80, batch_rows=4)
        begin = time.perf_counter()
        first = batcher.ask(rows(0.1))
        await asyncio.sleep(0.02)
        second = batcher.ask(rows(0.2))
        await asyncio.gather(first, second)
        assert engine.passes == [2]
        assert time.perf_counter() - begin >= 0.075
        begin = time.perf_counter()
        await asyncio.gather(*(batcher.ask(rows(0.1)) for _ in range(4)))  # full at once
        assert engine.passes == [2, 4]
        assert time.perf_counter() - begin < 0.07

    run(work)


def test_what_is_out_of_bounds_is_refused_alone() -> None:
    async def work(make: Callable[..., Batcher]) -> None:
        batcher = make(Sums())
        good, bad, none = batcher.ask(rows(0.5)), batcher.ask(rows(0.1, 1.5)), batcher.ask(rows(np.nan))
        found = await asyncio.gather(good, bad, none, return_exceptions=True)
        assert found[0].probabilities[0, 0] == 0.5
        assert isinstance(found[1], Problem)
        assert "image 1" in found[1].detail
        assert isinstance(found[2], Problem)
        assert found[2].status == 400

    run(work)


def test_a_full_queue_sends_away_with_a_time_to_come_back() -> None:
    async def work(make: Callable[..., Batcher]) -> None:
        batcher = make(Sums(), queue_rows=3)
        kept = [batcher.ask(rows(0.1)) for _ in range(3)]
        with pytest.raises(Problem) as caught:
            batcher.ask(rows(0.1))
        assert caught.value.status == 429
        assert int(caught.value.headers["retry-after"]) >= 1
        await asyncio.gather(*kept)
        await batcher.ask(rows(0.1))

    run(work)


def test_who_waits_too_long_is_told() -> None:
    async def work(make: Callable[..., Batcher]) -> None:
        batcher = make(Sums(0.3), timeout_s=0.1)
        first = batcher.ask(rows(0.1))
        await asyncio.sleep(0.01)  # it is under way
        second = batcher.ask(rows(0.2))
        begin = time.perf_counter()
        with pytest.raises(Problem) as caught:
            await second
        assert caught.value.status == 504
        assert time.perf_counter() - begin < 0.25
        await first
        await asyncio.sleep(0.05)
        assert batcher.rows == 0  # who was told is not computed for

    run(work)


def test_a_caller_who_left_costs_nothing() -> None:
    async def work(make: Callable[..., Batcher]) -> None:
        engine = Sums()
        batcher = make(engine)
        left, stays = batcher.ask(rows(0.1)), batcher.ask(rows(0.2))
        left.cancel()
        await stays
        assert engine.passes == [1]

    run(work)


@pytest.mark.parametrize("slow", [0.0, 0.01])
def test_a_network_that_fails_tells_no_secret_and_goes_on(slow: float) -> None:
    async def work(make: Callable[..., Batcher]) -> None:
        engine = Sums(slow, broken=True)
        batcher = make(engine)
        with pytest.raises(Problem) as caught:
            await batcher.ask(rows(0.1))
        assert caught.value.status == 500
        assert "secret" not in caught.value.detail
        engine.broken = False
        assert (await batcher.ask(rows(0.25))).probabilities[0, 0] == 0.25

    run(work)
