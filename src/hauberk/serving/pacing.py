"""How much one caller may ask for in a second.

Every caller has an account that fills evenly, up to one second's worth. Whoever has something in it may ask,
for however many images, and then waits until what he owes is paid: so no request is too large to be answered at
all, and in the long run nobody gets more than his rate.

Limits: each process keeps its own accounts, so that W of them allow up to W times as much.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from hauberk.serving.problems import busy

_MOST = 65_536  # accounts; one that is forgotten is full again


class Pace:
    """The accounts of all callers.

    Args:
        images_per_s: of one caller; 0 sets no limit.
    """

    def __init__(self, images_per_s: float, *, seconds: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._seconds = images_per_s, seconds
        self._accounts: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what was in it, and when

    def check(self, caller: str) -> None:
        """Refuse whoever has asked for too much lately.

        Raises:
            Problem: 429, with the seconds until he may ask again.
        """
        if not self._rate:
            return
        left = self._left(caller)
        if left <= 0:
            raise busy(f"more than {self._rate:g} images a second", math.floor(-left / self._rate) + 1)

    def spend(self, caller: str, images: int) -> None:
        """He is answered."""
        if not self._rate:
            return
        self._accounts[caller] = self._left(caller) - images, self._seconds()
        self._accounts.move_to_end(caller)
        if len(self._accounts) > _MOST:
            self._accounts.popitem(last=False)

    def _left(self, caller: str) -> float:
        most = max(1.0, self._rate)
        found = self._accounts.get(caller)
        return most if found is None else min(most, found[0] + (self._seconds() - found[1]) * self._rate)
