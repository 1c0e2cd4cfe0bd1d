"""A mark's key: 32 random bytes in a file that only its owner may read.

The file says what it is, so that a key made for something else is never taken for it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import read_bytes, write_atomic

KEY_BYTES = 32
_HEAD = "HAUBERK-WATERMARK-KEY-1"
_OTHERS = {
    "AGE-SECRET-KEY": "it opens sealed files",
    "# created": "it looks like an age identity, which opens sealed files",
    "-----BEGIN": "it is a PEM file, as signatures use them",
}


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


def generate(path: str | Path, *, random: Callable[[int], bytes] = os.urandom) -> MarkKey:
    """Write a new key, mode 600.

    Raises:
        ConfigError: something is at ``path``; a key is never replaced, since its marks would be lost.
        EnvironmentFailure: the folder cannot be written.
    """
    if Path(path).exists():
        raise ConfigError(f"{path} exists already", hint="a key that marks were made with is not replaced")
    key = MarkKey(random(KEY_BYTES))
    write_atomic(path, f"{_HEAD} {key.secret.hex()}\n".encode(), mode=0o600)
    return key


def read(path: str | Path) -> MarkKey:
    """A key that ``generate`` wrote.

    Raises:
        DataError: no file, another kind of key, or one that is too short or too long.
        ConfigError: others than its owner may read or write it.
    """
    data = read_bytes(path, what="watermark key")
    mode = Path(path).stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(
            f"{path}: others may read this key (mode {mode:o}), and who reads it can remove the mark",
            hint=f"chmod 600 {path}",
        )
    text = data.decode("ascii", errors="replace").strip()
    for start, what in _OTHERS.items():
        if text.startswith(start):
            raise DataError(
                f"{path} is not a watermark key: {what}", hint="hauberk watermark keygen --out FILE"
            )
    head, _, digits = text.partition(" ")
    if head != _HEAD:
        raise DataError(f"{path} is not a watermark key", hint="hauberk watermark keygen --out FILE")
    if not re.fullmatch(r"[0-9a-f]*", digits) or len(digits) != 2 * KEY_BYTES:
        raise DataError(
            f"{path}: a watermark key has {2 * KEY_BYTES} hexadecimal digits, this has {len(digits)}"
        )
    return MarkKey(bytes.fromhex(digits))
