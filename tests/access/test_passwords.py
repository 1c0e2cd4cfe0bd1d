"""Passwords: an independent library reads our hashes and we read its, and nobody learns who has one."""

from __future__ import annotations

import unicodedata

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from hauberk.access import passwords
from hauberk.core.errors import ConfigError

PASSWORD = "correct horse battery"


def test_argon2_cffi_reads_what_we_hash_and_we_what_it_hashes() -> None:
    stored = passwords.hashed(PASSWORD)
    assert PasswordHasher().verify(stored, PASSWORD)
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(stored, PASSWORD + "!")
    theirs = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=2).hash(PASSWORD)
    assert passwords.verify(PASSWORD, theirs)
    assert not passwords.verify(PASSWORD + "!", theirs)


def test_the_cost_is_what_is_recommended_and_salts_differ() -> None:
    first, second = passwords.hashed(PASSWORD), passwords.hashed(PASSWORD)
    assert first != second
    found = extract_parameters(first)
    assert (found.type.name, found.version, found.memory_cost, found.time_cost, found.parallelism) == (
        "ID", 19, 19_456, 2, 1,
    )  # fmt: skip


def test_nobody_costs_as_much_as_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same function runs once on a text of the same cost, whether there is a stored hash or not."""
    seen = []
    real = passwords.Argon2id.verify_phc_encoded

    class Watched:
        @staticmethod
        def verify_phc_encoded(password: bytes, text: str) -> None:
            seen.append(extract_parameters(text))
            real(password, text)

    stored = passwords.hashed(PASSWORD)
    monkeypatch.setattr(passwords, "Argon2id", Watched)
    assert passwords.verify(PASSWORD, stored)
    assert not passwords.verify(PASSWORD, None)
    assert not passwords.verify("something else", stored)
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]


def test_accents_are_the_same_however_they_are_typed() -> None:
    composed = "pässwörter sind lang"
    stored = passwords.hashed(composed)
    assert passwords.verify(unicodedata.normalize("NFD", composed), stored)


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 257])
def test_too_short_and_too_long_passwords_are_refused_without_being_repeated(password: str) -> None:
    with pytest.raises(ConfigError) as caught:
        passwords.hashed(password)
    assert not password or password not in str(caught.value)


def test_a_longer_one_is_not_cut_to_the_right_one() -> None:
    longest = "x" * 256
    stored = passwords.hashed(longest)
    assert passwords.verify(longest, stored)
    assert not passwords.verify(longest + "y", stored)
    assert not passwords.verify("x" * 10_000_000, stored)
