"""An owner's key: 32 random bytes for marks, traces, pseudonyms, a vault and the like, in a file of his own.

The file is one line, ``HAUBERK-TRACE-KEY-1`` and 64 hexadecimal digits: it says what it is, so that a key made
for something else is never taken for it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import read_bytes, write_atomic
from hauberk.crypto.derive import KEY_BYTES
from hauberk.crypto.secret import Random, Secret

Use = Literal["watermark", "trace", "obfuscation", "pseudonym", "vault"]

_NOUNS: dict[Use, tuple[str, str]] = {
    "watermark": ("watermark key", "hauberk watermark keygen --out FILE"),
    "trace": ("tracing key", "hauberk trace keygen --out FILE"),
    "obfuscation": ("obfuscation key", "hauberk obfuscate … --new-key --key FILE"),
    "pseudonym": ("pseudonym key", "hauberk data deidentify … --new-key --key FILE"),
    "vault": ("vault key", "hauberk vault init --vault DIR"),
}
_OTHERS = {
    "AGE-SECRET-KEY": "it opens sealed files",
    "# created": "it looks like an age identity, which opens sealed files",
    "-----BEGIN": "it is a PEM file, as signatures use them",
    **{f"HAUBERK-{use.upper()}-KEY-": f"it is the {noun} of something" for use, (noun, _how) in _NOUNS.items()},
}


def generate(path: str | Path, use: Use, *, random: Random = os.urandom) -> Secret:
    """Write a new key, mode 600.

    Raises:
        ConfigError: something is at ``path``; a key is never replaced, since all that it made would be lost.
        EnvironmentFailure: the folder cannot be written.
    """
    if Path(path).exists():
        raise ConfigError(f"{path} exists already", hint="a key that something was made with is not replaced")
    key = Secret(random(KEY_BYTES))
    write_atomic(path, f"{_head(use)} {key.hex()}\n".encode(), mode=0o600)
    return key


def read(path: str | Path, use: Use) -> Secret:
    """A key that ``generate`` wrote for this use.

    Raises:
        DataError: no file, another kind of key, or one that is too short or too long.
        ConfigError: others than its owner may read or write it.
    """
    noun, how = _NOUNS[use]
    text = read_bytes(path, what=noun).decode("ascii", errors="replace").strip()
    mode = Path(path).stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(
            f"{path}: others may read this {noun} (mode {mode:o}), and who reads it can undo what it made",
            hint=f"chmod 600 {path}",
        )
    head, _, digits = text.partition(" ")
    if head != _head(use):
        what = next((f": {what}" for start, what in _OTHERS.items() if text.startswith(start)), "")
        raise DataError(f"{path} is no {noun}{what}", hint=how)
    if not re.fullmatch(r"[0-9a-f]*", digits) or len(digits) != 2 * KEY_BYTES:
        raise DataError(
            f"{path}: the {noun} has not {2 * KEY_BYTES} hexadecimal digits, but {len(digits)} characters"
        )
    return Secret(bytes.fromhex(digits))


def _head(use: Use) -> str:
    return f"HAUBERK-{use.upper()}-KEY-1"
