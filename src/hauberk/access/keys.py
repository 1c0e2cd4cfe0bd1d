"""API keys: ``hbk_`` + identifier + secret + checksum, in digits and letters.

    hbk_ IIIIIIIIIIII SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS CCCCCC
         12 of 62     43 of 62: 256 random bits                   6 of 62: CRC-32

The identifier finds the key again and is no secret. The checksum tells a typing error, and lets scanners of
leaked secrets know a real key from its look-alikes, both without a database. What is stored is SHA-256 of all:
a slow hash helps where secrets can be guessed, and nobody guesses 256 random bits.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import string
import zlib
from dataclasses import dataclass, field

from hauberk.core.errors import DataError
from hauberk.crypto.secret import Random

PREFIX = "hbk_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID, _SECRET, _CHECK = 12, 43, 6
_ID_BYTES, _SECRET_BYTES = 8, 32
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_ID + _SECRET + _CHECK}}}", re.ASCII)


@dataclass(frozen=True)
class ApiKey:
    """One key.

    Args:
        id: what it is called in lists and in the trail.
        text: all of it; shown once, when it is made.
    """

    id: str
    text: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What is stored of it, 32 bytes."""
        return hashlib.sha256(self.text.encode()).digest()

    def has_digest(self, digest: bytes) -> bool:
        """Whether this is the key with a stored digest, in a time that does not depend on the answer."""
        return hmac.compare_digest(self.digest, digest)


def make(*, random: Random = os.urandom) -> ApiKey:
    """A new key."""
    name = _written(int.from_bytes(random(_ID_BYTES), "big") % 62**_ID, _ID)
    body = PREFIX + name + _written(int.from_bytes(random(_SECRET_BYTES), "big"), _SECRET)
    return ApiKey(name, body + _checksum(body))


def parse(text: str) -> ApiKey:
    """Read a key.

    Raises:
        DataError: not the form, or the checksum says that something was mistyped; the text is not repeated.
    """
    if not _FORM.fullmatch(text):
        raise DataError(
            "this is no API key of Hauberk", hint=f"{PREFIX} and {_ID + _SECRET + _CHECK} letters and digits"
        )
    if _checksum(text[:-_CHECK]) != text[-_CHECK:]:
        raise DataError("this API key is mistyped or cut: its checksum does not fit")
    return ApiKey(id_in(text), text)


def id_in(text: str) -> str:
    """The part of a key that is no secret; of anything else, some part."""
    return text[len(PREFIX) :][:_ID]


def is_id(text: str) -> bool:
    """Whether this is the part of a key that is no secret, and not by mistake all of one."""
    return len(text) == _ID and all(one in _DIGITS for one in text)


def _checksum(body: str) -> str:
    return _written(zlib.crc32(body.encode()), _CHECK)


def _written(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
