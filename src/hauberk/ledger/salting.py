"""Facts that the log may hold only as long as somebody wants them known.

A digest of a name, a department or one of a thousand machines is no secret: whoever can list the candidates
hashes them all. So such a fact goes into the log as HMAC-SHA-256 under a random salt that stays outside. With
the salt anybody can check the fact; without it nobody can, and once every copy of the salt is gone the fact is
gone from the log, which still verifies.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Any

from hauberk.core.canonical import canonical_bytes
from hauberk.core.errors import ConfigError
from hauberk.crypto.secret import Random
from hauberk.ledger.entry import Opening

SALT_BYTES = 32
_LEAST_BYTES = 16
_PREFIX = "hmac-sha256:"


def salt(fact: Any, *, random: Random = os.urandom) -> Opening:
    """A fact with a fresh salt of 32 bytes; one salt is never used for two facts."""
    return Opening(random(SALT_BYTES), fact)


def salted(opening: Opening) -> str:
    """What the log holds of the fact, ``hmac-sha256:<hex>``.

    Raises:
        ConfigError: a salt of fewer than 16 bytes.
        DataError: the fact is no JSON value.
    """
    if len(opening.salt) < _LEAST_BYTES:
        raise ConfigError(f"a salt has {_LEAST_BYTES} bytes or more, got {len(opening.salt)}")
    return _PREFIX + hmac.new(opening.salt, canonical_bytes(opening.fact), hashlib.sha256).hexdigest()


def opens(opening: Opening, digest: str) -> bool:
    """Whether this is the fact behind a digest in the log."""
    return hmac.compare_digest(salted(opening).encode(), digest.encode())
