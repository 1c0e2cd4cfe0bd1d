"""The text of an age header: read strictly, written in the one form that the reading accepts.

Source: c2sp.org/age, section Header. A reader who is lenient here lets two readers see two different headers.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.core.errors import IntegrityError
from hauberk.crypto.derive import hkdf_sha256
from hauberk.crypto.secret import Secret

VERSION = b"age-encryption.org/v1"
LONGEST = 4 << 20
"""Bytes in which a header must end: room for a thousand hybrid recipients."""

_COLUMNS = 64
_MAC_MARK = b"---"


@dataclass(frozen=True)
class Stanza:
    """The file key, wrapped for one recipient.

    Args:
        arguments: the words of its first line, the kind being the first.
        body: what follows, decoded.
    """

    arguments: tuple[str, ...]
    body: bytes

    @property
    def kind(self) -> str:
        return self.arguments[0]

    def text(self) -> str:
        body = encode(self.body)
        lines = textwrap.wrap(body, _COLUMNS) if body else []
        if not lines or len(lines[-1]) == _COLUMNS:
            lines.append("")  # the last line is always a short one
        return "".join(f"{line}\n" for line in [f"-> {' '.join(self.arguments)}", *lines])


@dataclass(frozen=True)
class Header:
    """A header that is well formed; whether its MAC is right shows only when the file key is known.

    Args:
        stanzas: in the file's order.
        mac: 32 bytes.
        covered: the bytes that the MAC covers.
        size: length of the whole header in bytes: here the payload starts.
    """

    stanzas: tuple[Stanza, ...]
    mac: bytes
    covered: bytes
    size: int

    def verify(self, file_key: Secret) -> None:
        """Raises ``IntegrityError`` where the header was not made with this file key."""
        if not hmac.compare_digest(_mac(file_key, self.covered), self.mac):
            raise IntegrityError("the header was changed: its MAC does not verify", why="mac")


def write(stanzas: Sequence[Stanza], file_key: Secret) -> bytes:
    """The header's bytes, MAC included."""
    text = VERSION.decode() + "\n" + "".join(one.text() for one in stanzas)
    covered = text.encode() + _MAC_MARK
    return covered + b" " + encode(_mac(file_key, covered)).encode() + b"\n"


def parse(data: bytes) -> Header:
    """Read the header at the start of ``data``.

    Raises:
        IntegrityError: no age header, or one that is not written exactly as it must be; ``facts["why"]`` is
            ``"header"``.
    """
    lines = _Lines(data[:LONGEST])
    if lines.take() != VERSION:
        raise refused("it does not start with an age v1 header")
    stanzas = []
    while not lines.rest().startswith(_MAC_MARK):
        stanzas.append(_stanza(lines))
    if not stanzas:
        raise refused("the header names nobody who may read")
    covered = data[: lines.place + len(_MAC_MARK)]
    mark, space, text = lines.take().partition(b" ")
    mac = decode(text)
    if mark != _MAC_MARK or not space or len(mac) != 32:
        raise refused("the header's last line is not '--- ' and a MAC")
    return Header(tuple(stanzas), mac, covered, lines.place)


def refused(reason: str) -> IntegrityError:
    """The error for a header that is not what it must be."""
    return IntegrityError(f"not a readable header: {reason}", why="header")


def encode(data: bytes | bytearray) -> str:
    """Base 64 without padding."""
    return base64.b64encode(data).decode().rstrip("=")


def decode(text: bytes | str) -> bytes:
    """The one way back; spare bits, padding and foreign letters are refused."""
    raw = text.encode() if isinstance(text, str) else text
    try:
        data = base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise refused("something is not base 64") from None
    if encode(data).encode() != raw:
        raise refused("base 64 that is not canonical")
    return data


def _mac(file_key: Secret, covered: bytes) -> bytes:
    with hkdf_sha256(file_key, info=b"header") as key:
        return hmac.digest(key, covered, "sha256")


class _Lines:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def rest(self) -> bytes:
        """The next bytes, enough to tell a stanza from the end."""
        return self._data[self.place : self.place + 3]

    def take(self) -> bytes:
        end = self._data.find(b"\n", self.place)
        if end < 0:
            raise refused("it ends before the header does")
        line = self._data[self.place : end]
        self.place = end + 1
        return line


def _stanza(lines: _Lines) -> Stanza:
    first = lines.take()
    if not first.startswith(b"-> "):
        raise refused("a line is neither a recipient's nor the last")
    arguments = first[3:].split(b" ")
    if not all(word and all(33 <= char <= 126 for char in word) for word in arguments):
        raise refused("a recipient's first line is malformed")
    body = bytearray()
    while True:
        line = lines.take()
        if len(line) > _COLUMNS:
            raise refused("a line is too long")
        body += decode(line)
        if len(line) < _COLUMNS:
            return Stanza(tuple(word.decode() for word in arguments), bytes(body))
