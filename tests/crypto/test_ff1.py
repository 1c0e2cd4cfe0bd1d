"""FF1 against NIST's published samples; the permutation against what a permutation must be."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError
from hauberk.crypto.ff1 import FF1, SMALLEST_DOMAIN, Permutation

KEYS = {
    128: bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"),
    192: bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F"),
    256: bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"),
}
ALPHABET = string.digits + string.ascii_lowercase
SAMPLES = (  # NIST's FF1samples.pdf, samples 1 to 9
    (128, 10, "", "0123456789", "2433477484"),
    (128, 10, "39383736353433323130", "0123456789", "6124200773"),
    (128, 36, "3737373770717273373737", "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (192, 10, "", "0123456789", "2830668132"),
    (192, 10, "39383736353433323130", "0123456789", "2496655549"),
    (192, 36, "3737373770717273373737", "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (256, 10, "", "0123456789", "6657667009"),
    (256, 10, "39383736353433323130", "0123456789", "1001623463"),
    (256, 36, "3737373770717273373737", "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
)


def written(value: int, radix: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        value, digit = divmod(value, radix)
        digits = ALPHABET[digit] + digits
    return digits


@pytest.mark.parametrize(("bits", "radix", "tweak", "text", "sealed"), SAMPLES)
def test_published_samples(bits: int, radix: int, tweak: str, text: str, sealed: str) -> None:
    ff1 = FF1(KEYS[bits], radix, len(text))
    found = ff1.encrypt(int(text, radix), bytes.fromhex(tweak))
    assert written(found, radix, len(text)) == sealed
    assert ff1.decrypt(found, bytes.fromhex(tweak)) == int(text, radix)


@given(size=st.integers(SMALLEST_DOMAIN, 10**14), data=st.data(), tweak=st.binary(max_size=40))
def test_permutation_goes_back_and_stays_inside(size: int, data: st.DataObject, tweak: bytes) -> None:
    permutation = Permutation(KEYS[256], size)
    value = data.draw(st.integers(0, size - 1))
    there = permutation.forth(value, tweak)
    assert 0 <= there < size
    assert permutation.back(there, tweak) == value


@pytest.mark.slow
def test_every_value_is_hit_exactly_once() -> None:
    permutation = Permutation(KEYS[256], SMALLEST_DOMAIN)
    hit = bytearray(SMALLEST_DOMAIN)
    for value in range(SMALLEST_DOMAIN):
        hit[permutation.forth(value)] = 1
    assert all(hit)


def test_another_key_or_tweak_is_another_permutation() -> None:
    values = range(1000)
    one, other = Permutation(KEYS[256], 10**9), Permutation(KEYS[128], 10**9)
    assert sum(one.forth(value) == other.forth(value) for value in values) < 3
    assert sum(one.forth(value) == one.forth(value, b"t") for value in values) < 3


@pytest.mark.parametrize("size", [0, 1, 999_999])
def test_small_domains_are_refused(size: int) -> None:
    with pytest.raises(ConfigError, match="at least"):
        Permutation(KEYS[256], size)
