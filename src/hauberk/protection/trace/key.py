"""The tracing key: 32 random bytes in a file that only its owner may read.

Whoever holds it can tell recipients apart, can remove every mark, and can also make a copy that accuses whom he
likes: it is the owner's word that is being checked, not the recipient's.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256, shake_256
from pathlib import Path

from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import read_bytes, write_atomic
from hauberk.crypto.derive import KEY_BYTES, hkdf_sha256
from hauberk.crypto.secret import Random, Secret

_LABEL = b"hauberk-trace/1 "


def generate(path: str | Path, *, random: Random = os.urandom) -> Path:
    """Write a new key, mode 600.

    Raises:
        ConfigError: something is at ``path``; a key is never replaced, since all its copies would become
            untraceable.
        EnvironmentFailure: the folder cannot be written.
    """
    if Path(path).exists():
        raise ConfigError(f"{path} exists already", hint="a key that marks were made with is not replaced")
    with Secret(random(KEY_BYTES)) as key:
        return write_atomic(path, bytes(key), mode=0o600)


def read(path: str | Path) -> Secret:
    """A key that ``generate`` wrote.

    Raises:
        DataError: no file, or one that does not hold exactly 32 bytes.
    """
    data = read_bytes(path, what="tracing key")
    if len(data) != KEY_BYTES:
        raise DataError(f"{path} is no tracing key: {len(data)} bytes instead of {KEY_BYTES}")
    return Secret(data)


def commitment(key: Secret) -> str:
    """``sha256:…``, which names the key without telling it."""
    with hkdf_sha256(key, info=_LABEL + b"commitment") as derived:
        return f"sha256:{sha256(derived).hexdigest()}"


def tag(key: Secret, use: str, data: bytes) -> str:
    """HMAC-SHA256 of ``data`` under a key of its own for ``use``, in hex."""
    with hkdf_sha256(key, info=_LABEL + use.encode()) as derived:
        return hmac.new(derived, data, sha256).hexdigest()


def pseudonym(key: Secret, recipient: str) -> str:
    """How evidence names a recipient: the same each time, and telling nothing to who has no key."""
    return f"hmac-sha256:{tag(key, 'recipient', recipient.encode())}"


def stream(key: Secret, use: str, size: int) -> bytes:
    """Bytes that look random without the key: SHAKE256 over a key of its own for ``use``."""
    with hkdf_sha256(key, info=_LABEL + use.encode()) as derived:
        return shake_256(derived).digest(size)
