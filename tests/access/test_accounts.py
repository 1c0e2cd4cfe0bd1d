"""The console's accounts: wrong names, passwords and codes are all the same; codes are good once."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest
from access_stores import Hands

from hauberk.access import identities, passwords, totp
from hauberk.access.accounts import Accounts, Enrolment
from hauberk.access.entering import Access, Circumstances
from hauberk.core.database import Database
from hauberk.core.errors import AccessDenied, ConfigError, IntegrityError
from hauberk.vault.keys import VaultKeys

PASSWORD = "correct horse battery"
HOME, ELSEWHERE = Circumstances("192.0.2.1"), Circumstances("192.0.2.2")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of this file cost little; what they cost for real is for ``test_passwords``."""
    monkeypatch.setattr(passwords, "MEMORY_KIB", 8)
    monkeypatch.setattr(passwords, "PASSES", 1)


@pytest.fixture
def accounts(access: Access) -> Accounts:
    identities.add(access.database, "ada")
    access.accounts.set_password("ada", PASSWORD)
    return access.accounts


def secret(made: Enrolment) -> bytes:
    return base64.b32decode(parse_qs(urlsplit(made.address).query)["secret"][0])


def code(made: Enrolment, clock: Hands, steps: int = 0) -> str:
    return totp.code(secret(made), totp.step_at(clock().timestamp()) + steps)


def test_all_that_is_wrong_is_refused_in_the_same_words(
    access: Access, accounts: Accounts, clock: Hands
) -> None:
    identities.add(access.database, "bob")  # without a password
    identities.add(access.database, "eve")
    accounts.set_password("eve", PASSWORD)
    made = accounts.enrol("eve")
    identities.add(access.database, "old")
    accounts.set_password("old", PASSWORD)
    identities.set_disabled(access.database, "old", True)
    wrong = [
        ("ada", PASSWORD + "!", None),
        ("nobody", PASSWORD, None),
        ("bob", PASSWORD, None),
        ("old", PASSWORD, None),
        ("eve", PASSWORD, None),
        ("eve", PASSWORD, "000000" if code(made, clock) != "000000" else "000001"),
        ("eve", PASSWORD + "!", code(made, clock)),
        ("Ada", PASSWORD, None),
        ("", "", ""),
        ("a\ud800", "\ud800", "\ud800"),
    ]
    said = set()
    for name, password, given in wrong:
        with pytest.raises(AccessDenied) as caught:
            access.by_password(name, password, given, Circumstances(f"192.0.2.{len(said)}"))
        said.add((str(caught.value), caught.value.hint))
        clock.move(days=2)
    assert len(said) == 1
    assert access.by_password("ada", PASSWORD, None, HOME).name == "ada"
    assert access.by_password("eve", PASSWORD, code(made, clock), HOME).how == "password and code"


def test_unknown_names_cost_the_same_calls(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """One opening of a column and one check each for password and code, whoever is asked for."""
    accounts.enrol("ada")
    calls: Counter[str] = Counter()

    def watched(module: object, name: str) -> None:
        real = getattr(module, name)

        def call(*given: object, **named: object) -> object:
            calls[name] += 1
            return real(*given, **named)

        monkeypatch.setattr(module, name, call)

    watched(passwords, "verify")
    watched(totp, "matching_step")
    watched(VaultKeys, "open")
    found = []
    for name in ("ada", "nobody"):
        calls.clear()
        assert not accounts.check(name, "a wrong password", "123456")
        found.append(dict(calls))
    assert found[0] == found[1] == {"verify": 1, "matching_step": 1, "open": 2}


def test_a_code_is_good_once_also_when_the_clock_is_set_back(accounts: Accounts, clock: Hands) -> None:
    made = accounts.enrol("ada")
    used = code(made, clock)
    assert accounts.check("ada", PASSWORD, used)
    assert not accounts.check("ada", PASSWORD, used)
    assert accounts.check("ada", PASSWORD, code(made, clock, 1))
    clock.move(hours=-1)
    assert not accounts.check("ada", PASSWORD, code(made, clock))
    clock.move(hours=2)
    assert accounts.check("ada", PASSWORD, code(made, clock))


def test_a_wrong_password_does_not_use_up_a_code(accounts: Accounts, clock: Hands) -> None:
    made = accounts.enrol("ada")
    assert not accounts.check("ada", "another password", code(made, clock))
    assert accounts.check("ada", PASSWORD, code(made, clock))


def test_one_code_lets_one_of_many_in(accounts: Accounts, clock: Hands) -> None:
    given = code(accounts.enrol("ada"), clock)
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda: answers.append(accounts.check("ada", PASSWORD, given)))
        for _ in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_recovery_codes_are_good_once_each_and_replaced_with_the_factor(accounts: Accounts) -> None:
    made = accounts.enrol("ada")
    assert len(set(made.recovery)) == 10
    assert accounts.check("ada", PASSWORD, made.recovery[0].upper().replace("-", " "))
    assert not accounts.check("ada", PASSWORD, made.recovery[0])
    assert accounts.check("ada", PASSWORD, made.recovery[1])
    accounts.enrol("ada")
    assert not accounts.check("ada", PASSWORD, made.recovery[2])
    accounts.drop_factor("ada")
    assert accounts.check("ada", PASSWORD, None)
    assert made.address not in repr(made)
    assert made.recovery[0] not in repr(made)


def test_what_stands_in_the_tables_is_encrypted_and_bound_to_its_row(
    accounts: Accounts, database: Database
) -> None:
    identities.add(database, "mallory")
    accounts.set_password("mallory", "mallory knows this")
    made = accounts.enrol("mallory")
    from sqlalchemy import text

    with database.read() as connection:
        cells = [
            bytes(cell)
            for table in ("access_passwords", "access_factors", "access_recovery")
            for row in connection.execute(text(f"SELECT * FROM {table}"))
            for cell in row
            if isinstance(cell, bytes | memoryview)
        ]
    assert not [one for one in cells if b"argon2" in one or secret(made) in one]
    with database.write() as connection:  # somebody who can write puts his own password where ada's was
        connection.execute(
            text(
                "UPDATE access_passwords SET sealed = (SELECT sealed FROM access_passwords "
                "WHERE identity = 'mallory') WHERE identity = 'ada'"
            )
        )
    with pytest.raises(IntegrityError):
        accounts.check("ada", "mallory knows this", None)


def test_passwords_and_factors_are_for_people(access: Access) -> None:
    identities.add(access.database, "nightly", "service")
    for step in (
        lambda: access.accounts.set_password("nightly", PASSWORD),
        lambda: access.accounts.enrol("nightly"),
    ):
        with pytest.raises(ConfigError, match="service"):
            step()
    with pytest.raises(ConfigError, match="no identity"):
        access.accounts.set_password("nobody", PASSWORD)


def test_guessing_is_locked_by_name_from_wherever_it_comes(
    access: Access, accounts: Accounts, clock: Hands
) -> None:
    for number in range(5):
        with pytest.raises(AccessDenied, match="is wrong"):
            access.by_password("ada", "a guess", None, Circumstances(f"198.51.100.{number}"))
    with pytest.raises(AccessDenied, match="too many"):
        access.by_password("ada", PASSWORD, None, HOME)
    clock.move(seconds=2)
    assert access.by_password("ada", PASSWORD, None, HOME)


def test_guessing_is_locked_by_address_whatever_names_are_tried(
    access: Access, accounts: Accounts, clock: Hands
) -> None:
    for number in range(5):
        with pytest.raises(AccessDenied, match="is wrong"):
            access.by_password(f"user{number}", "a guess", None, HOME)
    with pytest.raises(AccessDenied, match="too many"):
        access.by_password("ada", PASSWORD, None, HOME)
    assert access.by_password("ada", PASSWORD, None, ELSEWHERE)
    clock.move(seconds=2)
    for number in range(3):  # entering oneself does not buy further guesses at others
        assert access.by_password("ada", PASSWORD, None, HOME)
        with pytest.raises(AccessDenied):
            access.by_password("bob", f"guess {number}", None, HOME)
        with pytest.raises(AccessDenied, match="too many"):
            access.by_password("ada", PASSWORD, None, HOME)
        clock.move(seconds=10 * 2**number)
