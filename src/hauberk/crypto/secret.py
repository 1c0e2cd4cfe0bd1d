"""Bytes that are wiped when they are no longer needed, and that never show in a message.

Limits: Python copies what it likes. What a library returns as ``bytes``, and the text of a key file while it is
read, cannot be wiped; neither can pages that the machine has swapped out. Wiping shortens the time in which a
secret can be found in memory, it does not promise that there is none.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn

Random = Callable[[int], bytes]
"""Where fresh bytes come from: ``os.urandom``, or a test's own."""


class Secret(bytearray):
    """Key material. ``with`` wipes it at the end of the block; ``wipe`` does so at once."""

    def wipe(self) -> None:
        """Overwrite with zeros, in place."""
        self[:] = bytes(len(self))

    def same(self, other: bytes | bytearray) -> bool:
        """Equality in a time that does not depend on where the two differ."""
        return hmac.compare_digest(self, other)

    def __enter__(self) -> Secret:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"Secret({len(self)} bytes)"

    __str__ = __repr__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled")
