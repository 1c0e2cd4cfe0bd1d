"""Micro-batches: whatever asks at the same time goes through the network together.

All of it runs on one event loop. A network whose batch takes no longer than a few turns of the loop is run on
the loop itself, which costs no hand-over between threads; a slower one runs in a thread of its own, and whoever
asks in the meantime makes the next batch. Where there is one processor, a thread gains nothing but its turns.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from hauberk.core.processors import processors
from hauberk.serving.engine import Engine
from hauberk.serving.limits import Limits
from hauberk.serving.problems import Problem, bad_request, busy
from hauberk.serving.protocol import Answer, Floats

INLINE_S, INLINE_ALONE_S = 0.004, 0.02  # a batch that is faster than this runs on the loop; on one processor


class _Waiting:
    __slots__ = ("deadline", "future", "rows")

    def __init__(self, rows: Floats, future: asyncio.Future[Answer], deadline: float) -> None:
        self.rows, self.future, self.deadline = rows, future, deadline


class Batcher:
    """Collects questions to one engine and hands out their answers.

    Args:
        executor: the thread for engines that are too slow for the loop.
        batched: told of each pass how many images it had.

    Cost: an answer waits for the batch that is under way, for ``limits.delay_ms`` at most, and for its own
    batch.
    """

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        executor: Executor,
        *,
        batched: Callable[[int], None] | None = None,
    ) -> None:
        self.engine = engine
        self._batched = batched
        self._limits, self._executor = limits, executor
        self._inline = engine.batch_s < (INLINE_S if processors() > 1 else INLINE_ALONE_S)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._expired: asyncio.TimerHandle | None = None
        self._planned: asyncio.Handle | None = None
        self._running = False
        self.rows = 0
        """Images that wait."""

    def ask(self, rows: Floats) -> asyncio.Future[Answer]:
        """The answer to come, or a ``Problem``: out of bounds (400), too late (504).

        Raises:
            Problem: 429 where too many wait already.
        """
        count = len(rows)
        if self.rows + count > self._limits.queue_rows:
            seconds = self.rows / self._limits.batch_rows * self.engine.batch_s
            raise busy(f"{self.rows} images wait for this model already", max(1, math.ceil(seconds)))
        future = self._loop.create_future()
        self._waiting.append(_Waiting(rows, future, self._loop.time() + self._limits.timeout_s))
        self.rows += count
        if self._expired is None:
            self._expired = self._loop.call_later(self._limits.timeout_s, self._expire)
        if not self._running:
            self._plan()
        return future

    def _plan(self) -> None:
        """Start a batch as soon as it may."""
        full = self.rows >= self._limits.batch_rows
        if self._limits.delay_ms == 0 or full:
            if isinstance(self._planned, asyncio.TimerHandle):
                self._planned.cancel()
                self._planned = None
            if self._planned is None:  # after whatever has arrived in this turn of the loop has asked too
                self._planned = self._loop.call_soon(self._go)
        elif self._planned is None:
            self._planned = self._loop.call_later(self._limits.delay_ms / 1000, self._go)

    def _go(self) -> None:
        self._planned = None
        batch = self._take()
        if not batch:
            return
        rows = batch[0].rows if len(batch) == 1 else np.concatenate([one.rows for one in batch])
        if self._batched is not None:
            self._batched(len(rows))
        if self._inline:
            try:
                answer = self._answer(rows)
            except Exception as error:  # noqa: BLE001 (whatever a network raises is told to those who asked)
                self._fail(batch, error)
            else:
                self._hand_out(batch, rows, answer)
            if self._waiting:
                self._plan()
            return
        self._running = True
        running = self._loop.run_in_executor(self._executor, self._answer, rows)
        running.add_done_callback(lambda done: self._done(batch, rows, done))

    def _answer(self, rows: Floats) -> tuple[Answer, np.ndarray]:
        invalid = self.engine.invalid(rows)
        if invalid.all():  # nothing to compute
            return _nothing(len(rows), len(self.engine.labels)), invalid
        return self.engine(self.engine.clipped(rows)), invalid

    def _done(
        self, batch: list[_Waiting], rows: Floats, done: asyncio.Future[tuple[Answer, np.ndarray]]
    ) -> None:
        self._running = False
        error = done.exception()
        if error is None:
            self._hand_out(batch, rows, done.result())
        else:
            self._fail(batch, error)
        if self._waiting:
            self._plan()

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        count = 0
        while self._waiting:
            first = self._waiting[0]
            if batch and count + len(first.rows) > self._limits.batch_rows:
                break
            self._waiting.popleft()
            self.rows -= len(first.rows)
            if not first.future.done():  # whose caller went away, or whose time is over
                batch.append(first)
                count += len(first.rows)
        return batch

    def _hand_out(self, batch: list[_Waiting], rows: Floats, found: tuple[Answer, np.ndarray]) -> None:
        answer, invalid = found
        start = 0
        for one in batch:
            stop = start + len(one.rows)
            if not one.future.done():
                if invalid[start:stop].any():
                    one.future.set_exception(self._out_of_bounds(int(invalid[start:stop].argmax())))
                else:
                    one.future.set_result(
                        Answer(
                            answer.probabilities[start:stop],
                            answer.label[start:stop],
                            answer.logits[start:stop],
                        )
                    )
            start = stop

    def _out_of_bounds(self, row: int) -> Problem:
        low, high = self.engine.bounds()
        return bad_request(
            "out-of-bounds", f"image {row} has values that are no numbers or outside of [{low:g}, {high:g}]"
        )

    def _fail(self, batch: list[_Waiting], error: BaseException) -> None:
        for one in batch:
            if not one.future.done():
                problem = Problem(500, "network-failed", "the network could not answer")
                problem.__cause__ = error
                one.future.set_exception(problem)

    def _expire(self) -> None:
        """Tell those whose time is over; look again when the next one's is."""
        self._expired = None
        now = self._loop.time()
        for one in self._waiting:
            if one.future.done():
                continue
            if one.deadline > now:
                self._expired = self._loop.call_at(one.deadline, self._expire)
                break
            one.future.set_exception(Problem(504, "too-late", f"no answer within {self._limits.timeout_s:g} s"))


def _nothing(rows: int, classes: int) -> Answer:
    blank = np.zeros((rows, classes), np.float32)
    return Answer(blank, np.zeros(rows, np.int64), blank)
