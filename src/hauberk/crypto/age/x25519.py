"""X25519 recipients: what age has used from the start; not safe against a quantum computer.

Source: c2sp.org/age, section The X25519 recipient type.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hauberk.core.errors import DataError
from hauberk.crypto.age.header import Stanza, encode, refused
from hauberk.crypto.age.keypair import PublicKey, SecretKey
from hauberk.crypto.derive import hkdf_sha256
from hauberk.crypto.secret import Random, Secret

KIND = "X25519"
_CALLED = "an X25519"
FILE_KEY_BYTES = 16
NONCE = bytes(12)  # each wrap key is used once

_INFO = b"age-encryption.org/v1/X25519"


@dataclass(frozen=True)
class X25519Recipient(PublicKey):
    """A public key, ``age1…``."""

    PREFIX: ClassVar[str] = "age"
    CALLED: ClassVar[str] = _CALLED
    SIZE: ClassVar[int] = 32
    kind: ClassVar[str] = KIND

    def wrap(self, file_key: Secret, *, random: Random = os.urandom) -> Stanza:
        """The file key for whoever has the identity.

        Raises:
            DataError: a public key of low order, with which everybody could read.
        """
        with Secret(random(32)) as ephemeral:
            secret = X25519PrivateKey.from_private_bytes(ephemeral)
        share = secret.public_key().public_bytes_raw()
        try:
            shared = secret.exchange(X25519PublicKey.from_public_bytes(self.public))
        except ValueError:
            raise DataError("an X25519 public key of low order protects nothing") from None
        with hkdf_sha256(shared, salt=share + self.public, info=_INFO) as key:
            body = ChaCha20Poly1305(key).encrypt(NONCE, file_key, None)
        return Stanza((KIND, encode(share)), body)


@dataclass(frozen=True, repr=False)
class X25519Identity(SecretKey):
    """A secret key, ``AGE-SECRET-KEY-1…``."""

    PREFIX: ClassVar[str] = "AGE-SECRET-KEY-"
    CALLED: ClassVar[str] = _CALLED
    SHARE: ClassVar[int] = 32
    kind: ClassVar[str] = KIND

    def __repr__(self) -> str:
        return f"X25519Identity({self.recipient})"

    @property
    def recipient(self) -> X25519Recipient:
        return X25519Recipient(self._key().public_key().public_bytes_raw())

    def _key(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self.secret)

    def unwrap(self, stanza: Stanza) -> Secret | None:
        """The file key, or None where the stanza is another's.

        Raises:
            IntegrityError: an X25519 stanza that is malformed.
        """
        share = self.share(stanza)
        if share is None:
            return None
        key = self._key()
        try:
            shared = key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:
            raise refused("an X25519 share of low order") from None
        salt = share + key.public_key().public_bytes_raw()
        with hkdf_sha256(shared, salt=salt, info=_INFO) as wrap_key:
            return unwrapped(wrap_key, stanza.body)


def unwrapped(key: Secret, body: bytes) -> Secret | None:
    """The file key in a body of 32 bytes, or None under another key."""
    file_key = Secret(FILE_KEY_BYTES)
    try:
        ChaCha20Poly1305(key).decrypt_into(NONCE, body, None, file_key)
    except InvalidTag:
        return None
    return file_key
