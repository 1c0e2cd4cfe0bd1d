"""Replacements of the same form: checked by the test's own arithmetic; one to one; others with another key."""

from __future__ import annotations

import ipaddress
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError
from hauberk.privacy.text.alike.regions import COUNTIES, PROVINCES
from hauberk.privacy.text.dates import parse_date
from hauberk.privacy.text.finding import TYPES
from hauberk.privacy.text.policy import Keys

KEYS, OTHERS = Keys(bytes(range(32))), Keys(bytes(range(1, 33)))
DIGIT = "0123456789"
CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def id_check(first: str) -> str:
    """ISO 7064 MOD 11-2 in its recursive form."""
    value = 0
    for digit in first:
        value = (value + int(digit)) * 2 % 11
    left = (12 - value) % 11
    return "X" if left == 10 else str(left)


def luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def checked(first: str) -> str:
    return next(first + one for one in DIGIT if luhn(first + one))


def mod_97(code: str) -> int:
    value = 0
    for letter in code[4:] + code[:4]:
        for digit in str(int(letter, 36)):
            value = (value * 10 + int(digit)) % 97
    return value


def credit_check(code: str) -> bool:
    weighted = sum(CREDIT.index(one) * 3**place for place, one in enumerate(code[:17]))
    return (weighted + CREDIT.index(code[17])) % 31 == 0


@st.composite
def identity(draw: st.DrawFn) -> str:
    region = draw(st.sampled_from(COUNTIES))
    day = draw(st.dates(date(1930, 1, 1), date(2024, 12, 31)))
    first = f"{region}{day:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return first + id_check(first)


@given(number=identity())
def test_identity_numbers_stay_valid(number: str) -> None:
    made = KEYS.alike("ID", number)
    assert made != number
    assert re.fullmatch(r"\d{17}[\dX]", made)
    assert made[17] == id_check(made[:17])
    assert made[:2] in PROVINCES
    assert made[:6] in COUNTIES
    assert date(1930, 1, 1) <= date(int(made[6:10]), int(made[10:12]), int(made[12:14])) <= date(2024, 12, 31)


@given(number=st.text(DIGIT, min_size=9, max_size=9), prefix=st.sampled_from(["13", "15", "18"]))
def test_mobile_numbers_stay_mobile_numbers(number: str, prefix: str) -> None:
    made = KEYS.alike("MOBILE", prefix + number)
    assert re.fullmatch(r"1[3-9]\d{9}", made)
    assert made != prefix + number


@given(first=st.text(DIGIT, min_size=12, max_size=18))
def test_cards_pass_luhn_and_keep_their_issuer(first: str) -> None:
    number = checked(first)
    made = KEYS.alike("CARD", number)
    assert luhn(made)
    assert made[:6] == number[:6]
    assert len(made) == len(number)


def test_other_checks_hold() -> None:
    assert mod_97(re.sub(" ", "", KEYS.alike("IBAN", "GB82 WEST 1234 5698 7654 32"))) == 1
    code = KEYS.alike("CREDIT_CODE", "91350100M000100Y43")
    assert credit_check("91350100M000100Y43")
    assert credit_check(code)
    assert code[:8] == "91350100"
    assert re.fullmatch(r"\d{3}-\d{2}-\d{4}", KEYS.alike("SSN", "123-45-6789"))
    assert KEYS.alike("EMAIL", "zhang@x.cn").endswith("@example.com")
    assert ipaddress.ip_address(KEYS.alike("IP", "10.1.2.3")).version == 4
    assert ipaddress.ip_address(KEYS.alike("IP", "fe80::1")) in ipaddress.ip_network("2001:db8::/32")
    assert (
        int(KEYS.alike("MAC", "00:1A:2B:3C:4D:5E")[:2], 16) & 0b11 == 0b10
    )  # locally administered, one machine
    assert re.fullmatch(r"[\u4e00-\u9fff]{3}", KEYS.alike("NAME", "张伟"))
    assert re.fullmatch(r"[A-Z][a-z]+ [A-Z]\. [A-Z]\w+", KEYS.alike("NAME", "Jane Roe"))
    assert re.fullmatch(r"[\u4e00-\u9fff][A-HJ-NP-Z]·\d{5}", KEYS.alike("PLATE", "浙A·12345"))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("MOBILE", [f"138{number:08d}" for number in range(2000)]),
        ("CARD", [checked(f"62220210{number:07d}") for number in range(2000)]),
        ("QQ", [str(1_000_000 + number) for number in range(2000)]),
        ("PASSPORT", [f"E{number:08d}" for number in range(2000)]),
        ("SSN", [f"123-45-{number:04d}" for number in range(1, 2000)]),
        ("PLATE", [f"浙A{number:05d}" for number in range(2000)]),
        ("LANDLINE", [f"0571-8888{number:04d}" for number in range(2000)]),
    ],
)
def test_numbers_that_can_be_counted_never_become_one(kind: str, values: list[str]) -> None:
    assert len({KEYS.alike(kind, one) for one in values}) == len(values)


@pytest.mark.parametrize(
    ("kind", "writings"),
    [
        (
            "MOBILE",
            ["13812345678", "138 1234 5678", "138-1234-5678", "１３８１２３４５６７８", "+86 13812345678"],
        ),
        ("ID", ["11010519491231002X", "11010519491231002x", "110105 19491231 002X"]),
        ("CARD", ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"]),
        ("PASSPORT", ["E12345678", "e12345678"]),
    ],
)
def test_one_value_has_one_pseudonym_however_it_is_written(kind: str, writings: list[str]) -> None:
    made = {re.sub(r"[\W_]", "", KEYS.alike(kind, one)).upper().removeprefix("86") for one in writings}
    assert len(made) == 1
    assert len({KEYS.token(kind, one) for one in writings}) == 1


@pytest.mark.parametrize("writings", [["张伟", "张 伟", "张\u3000伟"], ["Jane Roe", "JANE ROE", "Jane  Roe"]])
def test_one_name_has_one_token(writings: list[str]) -> None:
    assert len({KEYS.token("NAME", one) for one in writings}) == 1
    assert len({KEYS.alike("NAME", one).casefold() for one in writings}) == 1


@pytest.mark.parametrize("kind", ["NAME", "ID", "MOBILE", "EMAIL", "STAFF"])
def test_another_key_makes_other_pseudonyms(kind: str) -> None:
    values = [f"1381234{number:04d}" for number in range(50)]
    assert sum(KEYS.alike(kind, one) == OTHERS.alike(kind, one) for one in values) <= 1
    assert not {KEYS.token(kind, one) for one in values} & {OTHERS.token(kind, one) for one in values}


def test_types_do_not_share_pseudonyms() -> None:
    assert KEYS.token("QQ", "13812345678") != KEYS.token("MOBILE", "13812345678")


def test_birthdays_keep_their_writing() -> None:
    for written, form in (
        ("1990-05-02", r"\d{4}-\d\d-\d\d"),
        ("1990/5/2", r"\d{4}/\d{1,2}/\d{1,2}"),
        ("1990年5月2日", r"\d{4}年\d{1,2}月\d{1,2}日"),
        ("May 2, 1990", r"[A-Z][a-z]{2} \d{1,2}, \d{4}"),
        ("19900502", r"\d{8}"),
    ):
        made = KEYS.alike("BIRTH_DATE", written)
        assert re.fullmatch(form, made), made
        assert parse_date(made) is not None
    assert parse_date("一九九〇年五月二日") == parse_date("May 2, 1990") == date(1990, 5, 2)
    assert parse_date("31/12/1990") == date(1990, 12, 31)
    assert parse_date("1990-02-30") is None


@given(text=st.text(max_size=12), kind=st.sampled_from([*TYPES, "STAFF"]))
def test_whatever_is_called_a_value_gets_another_one(text: str, kind: str) -> None:
    made = KEYS.alike(kind, text)
    assert made == KEYS.alike(kind, text)
    assert made != text or set(text) <= {"*"}


def test_places_draw_apart_and_again_the_same() -> None:
    one, other = (KEYS.drawn("MOBILE", "13812345678", place) for place in ("a:1", "a:2"))
    assert one != other
    assert KEYS.drawn("MOBILE", "13812345678", "a:1") == one


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        Keys(b"short")
    assert "0001" not in repr(KEYS)
