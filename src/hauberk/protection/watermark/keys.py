"""A mark's key, from which everything about the mark is drawn."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from hauberk.core.errors import ConfigError
from hauberk.crypto import owner_key
from hauberk.crypto.derive import KEY_BYTES
from hauberk.crypto.secret import Random


@dataclass(frozen=True)
class MarkKey:
    """Who holds it can find the mark, show it to others, and remove it.

    Args:
        secret: 32 bytes; never shown by ``repr``.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.secret, bytes) or len(self.secret) != KEY_BYTES:
            found = len(self.secret) if isinstance(self.secret, bytes) else type(self.secret).__name__
            raise ConfigError(f"a watermark key is {KEY_BYTES} bytes, got {found}")


def generate(path: str | Path, *, random: Random = os.urandom) -> MarkKey:
    """A new key, written to a file: see ``owner_key.generate``."""
    return MarkKey(bytes(owner_key.generate(path, "watermark", random=random)))


def read(path: str | Path) -> MarkKey:
    """A key that ``generate`` wrote: see ``owner_key.read``."""
    return MarkKey(bytes(owner_key.read(path, "watermark")))
