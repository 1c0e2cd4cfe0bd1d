"""Passwords for the console: Argon2id, in its own text form, so that its cost can be raised later.

Whoever is unknown costs the same work as whoever is known: ``verify`` without a stored text hashes all the
same.

Source: RFC 9106; the cost is the first of OWASP's recommended settings (19 MiB, two passes, one lane).
"""

from __future__ import annotations

import os
import unicodedata

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from hauberk.core.errors import ConfigError
from hauberk.crypto.secret import Random

MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
LEAST, MOST = 12, 256  # characters; the upper limit keeps a visitor from making us hash megabytes
_SALT_BYTES, _HASH_BYTES = 16, 32


def _octets(password: str) -> bytes:
    """The same bytes however a keyboard composes accents."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def check(password: str) -> None:
    """What a new password must be.

    Raises:
        ConfigError: too short or too long; it is not repeated.
    """
    if not LEAST <= len(password) <= MOST:
        raise ConfigError(f"a password has {LEAST} to {MOST} characters, this one has {len(password)}")


def hashed(password: str, *, random: Random = os.urandom) -> str:
    """``$argon2id$v=19$…``. Cost: about 50 ms and 19 MiB."""
    check(password)
    return _argon(random(_SALT_BYTES)).derive_phc_encoded(_octets(password))


def verify(password: str, stored: str | None) -> bool:
    """Whether it is the password behind a stored text; with None it is not, after the same work."""
    text = _octets(password[: MOST + 1])  # nothing longer than MOST was ever stored
    try:
        Argon2id.verify_phc_encoded(text, stored or _NOBODY)
    except InvalidKey:
        return False
    return stored is not None


def _argon(salt: bytes) -> Argon2id:
    return Argon2id(salt=salt, length=_HASH_BYTES, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)


_NOBODY = (  # a hash that nothing is known to have, at the same cost
    f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}"
    "$bm9ib2R5J3Mgb3duIHNhbA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
