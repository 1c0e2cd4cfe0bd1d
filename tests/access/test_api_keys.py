"""API keys: their form, and that a mistake in one is told without a database."""

from __future__ import annotations

import hashlib
import re
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.access import keys
from hauberk.core.errors import DataError

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
randoms = st.binary(min_size=32, max_size=32)


def made(seed: bytes) -> keys.ApiKey:
    return keys.make(random=lambda count: seed[:count])


def number(text: str) -> int:
    """Base 62, read the other way round."""
    found = 0
    for one in text:
        found = found * 62 + ALPHABET.index(one)
    return found


@given(seed=randoms)
def test_a_key_holds_all_of_its_256_random_bits_and_a_crc(seed: bytes) -> None:
    key = made(seed)
    assert re.fullmatch(r"hbk_[0-9A-Za-z]{61}", key.text)
    assert number(key.text[16:59]).to_bytes(32, "big") == seed
    assert number(key.text[59:]) == zlib.crc32(key.text[:59].encode())
    assert keys.parse(key.text) == key
    assert key.digest == hashlib.sha256(key.text.encode()).digest()


@given(seed=randoms, place=st.integers(4, 64), other=st.sampled_from(ALPHABET))
def test_every_mistyped_character_is_told(seed: bytes, place: int, other: str) -> None:
    text = made(seed).text
    wrong = text[:place] + other + text[place + 1 :]
    if wrong == text:
        assert keys.parse(wrong)
        return
    with pytest.raises(DataError) as caught:
        keys.parse(wrong)
    assert wrong[16:59] not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "hbk_", "hbk_" + "0" * 60, "hbk_" + "0" * 62, "xyz_" + "0" * 61, "hbk_" + "é" * 61, "hbk_" + "٣" * 61],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        keys.parse(text)
    good = made(bytes(32)).text
    for spoilt in (good + "\n", " " + good, good.lower(), good[:-1]):
        with pytest.raises(DataError):
            keys.parse(spoilt)


def test_keys_differ_and_do_not_show_themselves() -> None:
    found = {keys.make().text for _ in range(200)}
    assert len(found) == 200
    key = keys.make()
    assert key.text not in repr(key)
    assert key.has_digest(key.digest)
    assert not key.has_digest(keys.make().digest)
