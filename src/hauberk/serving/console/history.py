"""The last quarter of an hour of a server in figures, in bounded memory: what charts of live traffic are drawn
from.

Each worker looks at the metrics of all of them every few seconds and keeps what happened in between, so that a
page shows the same whichever worker answers it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hauberk.core.errors import HauberkError
from hauberk.serving.figures import Figures, Sample, between
from hauberk.serving.metrics import Metrics

EVERY_S = 5.0
KEPT_S = 900.0


@dataclass(frozen=True)
class Point:
    """What happened between two looks.

    Args:
        at_s: POSIX seconds of the later one.
        answered, refused, failed: requests a second, by status: up to 399, up to 499, and above.
    """

    at_s: float
    figures: Figures

    @property
    def answered(self) -> float:
        return self._rate("123")

    @property
    def refused(self) -> float:
        return self._rate("4")

    @property
    def failed(self) -> float:
        return self._rate("5")

    def _rate(self, first: str) -> float:
        return sum(rate for status, rate in self.figures.requests_per_s.items() if status[:1] in first)


class History:
    """Keeps ``KEPT_S`` seconds of figures.

    Args:
        metrics: gives the exposition of all processes.
        seconds: POSIX time; ``forward`` a clock that only runs forward.

    Cost: one exposition every ``EVERY_S``; memory for 180 points.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        seconds: Callable[[], float] = time.time,
        forward: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics, self._seconds, self._forward = metrics, seconds, forward
        self._last: Sample | None = None
        self._points: deque[Point] = deque(maxlen=int(KEPT_S / EVERY_S))
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Take the figures since the last look."""
        _kind, text = self._metrics.exposition()
        found = Sample.parse(text.decode(), self._forward())
        if self._last is not None:
            self._points.append(Point(self._seconds(), between(self._last, found)))
        self._last = found

    def points(self) -> tuple[Point, ...]:
        """Oldest first."""
        return tuple(self._points)

    @property
    def newest(self) -> Sample | None:
        """The last look."""
        return self._last

    def begin(self) -> None:
        """Look again and again, for as long as the loop runs that this is called in."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(HauberkError):  # the metrics of a server that has not begun to serve
                await asyncio.to_thread(self.look)
            await asyncio.sleep(EVERY_S)
