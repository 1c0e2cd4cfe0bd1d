"""What follows the header of an age file: the text in chunks of 64 KiB, each of which can be read alone.

Each chunk is ChaCha20-Poly1305 under a key of the file's own; its place, and whether it is the last, are the
nonce. So chunks cannot be moved or left out, and whoever has verified the last one knows the text's size.

Source: c2sp.org/age, section Payload.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.crypto.derive import hkdf_sha256
from hauberk.crypto.secret import Secret

NONCE_BYTES = 16
TAG_BYTES = 16
TEXT_BYTES = 64 << 10
"""Of every chunk but the last."""

CHUNK_BYTES = TEXT_BYTES + TAG_BYTES


def chunks(size: int) -> int:
    """How many chunks a text of ``size`` bytes takes; an empty text takes one."""
    return max(1, -(-size // TEXT_BYTES))


def payload_bytes(size: int) -> int:
    """Length of the whole payload, nonce included."""
    return NONCE_BYTES + size + TAG_BYTES * chunks(size)


def text_bytes(length: int) -> int:
    """The size of the text in a payload of ``length`` bytes.

    Raises:
        IntegrityError: no payload has this length. That it was not cut at a chunk shows only when the last
            chunk verifies as the last.
    """
    body = length - NONCE_BYTES
    count = max(1, -(-body // CHUNK_BYTES))
    size = body - TAG_BYTES * count
    if size < 0 or chunks(size) != count:
        raise IntegrityError("it ends within a chunk: it was cut short")
    return size


class Payload:
    """The chunks of one file, in either direction and in any order.

    Args:
        file_key: from the header; it may be wiped afterwards.
        nonce: the payload's first 16 bytes, fresh for each file.
    """

    def __init__(self, file_key: Secret, nonce: bytes) -> None:
        if len(nonce) != NONCE_BYTES:
            raise IntegrityError("it ends behind the header: it was cut short")
        with hkdf_sha256(file_key, salt=nonce, info=b"payload") as key:
            self._cipher = ChaCha20Poly1305(key)

    def seal(self, position: int, text: memoryview, out: memoryview, *, last: bool) -> None:
        """Encrypt one chunk into ``out``, which has 16 bytes more than the text."""
        if len(text) > TEXT_BYTES or (not last and len(text) != TEXT_BYTES):
            raise ConfigError(f"chunk {position} takes {TEXT_BYTES} bytes of text, got {len(text)}")
        self._cipher.encrypt_into(_place(position, last), text, None, out)

    def open(self, position: int, chunk: memoryview, out: memoryview, *, last: bool) -> None:
        """Decrypt one chunk into ``out``, which has exactly the text's size.

        Raises:
            IntegrityError: it is not the chunk that belongs at ``position``; ``out`` holds nothing of use.
        """
        try:
            self._cipher.decrypt_into(_place(position, last), chunk, None, out)
        except InvalidTag:
            raise IntegrityError(
                f"chunk {position} does not verify: it was changed, moved or cut short"
            ) from None


def _place(position: int, last: bool) -> bytes:
    return position.to_bytes(11, "big") + (b"\x01" if last else b"\x00")
