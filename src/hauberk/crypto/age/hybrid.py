"""Hybrid recipients: ML-KEM-768 and X25519 together, so that both must be broken to read.

What is sealed today may be copied today and read once a quantum computer exists; weights outlive the
keys of their time. The two are combined as in X-Wing and used through HPKE.

Source: c2sp.org/age, section The MLKEM768-X25519 recipient type; RFC 9180; draft-ietf-hpke-pq.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hauberk.core.errors import DataError
from hauberk.crypto.age.header import Stanza, encode, refused
from hauberk.crypto.age.keypair import PublicKey, SecretKey
from hauberk.crypto.secret import Random, Secret

KIND = "mlkem768x25519"
_CALLED = "a hybrid"

_MLKEM_PUBLIC = 1184
_MLKEM_SHARE = 1088
_SHARE = _MLKEM_SHARE + 32
_INFO = b"age-encryption.org/mlkem768x25519"


def _suite() -> hpke.Suite:
    return hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True)
class HybridRecipient(PublicKey):
    """A public key, ``age1pq1…``: 1184 bytes of ML-KEM-768 and 32 of X25519."""

    PREFIX: ClassVar[str] = "age1pq"
    CALLED: ClassVar[str] = _CALLED
    SIZE: ClassVar[int] = _MLKEM_PUBLIC + 32
    kind: ClassVar[str] = KIND

    def wrap(self, file_key: Secret, *, random: Random = os.urandom) -> Stanza:
        """The file key for whoever has the identity.

        Args:
            random: not used: the library draws the shares of ML-KEM itself.

        Raises:
            DataError: bytes that are no public key.
        """
        try:
            sealed = _suite().encrypt(file_key, self.hpke_key(), info=_INFO)
        except ValueError as error:
            raise _no_key(error) from None
        return Stanza((KIND, encode(sealed[:_SHARE])), sealed[_SHARE:])

    def hpke_key(self) -> hpke.MLKEM768X25519PublicKey:
        """For HPKE.

        Raises:
            DataError: bytes that are no public key.
        """
        try:
            return hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(self.public[:_MLKEM_PUBLIC]),
                X25519PublicKey.from_public_bytes(self.public[_MLKEM_PUBLIC:]),
            )
        except ValueError as error:
            raise _no_key(error) from None


@dataclass(frozen=True, repr=False)
class HybridIdentity(SecretKey):
    """A secret key, ``AGE-SECRET-KEY-PQ-1…``: a seed from which both secret keys are made."""

    PREFIX: ClassVar[str] = "AGE-SECRET-KEY-PQ-"
    CALLED: ClassVar[str] = _CALLED
    SHARE: ClassVar[int] = _SHARE
    kind: ClassVar[str] = KIND

    def __repr__(self) -> str:
        return f"HybridIdentity({str(self.recipient)[:24]}…)"

    def _keys(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        with Secret(hashlib.shake_256(self.secret).digest(96)) as seeds:
            return (
                MLKEM768PrivateKey.from_seed_bytes(seeds[:64]),
                X25519PrivateKey.from_private_bytes(seeds[64:]),
            )

    @property
    def recipient(self) -> HybridRecipient:
        mlkem, curve = self._keys()
        return HybridRecipient(mlkem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw())

    def unwrap(self, stanza: Stanza) -> Secret | None:
        """The file key, or None where the stanza is another's.

        Raises:
            IntegrityError: a hybrid stanza that is malformed.
        """
        share = self.share(stanza)
        if share is None:
            return None
        curve = self._keys()[1]
        try:  # HPKE reports a share of low order as a wrong key; age tells the two apart
            curve.exchange(X25519PublicKey.from_public_bytes(share[_MLKEM_SHARE:]))
        except ValueError:
            raise refused("an X25519 share of low order") from None
        try:
            return Secret(_suite().decrypt(share + stanza.body, self.hpke_key(), info=_INFO))
        except InvalidTag:
            return None

    def hpke_key(self) -> hpke.MLKEM768X25519PrivateKey:
        """For HPKE."""
        return hpke.MLKEM768X25519PrivateKey(*self._keys())


def _no_key(error: ValueError) -> DataError:
    return DataError(f"a hybrid public key is not one: {error}")
