"""Many keys from one: HKDF, with a label for each use, so that no two uses share a key.

Source: RFC 5869.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from hauberk.crypto.secret import Secret

KEY_BYTES = 32


def hkdf_sha256(key: bytes | bytearray, *, info: bytes, salt: bytes = b"") -> Secret:
    """32 bytes for the use that ``info`` names; an empty salt is HKDF's default one."""
    derived = Secret(KEY_BYTES)
    HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt or None, info=info).derive_into(key, derived)
    return derived


def expand_sha384(key: bytes | bytearray, *, info: bytes, length: int) -> Secret:
    """HKDF's second half alone, for a key that is uniformly random already."""
    derived = Secret(length)
    HKDFExpand(algorithm=hashes.SHA384(), length=length, info=info).derive_into(key, derived)
    return derived
