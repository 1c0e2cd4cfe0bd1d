"""The key: what follows from it must never change, or nothing could be reversed later."""

from __future__ import annotations

import hashlib
import hmac
import stat
from pathlib import Path

import pytest
import torch

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.protection.obfuscate import Key

MODEL = "sha256:" + "ab" * 32


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 with one block, written out."""
    inner = hmac.new(salt or bytes(32), key, hashlib.sha256).digest()
    return hmac.new(inner, info + b"\x01", hashlib.sha256).digest()


def test_a_permutation_is_sorted_words_of_shake() -> None:
    model = hkdf(bytes(32), MODEL.encode(), b"hauberk/obfuscation/1/model")
    seed = hkdf(model, b"", b"hauberk/obfuscation/1/orders/0")
    stream = hashlib.shake_256(seed).digest(8 * 50)
    words = [int.from_bytes(stream[8 * place : 8 * place + 8], "little") for place in range(50)]
    own = Key(bytes(32)).of_model(MODEL)
    assert own.order("orders/0", 50).tolist() == sorted(range(50), key=words.__getitem__)
    assert own.whole("orders/0", 50, 7).tolist() == [word % 7 for word in words]
    assert own.commitment == hkdf(model, b"", b"hauberk/obfuscation/1/commitment").hex()


def test_models_and_labels_get_choices_of_their_own() -> None:
    key = Key(bytes(32))
    one, other = key.of_model(MODEL), key.of_model(MODEL.replace("ab", "cd"))
    chosen = [one.order("a", 64), one.order("b", 64), other.order("a", 64)]
    assert len({tuple(order.tolist()) for order in chosen}) == 3
    assert torch.equal(chosen[0], key.of_model(MODEL).order("a", 64))


def test_files_of_keys(tmp_path: Path) -> None:
    made = Key.new(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert Key.load(tmp_path / "key").of_model(MODEL).commitment == made.of_model(MODEL).commitment
    with pytest.raises(ConfigError, match="exists already"):
        Key.new(tmp_path / "key")


@pytest.mark.parametrize("data", [b"", b"x" * 32, b"0" * 64, b"HAUBERK-OBFUSCATION-KEY-1 00", b"\xff" * 64])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key").write_bytes(data)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(DataError, match="obfuscation key"):
        Key.load(tmp_path / "key")


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no obfuscation key at"):
        Key.load(tmp_path / "none")
    with pytest.raises(ConfigError, match="32 bytes, got 3"):
        Key(b"abc")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 32, (1 << 20) - 31, 3 << 20])
def test_sealed_texts_of_any_length_open(size: int) -> None:
    own = Key(bytes(32)).of_model(MODEL)
    text = bytes(size)
    sealed = own.seal(text)
    assert own.open(sealed) == text
    assert own.seal(text)[10:42] != sealed[10:42]  # no IV is used twice


def test_every_change_of_a_sealed_text_is_refused() -> None:
    own = Key(bytes(32)).of_model(MODEL)
    sealed = own.seal(b"what reversal needs")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(IntegrityError):
            own.open(bytes(changed))
    for length in range(len(sealed)):
        with pytest.raises(IntegrityError):
            own.open(sealed[:length])
    with pytest.raises(IntegrityError):
        Key(bytes(31) + b"x").of_model(MODEL).open(sealed)
