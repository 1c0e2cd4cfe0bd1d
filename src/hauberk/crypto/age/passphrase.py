"""A passphrase in place of a key: scrypt makes guessing slow.

Source: c2sp.org/age, section The scrypt recipient type.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import ClassVar

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from hauberk.core.errors import ConfigError
from hauberk.crypto.age.header import Stanza, decode, encode, refused
from hauberk.crypto.age.keypair import BODY_BYTES
from hauberk.crypto.age.x25519 import NONCE, unwrapped
from hauberk.crypto.secret import Random, Secret

KIND = "scrypt"
WORK_FACTOR = 18
"""Base-two logarithm of scrypt's N: about a second and 256 MiB for each guess. More is not read: a file could
ask for any amount of memory."""

_SALT_BYTES = 16
_LABEL = b"age-encryption.org/v1/scrypt"


@dataclass(frozen=True, repr=False)
class Passphrase:
    """Recipient and identity in one: who knows it can read.

    Args:
        secret: the passphrase in UTF-8.
        work_factor: base-two logarithm of scrypt's N, for writing; 18 at most.

    Raises:
        ConfigError: an empty passphrase, or a work factor out of range.

    Limits: a passphrase that can be guessed is no protection, however slow a guess.
    """

    kind: ClassVar[str] = KIND
    secret: Secret
    work_factor: int = WORK_FACTOR

    def __post_init__(self) -> None:
        if not self.secret:
            raise ConfigError("the passphrase is empty")
        if not 1 <= self.work_factor <= WORK_FACTOR:
            raise ConfigError(f"work_factor is in [1, {WORK_FACTOR}], got {self.work_factor}")

    def __repr__(self) -> str:
        return "Passphrase(…)"

    def wipe(self) -> None:
        self.secret.wipe()

    def _key(self, salt: bytes, work_factor: int) -> Secret:
        key = Secret(32)
        Scrypt(salt=_LABEL + salt, length=32, n=1 << work_factor, r=8, p=1).derive_into(self.secret, key)
        return key

    def wrap(self, file_key: Secret, *, random: Random = os.urandom) -> Stanza:
        """The file key for whoever knows the passphrase."""
        salt = random(_SALT_BYTES)
        with self._key(salt, self.work_factor) as key:
            body = ChaCha20Poly1305(key).encrypt(NONCE, file_key, None)
        return Stanza((KIND, encode(salt), str(self.work_factor)), body)

    def unwrap(self, stanza: Stanza) -> Secret | None:
        """The file key, or None where the passphrase is another.

        Raises:
            IntegrityError: an scrypt stanza that is malformed or asks for too much work.
        """
        if stanza.kind != KIND:
            return None
        if len(stanza.arguments) != 3:
            raise refused("an scrypt stanza has three arguments")
        salt, number = decode(stanza.arguments[1]), stanza.arguments[2]
        if len(salt) != _SALT_BYTES or len(stanza.body) != BODY_BYTES:
            raise refused("an scrypt stanza has the wrong length")
        if not re.fullmatch("[1-9][0-9]{0,2}", number):
            raise refused("an scrypt work factor is not a number")
        if int(number) > WORK_FACTOR:
            raise refused(f"an scrypt work factor of {number}; at most {WORK_FACTOR} is read")
        with self._key(salt, int(number)) as key:
            return unwrapped(key, stanza.body)
