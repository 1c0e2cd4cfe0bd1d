"""FLOE: one long message in segments, any of which can be read alone and none of which can be moved.

Each segment is AES-256-GCM under a key of the message's own, with its place and whether it is the last one
bound in. The header commits to the key: no message opens under two of them. What this module adds is only that
the number of segments follows from the size, so that a reader who knows the size knows which segment must be
the last.

Source: c2sp.org/FLOE, with AES-GCM-256, HKDF-EXPAND-SHA-384 and a 32-byte IV, the only parameters it has.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.crypto.derive import KEY_BYTES, expand_sha384
from hauberk.crypto.secret import Random, Secret

IV_BYTES = 32
TAG_BYTES = 32
HEADER_BYTES = 10 + IV_BYTES + TAG_BYTES
SEGMENT_OVERHEAD = 4 + 12 + 16
"""Length field, nonce and tag that each segment carries besides its text."""

_INNER = (0xFFFFFFFF).to_bytes(4, "big")  # stands in the length field of every segment but the last
_MESSAGE_KEY_BYTES = 48
_ROTATION_BITS = 20  # a new AES key after so many segments (as a power of two)


@dataclass(frozen=True)
class Floe:
    """FLOE with segments of one length.

    Args:
        segment_bytes: of an encrypted segment, its overhead of 32 bytes included.
        rotation_bits: fixed by the specification; its known answers for rotation use a smaller one.

    Raises:
        ConfigError: a segment that has no room for text, or that its length field cannot hold.
    """

    segment_bytes: int
    rotation_bits: int = _ROTATION_BITS

    def __post_init__(self) -> None:
        if not SEGMENT_OVERHEAD < self.segment_bytes < 2**32 - 1:
            raise ConfigError(
                f"a FLOE segment has more than {SEGMENT_OVERHEAD} and fewer than 2**32 - 1 bytes, "
                f"got {self.segment_bytes}"
            )

    @property
    def text_bytes(self) -> int:
        """How much text a full segment holds."""
        return self.segment_bytes - SEGMENT_OVERHEAD

    def segments(self, size: int) -> int:
        """How many segments a text of ``size`` bytes takes; an empty text takes one."""
        return max(1, -(-size // self.text_bytes))

    def message_bytes(self, size: int) -> int:
        """Length of the whole message, header included."""
        return HEADER_BYTES + size + SEGMENT_OVERHEAD * self.segments(size)

    @property
    def parameters(self) -> bytes:
        """The ten bytes with which every header starts."""
        return b"\x00\x00" + self.segment_bytes.to_bytes(4, "big") + IV_BYTES.to_bytes(4, "big")

    def encryption(self, key: bytes | bytearray, aad: bytes, *, random: Random = os.urandom) -> Encryption:
        """Begin a message; its ``header`` comes first in the file."""
        return Encryption(self, key, random(IV_BYTES), aad, random)

    def seal(
        self, key: bytes | bytearray, aad: bytes, text: bytes, *, random: Random = os.urandom
    ) -> bytearray:
        """A whole message, for texts that are in memory anyway."""
        message = self.encryption(key, aad, random=random)
        out = bytearray(self.message_bytes(len(text)))
        out[:HEADER_BYTES] = message.header
        count, source, target = self.segments(len(text)), memoryview(text), memoryview(out)[HEADER_BYTES:]
        for position in range(count):
            piece = source[position * self.text_bytes :][: self.text_bytes]
            room = target[position * self.segment_bytes :][: len(piece) + SEGMENT_OVERHEAD]
            message.segment(position, piece, room, last=position == count - 1)
        message.wipe()
        return out

    def open(self, key: bytes | bytearray, aad: bytes, sealed: bytes) -> bytearray:
        """The text of a whole message.

        Raises:
            IntegrityError: it is not what was sealed with this key and this ``aad``.
        """
        message = self.decryption(key, aad, sealed[:HEADER_BYTES])
        body = memoryview(sealed)[HEADER_BYTES:]
        count = max(1, -(-len(body) // self.segment_bytes))
        if len(body) - (count - 1) * self.segment_bytes < SEGMENT_OVERHEAD:
            raise IntegrityError("a message ends within a segment: it was cut short")
        text = bytearray(len(body) - SEGMENT_OVERHEAD * count)
        target = memoryview(text)
        for position in range(count):
            piece = body[position * self.segment_bytes :][: self.segment_bytes]
            room = target[position * self.text_bytes :][: len(piece) - SEGMENT_OVERHEAD]
            message.segment(position, piece, room, last=position == count - 1)
        message.wipe()
        return text

    def decryption(self, key: bytes | bytearray, aad: bytes, header: bytes) -> Decryption:
        """Begin reading a message.

        Raises:
            IntegrityError: the header was not made with this key, this ``aad`` and these parameters.
        """
        if len(header) != HEADER_BYTES or header[:10] != self.parameters:
            raise IntegrityError("a message does not start with the header that belongs there")
        message = Decryption(self, key, header[10 : 10 + IV_BYTES], aad)
        if not hmac.compare_digest(message.header, header):
            message.wipe()
            raise IntegrityError("a message's header does not verify: another key, or it was changed")
        return message


class _Message:
    """What both directions share: the keys of one message."""

    def __init__(self, floe: Floe, key: bytes | bytearray, iv: bytes, aad: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ConfigError(f"a FLOE key has {KEY_BYTES} bytes, got {len(key)}")
        self.floe = floe
        self._iv, self._aad = iv, aad
        self._key = self._derive(key, b"MESSAGE_KEY:", _MESSAGE_KEY_BYTES)
        self._ciphers: dict[int, AESGCM] = {}
        tag = self._derive(key, b"HEADER_TAG:", TAG_BYTES)
        self.header = floe.parameters + iv + bytes(tag)

    @property
    def tag(self) -> bytes:
        """The header's last 32 bytes, which commit to key, IV and ``aad``."""
        return self.header[-TAG_BYTES:]

    def _derive(self, key: bytes | bytearray, purpose: bytes, length: int) -> Secret:
        info = self.floe.parameters + self._iv + purpose + self._aad
        return expand_sha384(key, info=info, length=length)

    def _cipher(self, position: int) -> AESGCM:
        first = position >> self.floe.rotation_bits << self.floe.rotation_bits
        if first not in self._ciphers:  # two threads may both come here: they make the same
            with self._derive(self._key, b"DEK:" + first.to_bytes(8, "big"), KEY_BYTES) as key:
                self._ciphers[first] = AESGCM(key)
        return self._ciphers[first]

    def wipe(self) -> None:
        """Forget the keys; the message can no longer be used."""
        self._key.wipe()
        self._ciphers.clear()


def _bound(position: int, last: bool) -> bytes:
    return position.to_bytes(8, "big") + (b"\x01" if last else b"\x00")


class Encryption(_Message):
    """A message being written. Segments may be made in any order and by several threads, each of them once."""

    def __init__(self, floe: Floe, key: bytes | bytearray, iv: bytes, aad: bytes, random: Random) -> None:
        super().__init__(floe, key, iv, aad)
        self._random = random

    def segment(self, position: int, text: memoryview, out: memoryview, *, last: bool) -> None:
        """Encrypt one segment into ``out``, which has exactly its size: the text's and 32 more."""
        full = self.floe.text_bytes
        if len(text) > full or (not last and len(text) != full):
            raise ConfigError(f"segment {position} takes {full} bytes of text, got {len(text)}")
        nonce = self._random(12)
        out[:4] = len(out).to_bytes(4, "big") if last else _INNER
        out[4:16] = nonce
        self._cipher(position).encrypt_into(nonce, text, _bound(position, last), out[16:])


class Decryption(_Message):
    """A message being read, any segment at any time."""

    def segment(self, position: int, segment: memoryview, out: memoryview, *, last: bool) -> None:
        """Decrypt one segment into ``out``, which has exactly the text's size.

        Raises:
            IntegrityError: it is not the segment that belongs at ``position``; ``out`` holds nothing of use.
        """
        length = len(segment).to_bytes(4, "big") if last else _INNER
        fits = len(segment) <= self.floe.segment_bytes if last else len(segment) == self.floe.segment_bytes
        if not fits or len(segment) < SEGMENT_OVERHEAD or segment[:4] != length:
            raise IntegrityError(f"segment {position} of a message does not have the length that belongs there")
        try:
            self._cipher(position).decrypt_into(segment[4:16], segment[16:], _bound(position, last), out)
        except InvalidTag:
            raise IntegrityError(f"segment {position} of a message does not verify: it was changed") from None
