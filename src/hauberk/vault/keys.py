"""The vault's key, and what is made of it: one key for each use, none of them ever stored.

Everything that a vault encrypts needs ``vault.key``. Without it neither the artifacts nor the secret columns of
the database can be read again: keep a copy of it where the backups are not.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hauberk.core.errors import IntegrityError
from hauberk.crypto.derive import hkdf_sha256
from hauberk.crypto.secret import Random, Secret

_LABEL = b"hauberk-vault/1 "
_NONCE_BYTES = 12


class VaultKeys:
    """Keys of one vault.

    Args:
        master: 32 random bytes; wiped with this object.
        random: where nonces come from.

    Limits: AES-GCM with random nonces, whose chance of a repetition stays below 2**-32 for four thousand
    million columns.
    """

    def __init__(self, master: Secret, *, random: Random = os.urandom) -> None:
        self._master, self._random = master, random
        self._columns = AESGCM(self.derive(b"columns"))
        self.blobs = self.derive(b"blobs")
        self._names = self.derive(b"names")

    def derive(self, label: bytes) -> Secret:
        """32 bytes for the use that the label names."""
        return hkdf_sha256(self._master, info=_LABEL + label)

    def seal(self, place: str, text: bytes | bytearray) -> bytes:
        """Encrypt what stands at one place of the database, such as ``access_factors alice``; nowhere else does
        it open."""
        nonce = self._random(_NONCE_BYTES)
        return nonce + self._columns.encrypt(nonce, bytes(text), place.encode())

    def open(self, place: str, sealed: bytes) -> Secret:
        """What was sealed at this place.

        Raises:
            IntegrityError: it was changed, moved here from elsewhere, or sealed with another key.
        """
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return Secret(self._columns.decrypt(nonce, text, place.encode()))
        except (InvalidTag, ValueError):
            raise IntegrityError(
                f"the vault's database does not hold at '{place}' what was written there"
            ) from None

    def blob_name(self, sha256: str) -> str:
        """Under which name bytes with this digest lie: who does not have the key cannot tell which they are."""
        return hmac.new(self._names, bytes.fromhex(sha256), hashlib.sha256).hexdigest()

    def check_value(self) -> bytes:
        """Tells this key from others and tells nothing about it."""
        return bytes(self.derive(b"check"))

    def wipe(self) -> None:
        for one in (self._master, self.blobs, self._names):
            one.wipe()
