"""What a key makes of values: the same pseudonym for the same person, and none that tells without the key.

One key of 32 bytes, and from it by HKDF a key for each type and use. A digest without a key would not do: who
can list all telephone numbers can hash them all.
"""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

from hauberk.core.errors import ConfigError
from hauberk.crypto import owner_key
from hauberk.crypto.derive import KEY_BYTES, hkdf_sha256
from hauberk.crypto.ff1 import Permutation
from hauberk.privacy.text.alike import Choice, alike
from hauberk.privacy.text.normal import normal

_USE = b"hauberk/pseudonym/1/"
_REMEMBERED = 1 << 16
TOKEN_LETTERS = 16
"""Of a token, five bits each: among a million values, two share one with a chance of 4e-13."""

WRITING_LETTERS = 8
"""Of what tells two ways to write one value apart."""


class Keys:
    """A pseudonym key at work.

    Args:
        secret: 32 bytes, uniformly random.

    Raises:
        ConfigError: another number of bytes.
    """

    def __init__(self, secret: bytes | bytearray) -> None:
        if len(secret) != KEY_BYTES:
            raise ConfigError(f"a pseudonym key has {KEY_BYTES} bytes, got {len(secret)}")
        self.secret = bytes(secret)
        self._derived: dict[bytes, bytes] = {}
        self._permutations: dict[tuple[str, int], Permutation] = {}
        self._made: dict[tuple[str, str], str] = {}

    def __repr__(self) -> str:
        return "Keys(…)"

    @classmethod
    def new(cls, path: str | Path) -> Keys:
        """A fresh key, written to a file: see ``owner_key.generate``."""
        return cls(owner_key.generate(path, "pseudonym"))

    @classmethod
    def load(cls, path: str | Path) -> Keys:
        """The key in a file that ``new`` wrote: see ``owner_key.read``."""
        return cls(owner_key.read(path, "pseudonym"))

    @property
    def name(self) -> str:
        """16 hexadecimal digits by which records tell one key from another; they say nothing about it."""
        return self._key(b"name")[:8].hex()

    def alike(self, kind: str, text: str) -> str:
        """A value that looks like ``text``: the same for every way to write the same value."""
        found = self._made.get((kind, text))
        if found is None:
            seed = self._digest(b"alike", kind, normal(kind, text))
            key = self._key(b"permutation/" + kind.encode())

            def permute(size: int, value: int, tweak: bytes) -> int:
                if (kind, size) not in self._permutations:
                    self._permutations[kind, size] = Permutation(key, size)
                return self._permutations[kind, size].forth(value, tweak)

            found = alike(kind, text, Choice(seed, permute))
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            self._made[kind, text] = found
        return found

    def drawn(self, kind: str, text: str, place: str) -> str:
        """A value that looks like ``text`` and depends on where it stands, so that no two can be linked."""
        return alike(kind, text, Choice(self._digest(b"place", kind, place)))

    def token(self, kind: str, text: str) -> str:
        """16 letters for the value."""
        return _letters(self._digest(b"token", kind, normal(kind, text)), TOKEN_LETTERS)

    def writing(self, kind: str, text: str) -> str:
        """8 letters for how it is written here."""
        return _letters(self._digest(b"writing", kind, text), WRITING_LETTERS)

    def check(self, kind: str, text: str) -> bytes:
        """16 bytes by which the table of tokens notices that two values share one."""
        return self._digest(b"check", kind, text)[:16]

    def _digest(self, use: bytes, kind: str, text: str) -> bytes:
        return hmac.digest(self._key(use + b"/" + kind.encode()), text.encode(), "sha256")

    def _key(self, use: bytes) -> bytes:
        if use not in self._derived:
            self._derived[use] = bytes(hkdf_sha256(self.secret, info=_USE + use))
        return self._derived[use]


def _letters(data: bytes, count: int) -> str:
    return base64.b32encode(data).decode().lower()[:count]
