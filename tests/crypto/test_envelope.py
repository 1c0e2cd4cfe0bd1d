"""Envelopes read by a second implementation that is written from the standards, and every flipped byte."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from hauberk.core.errors import IntegrityError
from hauberk.crypto.age.hybrid import HybridIdentity
from hauberk.crypto.envelope import SHARE_BYTES, Reply, seal, unseal
from hauberk.crypto.secret import Secret

SEED = bytes(range(32))
SERVER = HybridIdentity(Secret(SEED))
KEY = SERVER.hpke_key()
CONTEXT = b"POST /v2/models/net/infer"


def expand(key: bytes, info: bytes, size: int) -> bytes:
    return hmac.digest(key, info + b"\x01", "sha256")[:size]


def read(sealed: bytes, context: bytes) -> tuple[bytes, bytes]:
    """Secret and message: X-Wing and HPKE's base mode, spelt out for one suite (0x647A, 1, 3)."""
    seeds = hashlib.shake_256(SEED).digest(96)
    curve = X25519PrivateKey.from_private_bytes(seeds[64:])
    first = MLKEM768PrivateKey.from_seed_bytes(seeds[:64]).decapsulate(sealed[:1088])
    second = curve.exchange(X25519PublicKey.from_public_bytes(sealed[1088:1120]))
    mixed = first + second + sealed[1088:1120] + curve.public_key().public_bytes_raw() + b"\\.//^\\"
    shared = hashlib.sha3_256(mixed).digest()
    suite = b"HPKE-v1HPKE" + bytes.fromhex("647a00010003")

    def extract(salt: bytes, label: bytes, key: bytes) -> bytes:
        return hmac.digest(salt, suite + label + key, "sha256")

    info = extract(b"", b"info_hash", b"hauberk-envelope/1 request\0" + context)
    schedule = b"\0" + extract(b"", b"psk_id_hash", b"") + info
    secret = extract(shared, b"secret", b"")
    key = expand(secret, b"\x00\x20" + suite + b"key" + schedule, 32)
    nonce = expand(secret, b"\x00\x0c" + suite + b"base_nonce" + schedule, 12)
    opened = ChaCha20Poly1305(key).decrypt(nonce, sealed[1120:], b"")
    return opened[:32], opened[32:]


def read_answer(answer: bytes, share: bytes, secret: bytes) -> bytes:
    """RFC 9458, section 4.4."""
    key = hmac.digest(share + answer[:32], secret, "sha256")
    return ChaCha20Poly1305(expand(key, b"key", 32)).decrypt(expand(key, b"nonce", 12), answer[32:], b"")


@pytest.mark.parametrize("message", [b"", b"x", os.urandom(10_000)])
def test_a_second_reader_finds_the_same(message: bytes) -> None:
    sealed, reply = seal(message, SERVER.recipient, CONTEXT)
    assert len(sealed) == 1120 + 32 + len(message) + 16
    secret, found = read(sealed, CONTEXT)
    assert (secret, found) == (reply.secret, message)
    opened, other = unseal(sealed, KEY, CONTEXT)
    assert (opened, other) == (message, reply)
    answer = other.seal(b"answer")
    assert read_answer(answer, sealed[:1120], secret) == b"answer"
    assert reply.open(answer) == b"answer"


def test_every_flipped_byte_is_found() -> None:
    sealed, reply = seal(b"an image", SERVER.recipient, CONTEXT)
    answer = reply.seal(b"a label")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1 << place % 8
        with pytest.raises(IntegrityError, match="does not open"):
            unseal(bytes(changed), KEY, CONTEXT)
    for place in range(len(answer)):
        changed = bytearray(answer)
        changed[place] ^= 1 << place % 8
        with pytest.raises(IntegrityError, match="does not open"):
            reply.open(bytes(changed))
    for size in (*range(0, len(answer), 7), len(answer) - 1):
        with pytest.raises(IntegrityError):
            reply.open(answer[:size])
    for size in (0, 31, SHARE_BYTES, SHARE_BYTES + 47, len(sealed) - 1):
        with pytest.raises(IntegrityError):
            unseal(sealed[:size], KEY, CONTEXT)


def test_another_key_context_or_request_opens_nothing() -> None:
    sealed, reply = seal(b"an image", SERVER.recipient, CONTEXT)
    with pytest.raises(IntegrityError):
        unseal(sealed, HybridIdentity(Secret(os.urandom(32))).hpke_key(), CONTEXT)
    with pytest.raises(IntegrityError):
        unseal(sealed, KEY, CONTEXT + b"x")
    other = seal(b"an image", SERVER.recipient, CONTEXT)[1]
    with pytest.raises(IntegrityError):
        other.open(reply.seal(b"a label"))


def test_nothing_is_used_twice_nor_shown() -> None:
    first, reply = seal(b"an image", SERVER.recipient, CONTEXT)
    second, other = seal(b"an image", SERVER.recipient, CONTEXT)
    assert first[:SHARE_BYTES] != second[:SHARE_BYTES]
    assert reply.secret != other.secret
    assert reply.seal(b"a") != reply.seal(b"a")
    assert reply.secret.hex() not in repr(reply)
    assert repr(reply.secret) not in repr(reply)


def test_a_share_of_low_order_is_no_way_in() -> None:
    sealed, _reply = seal(b"an image", SERVER.recipient, CONTEXT)
    for point in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(IntegrityError):
            unseal(sealed[:1088] + point + sealed[1120:], KEY, CONTEXT)
    with pytest.raises(IntegrityError):
        Reply(bytes(SHARE_BYTES), bytes(32)).open(bytes(48))
