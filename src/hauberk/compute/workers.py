"""The interface, and its simplest implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hauberk.compute.parcel import check_function

Job = TypeVar("Job")
Shared = TypeVar("Shared")
Result = TypeVar("Result")


class Workers(Protocol):
    """Those who carry out jobs."""

    def map(
        self, function: Callable[[Job, Shared], Result], jobs: Iterable[Job], *, shared: Shared
    ) -> Iterator[tuple[int, Result]]:
        """``function(job, shared)`` for every job.

        Args:
            function: at the top level of a module that can be imported wherever the work is done. Its result
                must depend on its two arguments alone, and it must not change ``shared``: then it does not
                matter where a job runs, beside which others, or how often it is begun.
            jobs: plain values (numbers, text, bytes, arrays, lists and dicts of them), taken as they are
                needed, so they may come from a generator.
            shared: one payload that all jobs read, sent to each machine or process once.

        Returns:
            ``(number, result)`` as the jobs are done, not in order; ``number`` counts jobs from 0. Every job
            comes exactly once. Closing the iterator stops the work, as Ctrl-C does.

        Raises:
            ConfigError: a function that cannot be imported by name; a job, payload or result that cannot
                leave its process.
            EnvironmentFailure: a job was lost with its worker again and again, or there is no such cluster.
            Exception: what the first failing job raised, as itself, with the traceback from the worker as a
                note; jobs that were not done by then are given up.
        """
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keeps what takes long to open (a cluster) open over several ``map``s."""
        ...


@dataclass(frozen=True)
class Here:
    """This process, one job after the other, in order."""

    def map(
        self, function: Callable[[Job, Shared], Result], jobs: Iterable[Job], *, shared: Shared
    ) -> Iterator[tuple[int, Result]]:
        check_function(function)
        return ((number, function(job, shared)) for number, job in enumerate(jobs))

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()
