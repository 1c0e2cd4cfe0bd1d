"""The tracing key, from which every copy's code word and places are drawn.

Whoever holds it can tell recipients apart, can remove every mark, and can also make a copy that accuses whom he
likes: it is the owner's word that is being checked, not the recipient's.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256, shake_256
from pathlib import Path

from hauberk.crypto import owner_key
from hauberk.crypto.derive import hkdf_sha256
from hauberk.crypto.secret import Random, Secret

_LABEL = b"hauberk-trace/1 "


def generate(path: str | Path, *, random: Random = os.urandom) -> Secret:
    """A new key, written to a file: see ``owner_key.generate``."""
    return owner_key.generate(path, "trace", random=random)


def read(path: str | Path) -> Secret:
    """A key that ``generate`` wrote: see ``owner_key.read``."""
    return owner_key.read(path, "trace")


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
