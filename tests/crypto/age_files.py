"""Whole age files, read from the specification: armour and payload, which the product itself does not need.

Its header comes from the product, so that the test kit judges that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hauberk.core.errors import IntegrityError
from hauberk.crypto import age
from hauberk.crypto.age import header
from hauberk.crypto.secret import Secret

CHUNK = 64 * 1024
ARMOUR = re.compile(
    rb"[ \t\r\n]*-----BEGIN AGE ENCRYPTED FILE-----(\r?\n)((?:[^\r\n]{64}\1)*(?:[^\r\n]{1,64}\1)?)"
    rb"-----END AGE ENCRYPTED FILE-----[ \t\r\n]*"
)


class Outcome(Exception):
    """How reading ended, in the kit's words."""


@dataclass(frozen=True)
class Case:
    """One file of the kit."""

    expect: str
    payload: str
    armoured: bool
    identities: list[str]
    passphrases: list[str]
    data: bytes


def case(path: Path) -> Case:
    head, _, data = path.read_bytes().partition(b"\n\n")
    facts: dict[str, list[str]] = {}
    for line in head.decode().splitlines():
        key, _, value = line.partition(": ")
        facts.setdefault(key, []).append(value)
    if facts.get("compressed") == ["zlib"]:
        data = zlib.decompress(data)
    return Case(
        facts["expect"][0], facts.get("payload", [""])[0], "armored" in facts,
        facts.get("identity", []), facts.get("passphrase", []), data,
    )  # fmt: skip


def dearmoured(data: bytes) -> bytes:
    match = ARMOUR.fullmatch(data)
    if match is None:
        raise Outcome("armor failure")
    lines = match[2].split(match[1])[:-1]
    text = b"".join(lines)
    if any(len(line) != 64 for line in lines[:-1]):
        raise Outcome("armor failure")
    try:
        plain = base64.b64decode(text, validate=True)
    except ValueError:
        raise Outcome("armor failure") from None
    if base64.b64encode(plain) != text:
        raise Outcome("armor failure")
    return plain


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 by hand, one block."""
    return hmac.digest(hmac.digest(salt, key, "sha256"), info + b"\x01", "sha256")


def opened_stream(file_key: bytes, payload: bytes) -> tuple[bytes, bool]:
    """The text, and whether all of it was there."""
    if len(payload) < 16:
        raise Outcome("header failure")
    cipher = ChaCha20Poly1305(hkdf(file_key, payload[:16], b"payload"))
    rest, text, counter = payload[16:], b"", 0
    while True:
        chunk, rest = rest[: CHUNK + 16], rest[CHUNK + 16 :]
        part, last = opened_chunk(cipher, counter.to_bytes(11, "big"), chunk)
        if part is None or (counter and not part):
            return text, False
        text += part
        counter += 1
        if last or not rest:
            return text, last and not rest


def opened_chunk(cipher: ChaCha20Poly1305, nonce: bytes, chunk: bytes) -> tuple[bytes | None, bool]:
    """The chunk's text, and whether it says that it is the last."""
    for last in (False, True) if len(chunk) == CHUNK + 16 else (True,):  # only the last may be short
        try:
            return cipher.decrypt(nonce + bytes([last]), chunk, None), last
        except InvalidTag:
            continue
    return None, False


def sealed_stream(file_key: bytes, nonce: bytes, text: bytes) -> bytes:
    """A payload of one chunk."""
    assert len(text) <= CHUNK
    cipher = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    return nonce + cipher.encrypt(bytes(11) + b"\x01", text, None)


def read(one: Case) -> str:
    """How reading the case ends: ``success``, or what fails."""
    identities = [age.parse_identity(text) for text in one.identities]
    phrases = [age.Passphrase(Secret(text.encode())) for text in one.passphrases]
    try:
        data = dearmoured(one.data) if one.armoured and one.data else one.data
        try:
            found = header.parse(data)
            with age.unwrap(found, [*identities, *phrases]) as file_key:
                text, whole = opened_stream(bytes(file_key), data[found.size :])
        except IntegrityError as error:
            words = {"header": "header failure", "mac": "HMAC failure", "no match": "no match"}
            raise Outcome(words[str(error.facts["why"])]) from None
    except Outcome as outcome:
        return str(outcome)
    if one.payload:  # of a file that breaks off, the kit gives the digest of what can be read
        assert hashlib.sha256(text).hexdigest() == one.payload
    return "success" if whole else "payload failure"
