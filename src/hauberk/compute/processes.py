"""Processes of this machine: the standard library's pool, started afresh when one of its processes dies."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from hauberk.compute import parcel
from hauberk.compute.parcel import Call
from hauberk.compute.workers import Job, Result, Shared
from hauberk.core.settings import require_count

_AHEAD = 2  # calls in flight for each process: the next one waits where the last one ends


@dataclass(frozen=True)
class Processes:
    """``count`` fresh processes of this machine, one thread each.

    When a process dies (killed, out of memory), what was not done is done by new ones.

    Args:
        retries: how often a job may be lost with its process before the run is given up.

    Cost: each process starts Python and what the jobs import (about two seconds with torch), and holds a
    copy of ``shared``.
    """

    count: int
    retries: int = field(default=3, kw_only=True)

    def __post_init__(self) -> None:
        for name, least in (("count", 1), ("retries", 0)):
            require_count(name, getattr(self, name), "Processes", least=least)

    def map(
        self, function: Callable[[Job, Shared], Result], jobs: Iterable[Job], *, shared: Shared
    ) -> Iterator[tuple[int, Result]]:
        parcel.check_function(function)
        return self._run(parcel.calls(function, jobs), parcel.pack(shared, "shared"))

    def held(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # each map sends a payload of its own to fresh processes

    def _run(self, calls: Iterator[Call], shared: bytes) -> Iterator[tuple[int, Any]]:
        while True:
            lost: list[Call] = []
            with self._pool(shared) as pool:
                yield from self._drain(pool, calls, lost)
            if not lost:
                return
            calls = itertools.chain([call.again(self.retries) for call in lost], calls)

    def _drain(
        self, pool: ProcessPoolExecutor, calls: Iterator[Call], lost: list[Call]
    ) -> Iterator[tuple[int, Any]]:
        """Answers until the calls are used up, or until the pool breaks, which fills ``lost``."""
        flying: dict[Future[bytes], Call] = {}
        while True:
            while not lost and len(flying) < _AHEAD * self.count:
                call = next(calls, None)
                if call is None:
                    break
                try:
                    flying[pool.submit(_carry_out, call.data)] = call
                except BrokenProcessPool:
                    lost.append(call)
            if not flying:
                return
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                call = flying.pop(future)
                try:
                    data = future.result()
                except BrokenProcessPool:
                    lost.append(call)
                else:
                    yield call.number, parcel.answer(data)

    @contextlib.contextmanager
    def _pool(self, shared: bytes) -> Iterator[ProcessPoolExecutor]:
        """A pool whose processes end at once when the work is given up, or when this process dies."""
        context = multiprocessing.get_context("spawn")  # a fork of a process with torch's threads may hang
        leash, held = context.Pipe(duplex=False)
        pool = ProcessPoolExecutor(self.count, mp_context=context, initializer=_begin, initargs=(shared, leash))
        try:
            yield pool
            pool.shutdown()
        finally:
            held.close()
            pool.shutdown(cancel_futures=True)
            leash.close()


_shared = b""  # in a worker: the payload


def _begin(shared: bytes, leash: Connection) -> None:
    """In a new worker: keep the payload, leave Ctrl-C to the parent, and live no longer than it wants."""
    global _shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(leash,), daemon=True).start()
    _shared = shared


def _end_with(leash: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        leash.recv_bytes()
    os._exit(1)


def _carry_out(call: bytes) -> bytes:
    return parcel.carry_out(call, _shared)
