"""A second reader of sealed models: slow, obvious, written from docs/spec/sealed-model.md and what it
names. It shares no code with the package and reads everything into memory.

Of ``cryptography`` it takes primitives only: AES-GCM, ChaCha20-Poly1305, X25519, ML-KEM, scrypt. HKDF, HPKE,
Bech32, FLOE and the header are spelt out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F16": 16, "BF16": 16, "I32": 32, "F32": 32, "I64": 64, "F64": 64}


class Refused(Exception):
    """Not what was sealed, or not for this key."""


def demand(condition: bool, what: str) -> None:
    if not condition:
        raise Refused(what)


def extract(salt: bytes, key: bytes, name: str) -> bytes:
    return hmac.digest(salt, key, name)


def expand(key: bytes, info: bytes, length: int, name: str) -> bytes:
    out, block, count = b"", b"", 0
    while len(out) < length:
        count += 1
        block = hmac.digest(key, block + info + bytes([count]), name)
        out += block
    return out[:length]


def hkdf256(key: bytes, salt: bytes, info: bytes) -> bytes:
    return expand(extract(salt, key, "sha256"), info, 32, "sha256")


# --- age


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    demand(base64.b64encode(data).decode().rstrip("=") == text, "base 64")
    return data


def secret_of(identity: str) -> bytes:
    """The bytes of a Bech32 identity; its checksum is left to others."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    number = 0
    digits = identity.lower().rpartition("1")[2][:-6]
    for letter in digits:
        number = number * 32 + letters.index(letter)
    return (number >> (5 * len(digits) - 256)).to_bytes(32, "big")


def parse_header(data: bytes) -> tuple[list[tuple[list[str], bytes]], bytes, bytes, int]:
    """Stanzas, MAC, the bytes it covers, and where the body starts."""
    lines = data.split(b"\n")
    demand(lines[0] == b"age-encryption.org/v1", "version")
    at, number, stanzas = len(lines[0]) + 1, 1, []
    while not lines[number].startswith(b"---"):
        demand(lines[number].startswith(b"-> "), "stanza")
        words = lines[number][3:].decode("ascii").split(" ")
        at += len(lines[number]) + 1
        body = b""
        while True:
            number += 1
            at += len(lines[number]) + 1
            body += unbase64(lines[number].decode("ascii"))
            if len(lines[number]) < 64:
                break
        stanzas.append((words, body))
        number += 1
    mac = unbase64(lines[number][4:].decode("ascii"))
    return stanzas, mac, data[: at + 3], at + len(lines[number]) + 1


def hpke_open(kem_secret: bytes, sealed: bytes, info: bytes) -> bytes:
    """RFC 9180, base mode: HKDF-SHA256 and ChaCha20-Poly1305 behind the KEM 0x647A."""
    suite = b"HPKE" + bytes.fromhex("647a00010003")

    def labeled_extract(salt: bytes, label: bytes, key: bytes) -> bytes:
        return extract(salt, b"HPKE-v1" + suite + label + key, "sha256")

    def labeled_expand(key: bytes, label: bytes, context: bytes, length: int) -> bytes:
        info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return expand(key, info, length, "sha256")

    context = b"\x00" + labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
    secret = labeled_extract(kem_secret, b"secret", b"")
    key = labeled_expand(secret, b"key", context, 32)
    nonce = labeled_expand(secret, b"base_nonce", context, 12)
    return ChaCha20Poly1305(key).decrypt(nonce, sealed, b"")


def hybrid_key(identity: str, share: bytes, body: bytes) -> bytes:
    """X-Wing: both secrets, the X25519 share and public key, and a label, through SHA3-256."""
    seeds = hashlib.shake_256(secret_of(identity)).digest(96)
    curve = X25519PrivateKey.from_private_bytes(seeds[64:])
    first = MLKEM768PrivateKey.from_seed_bytes(seeds[:64]).decapsulate(share[:1088])
    second = curve.exchange(X25519PublicKey.from_public_bytes(share[1088:]))
    public = curve.public_key().public_bytes_raw()
    secret = hashlib.sha3_256(first + second + share[1088:] + public + b"\\.//^\\").digest()
    return hpke_open(secret, body, b"age-encryption.org/mlkem768x25519")


def curve_key(identity: str, share: bytes, body: bytes) -> bytes:
    secret = X25519PrivateKey.from_private_bytes(secret_of(identity))
    shared = secret.exchange(X25519PublicKey.from_public_bytes(share))
    key = hkdf256(shared, share + secret.public_key().public_bytes_raw(), b"age-encryption.org/v1/X25519")
    return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)


def phrase_key(phrase: str, salt: bytes, work: int, body: bytes) -> bytes:
    salt = b"age-encryption.org/v1/scrypt" + salt
    key = hashlib.scrypt(phrase.encode(), salt=salt, n=2**work, r=8, p=1, maxmem=2**30, dklen=32)
    return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)


def file_key(stanzas: list[tuple[list[str], bytes]], identity: str) -> bytes:
    for words, body in stanzas:
        try:
            if words[0] == "mlkem768x25519" and identity.startswith("AGE-SECRET-KEY-PQ-"):
                return hybrid_key(identity, unbase64(words[1]), body)
            if words[0] == "X25519" and identity.startswith("AGE-SECRET-KEY-1"):
                return curve_key(identity, unbase64(words[1]), body)
            if words[0] == "scrypt" and not identity.startswith("AGE-"):
                return phrase_key(identity, unbase64(words[1]), int(words[2]), body)
        except Exception:  # noqa: BLE001 (another's stanza)
            continue
    raise Refused("no identity matched")


# --- FLOE


def floe(key: bytes, aad: bytes, message: bytes, segment: int) -> bytes:
    """The text of a whole message."""
    head = message[:42]
    demand(head[:10] == b"\x00\x00" + segment.to_bytes(4, "big") + (32).to_bytes(4, "big"), "parameters")

    def derive(key: bytes, purpose: bytes, length: int) -> bytes:
        return expand(key, head + purpose + aad, length, "sha384")

    demand(derive(key, b"HEADER_TAG:", 32) == message[42:74], "header tag")
    message_key = derive(key, b"MESSAGE_KEY:", 48)
    text, rest, place = b"", message[74:], 0
    while rest:
        one, rest = rest[:segment], rest[segment:]
        length = b"\xff\xff\xff\xff" if rest else len(one).to_bytes(4, "big")
        demand(one[:4] == length, "segment length")
        data_key = derive(message_key, b"DEK:" + (place >> 20 << 20).to_bytes(8, "big"), 32)
        bound = place.to_bytes(8, "big") + (b"\x00" if rest else b"\x01")
        text += AESGCM(data_key).decrypt(one[4:16], one[16:], bound)
        place += 1
    demand(place > 0, "no segment")
    return text


# --- sealed models


def read(data: bytes, identity: str) -> tuple[dict[str, bytes], list[str]]:
    """The package's files by name, and the fingerprints of the recipients."""
    stanzas, mac, covered, start = parse_header(data)
    key = file_key(stanzas, identity)
    demand(hmac.digest(hkdf256(key, b"", b"header"), covered, "sha256") == mac, "MAC")
    body = data[start:]
    demand(body[:16] == b"hauberk-sealed/1", "body")
    segment, index_size, body_size = (
        int.from_bytes(body[a:b], "big") for a, b in ((48, 52), (52, 56), (56, 64))
    )
    demand(64 <= segment <= 2**24 and index_size <= 2**26 and body_size == len(body), "sizes")

    def message(number: int, at: int, size: int) -> tuple[bytes, bytes, int]:
        """Text, header tag, and where the next message starts."""
        count = max(1, math.ceil(size / (segment - 32)))
        end = at + 74 + size + 32 * count
        name = number.to_bytes(8, "big")
        own = hkdf256(key, body[16:48], b"hauberk-sealed/1 message" + name)
        text = floe(own, body[:64] + name, body[at:end], segment)
        demand(len(text) == size, "text size")
        return text, body[at + 42 : at + 74], end

    text, _tag, at = message(0, 64, index_size)
    index = json.loads(text)
    number, found = 0, {}
    for entry in index["files"]:
        number += 1
        found[entry["name"]], tag, at = message(number, at, entry["size"])
        demand(tag.hex() == entry["tag"], "tag")
    header = index["weights"]["header"]
    tensors = [(name, facts) for name, facts in json.loads(header).items() if name != "__metadata__"]
    tensors.sort(key=lambda one: (one[1]["data_offsets"][0], one[1]["data_offsets"][1], one[0]))
    weights = len(header.encode()).to_bytes(8, "little") + header.encode()
    for (_name, facts), wanted in zip(tensors, index["weights"]["tags"], strict=True):
        number += 1
        first, last = facts["data_offsets"]
        demand((last - first) * 8 == math.prod(facts["shape"]) * BITS[facts["dtype"]], "tensor size")
        part, tag, at = message(number, at, last - first)
        demand(tag.hex() == wanted, "tag")
        weights += part
    demand(at == len(body), "more follows")
    found["weights.safetensors"] = weights
    return found, readers(stanzas, key)


def readers(stanzas: list[tuple[list[str], bytes]], key: bytes) -> list[str]:
    words, body = stanzas[-1]
    if words != ["hauberk/recipients"]:
        return []
    text = floe(hkdf256(key, b"", b"hauberk-sealed/1 recipients"), b"", body, 65536)
    return [text[at : at + 32].hex() for at in range(0, len(text), 32)]
