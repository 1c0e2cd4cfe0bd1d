"""A request that only its server can read, and an answer that only its asker can, through whatever hands.

    request   share (1120 bytes) || HPKE ciphertext of (secret (32) || message)
    answer    nonce (32) || ChaCha20-Poly1305 ciphertext

The request is one message of HPKE's base mode, for the hybrid of ML-KEM-768 and X25519; ``context`` binds what
it is for. The answer is sealed as Oblivious HTTP seals answers. Its secret travels within the request, fresh
each time, since the library's HPKE exports none; whoever reads the request could read the answer either way.

Source: RFC 9180; draft-ietf-hpke-pq; RFC 9458, section 4.4.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hauberk.core.errors import IntegrityError
from hauberk.crypto.age.hybrid import HybridIdentity, HybridRecipient
from hauberk.crypto.secret import Random

SHARE_BYTES = HybridIdentity.SHARE
SECRET_BYTES = NONCE_BYTES = 32
_TAG_BYTES = 16
_INFO = b"hauberk-envelope/1 request\0"
_SUITE = (hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True)
class Reply:
    """One request's way back; both ends have it, and nobody else.

    Args:
        share: with which the request begins.
        secret: 32 bytes from within it.
    """

    share: bytes = field(repr=False)
    secret: bytes = field(repr=False)

    def seal(self, answer: bytes, *, random: Random = os.urandom) -> bytes:
        """An answer for the asker; a replayed request's answers have different keys."""
        nonce = random(NONCE_BYTES)
        key, once = self._keys(nonce)
        return nonce + ChaCha20Poly1305(key).encrypt(once, answer, None)

    def open(self, sealed: bytes) -> bytes:
        """The answer.

        Raises:
            IntegrityError: it was changed, or is another request's.
        """
        if len(sealed) < NONCE_BYTES + _TAG_BYTES:
            raise _closed()
        key, once = self._keys(sealed[:NONCE_BYTES])
        try:
            return ChaCha20Poly1305(key).decrypt(once, sealed[NONCE_BYTES:], None)
        except InvalidTag:
            raise _closed() from None

    def _keys(self, nonce: bytes) -> tuple[bytes, bytes]:
        """Key and nonce: HKDF's extraction once, its expansion by label."""
        salt = self.share + nonce
        parts = ((b"key", 32), (b"nonce", 12))
        key, once = (HKDF(hashes.SHA256(), size, salt, label).derive(self.secret) for label, size in parts)
        return key, once


def seal(
    message: bytes, recipient: HybridRecipient, context: bytes, *, random: Random = os.urandom
) -> tuple[bytes, Reply]:
    """A sealed request, and what its answer is opened with.

    Args:
        context: what it is for; the server must say the same.
        random: for the answer's secret; the library draws what the request itself needs.

    Raises:
        DataError: bytes that are no public key.

    Cost: 1200 bytes more than the message.
    """
    secret = random(SECRET_BYTES)
    sealed = hpke.Suite(*_SUITE).encrypt(secret + message, recipient.hpke_key(), info=_INFO + context)
    return sealed, Reply(sealed[:SHARE_BYTES], secret)


def unseal(sealed: bytes, key: hpke.MLKEM768X25519PrivateKey, context: bytes) -> tuple[bytes, Reply]:
    """The message of a sealed request, and what its answer is sealed with.

    Args:
        key: an identity's ``hpke_key``, which takes longer to make than to use.

    Raises:
        IntegrityError: it was changed, or sealed for another key or another context; always in the same words.

    Limits: says nothing about who sealed it, and opens a second time too.
    """
    if len(sealed) < SHARE_BYTES + SECRET_BYTES + _TAG_BYTES:
        raise _closed()
    try:
        opened = hpke.Suite(*_SUITE).decrypt(sealed, key, info=_INFO + context)
    except (InvalidTag, ValueError):
        raise _closed() from None
    return opened[SECRET_BYTES:], Reply(sealed[:SHARE_BYTES], opened[:SECRET_BYTES])


def _closed() -> IntegrityError:
    return IntegrityError("the sealed message does not open")
