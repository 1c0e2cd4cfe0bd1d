"""One-time codes against the tables of RFC 4226 and RFC 6238, and that none is good twice."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.access import totp

SECRET = b"12345678901234567890"
# RFC 6238, appendix B; the keys for longer hashes repeat the digits
RFC_6238 = [
    (59, "sha1", "94287082"), (59, "sha256", "46119246"), (59, "sha512", "90693936"),
    (1111111109, "sha1", "07081804"), (1111111109, "sha256", "68084774"), (1111111109, "sha512", "25091201"),
    (1111111111, "sha1", "14050471"), (1111111111, "sha256", "67062674"), (1111111111, "sha512", "99943326"),
    (1234567890, "sha1", "89005924"), (1234567890, "sha256", "91819424"), (1234567890, "sha512", "93441116"),
    (2000000000, "sha1", "69279037"), (2000000000, "sha256", "90698825"), (2000000000, "sha512", "38618901"),
    (20000000000, "sha1", "65353130"), (20000000000, "sha256", "77737706"), (20000000000, "sha512", "47863826"),
]  # fmt: skip
RFC_4226 = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
_LENGTHS = {"sha1": 20, "sha256": 32, "sha512": 64}


@pytest.mark.parametrize(("seconds", "algorithm", "code"), RFC_6238)
def test_codes_are_those_of_rfc_6238(seconds: int, algorithm: str, code: str) -> None:
    secret = (b"1234567890" * 7)[: _LENGTHS[algorithm]]
    assert totp.code(secret, totp.step_at(seconds), digits=8, algorithm=algorithm) == code


def test_codes_are_those_of_rfc_4226() -> None:
    assert [totp.code(SECRET, counter) for counter in range(10)] == RFC_4226


@given(now=st.integers(240, 2**33), shift=st.integers(-4, 4), after=st.integers(-4, 4))
def test_a_code_is_good_one_step_around_and_never_after_it_was_used(now: int, shift: int, after: int) -> None:
    present = totp.step_at(now)
    step, used = present + shift, present + after
    given_code = totp.code(SECRET, step)
    found = totp.matching_step(SECRET, given_code, now, after=used)
    good = [
        one for one in range(present - 1, present + 2) if totp.code(SECRET, one) == given_code and one > used
    ]
    assert found == (max(good) if good else None)
    if abs(shift) <= 1 and step > used:
        assert found is not None


@pytest.mark.parametrize("given_code", ["", "12345", "1234567", "٣٣٣٣٣٣", "755 224", "abcdef"])
def test_what_is_no_code_fits_nothing(given_code: str) -> None:
    assert totp.matching_step(SECRET, given_code, 59, after=-1) is None


def test_the_address_is_what_apps_read() -> None:
    parts = urlsplit(totp.address(SECRET, "ada@example.com"))
    asked = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Hauberk%3Aada%40example.com")
    assert base64.b32decode(asked["secret"][0]) == SECRET
    assert (asked["digits"], asked["period"], asked["algorithm"]) == (["6"], ["30"], ["SHA1"])
