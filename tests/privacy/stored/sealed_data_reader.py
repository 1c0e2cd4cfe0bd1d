"""A second reader of sealed data: slow, obvious, from docs/spec/sealed-data.md, c2sp.org/age and POSIX's tar.

It shares no code with the package, knows X25519 identities alone and reads everything into memory.
"""

from __future__ import annotations

import base64
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return hmac.digest(hmac.digest(salt or bytes(32), key, "sha256"), info + b"\x01", "sha256")


def unbase64(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)


def secret_of(identity: str) -> bytes:
    number = 0
    digits = identity.lower().rpartition("1")[2][:-6]
    for letter in digits:
        number = number * 32 + LETTERS.index(letter)
    return (number >> (5 * len(digits) - 256)).to_bytes(32, "big")


def read_age(data: bytes, identity: str) -> bytes:
    """The text of an age file with X25519 recipients."""
    head, _mark, rest = data.partition(b"\n--- ")
    mac, _, payload = rest.partition(b"\n")
    secret = X25519PrivateKey.from_private_bytes(secret_of(identity))
    public = secret.public_key().public_bytes_raw()
    for stanza in head.split(b"\n-> ")[1:]:
        words, _, body = stanza.partition(b"\n")
        share = unbase64(words.split(b" ")[1])
        shared = secret.exchange(X25519PublicKey.from_public_bytes(share))
        key = hkdf(shared, share + public, b"age-encryption.org/v1/X25519")
        try:
            file_key = ChaCha20Poly1305(key).decrypt(bytes(12), unbase64(body.replace(b"\n", b"")), None)
            break
        except Exception:  # noqa: BLE001 (another's stanza)
            continue
    else:
        raise ValueError("no identity matched")
    assert hmac.digest(hkdf(file_key, b"", b"header"), head + b"\n---", "sha256") == unbase64(mac)
    cipher = ChaCha20Poly1305(hkdf(file_key, payload[:16], b"payload"))
    pieces = [payload[at : at + 65552] for at in range(16, len(payload), 65552)]
    text = b""
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        text += cipher.decrypt(number.to_bytes(11, "big") + bytes([last]), piece, None)
    return text


def read_folder(text: bytes) -> dict[str, bytes | None]:
    """Names and contents of a tar archive as the page describes it; None for a folder."""
    assert text[156:157] == b"g"
    assert b" comment=hauberk-folder/1\n" in text[512:1024]
    found: dict[str, bytes | None] = {}
    at, long_name = 0, None
    while any(text[at : at + 512]):
        block = text[at : at + 512]
        given = sum(block) - sum(block[148:156]) + 8 * 32
        assert int(block[148:156].strip(b"\0 "), 8) == given
        size, kind = int(block[124:136].strip(b"\0 "), 8), block[156:157]
        body = text[at + 512 : at + 512 + size]
        at += 512 + -(-size // 512) * 512
        if kind == b"x":
            for line in records(body):
                key, _, value = line.partition(b"=")
                if key == b"path":
                    long_name = value.decode()
        elif kind != b"g":
            prefix = block[345:500].rstrip(b"\0")
            name = (prefix + b"/" if prefix else b"") + block[:100].rstrip(b"\0")
            found[(long_name or name.decode()).rstrip("/")] = body if kind == b"0" else None
            assert block[108:124].strip(b"0\0 ") == b"", "owners"
            assert block[136:148].strip(b"0\0 ") == b"", "times"
            long_name = None
    assert not any(text[at:])
    return found


def records(body: bytes) -> list[bytes]:
    lines = []
    while body:
        length = int(body.split(b" ", 1)[0])
        lines.append(body[:length].split(b" ", 1)[1].rstrip(b"\n"))
        body = body[length:]
    return lines
