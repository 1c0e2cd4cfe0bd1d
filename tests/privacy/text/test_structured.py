"""Numbers and codes, against independent implementations of their checksums and against "
"what only looks like them."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from faker import Faker
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.iso7064 import mod_11_2

from hauberk.privacy.text.checksums import credit_check, id_check, is_iban, is_luhn
from hauberk.privacy.text.detector import Detector

DETECTOR = Detector()


def found(line: str) -> dict[str, list[str]]:
    by_type: dict[str, list[str]] = {}
    for one in DETECTOR.find(line):
        by_type.setdefault(one.type, []).append(one.of(line))
    return by_type


@given(st.text("0123456789", min_size=17, max_size=17))
def test_check_characters_agree_with_another_implementation(first: str) -> None:
    assert id_check(first) == mod_11_2.calc_check_digit(first)


@given(st.text("0123456789", min_size=2, max_size=19))
def test_luhn_agrees_with_another_implementation(digits: str) -> None:
    assert is_luhn(digits) == luhn.is_valid(digits)


def test_iban_agrees_with_another_implementation() -> None:
    fake = Faker(["de_DE", "fr_FR", "en_GB", "it_IT"])
    fake.seed_instance(3)
    for _ in range(100):
        number = fake.iban()
        assert iban.is_valid(number)
        assert is_iban(number)
        assert found(f"IBAN {number}.") == {"IBAN": [number]}
        wrong = number[:-1] + str((int(number[-1], 36) + 1) % 10)
        assert "IBAN" not in found(f"IBAN {wrong}.")


def test_credit_code_agrees_with_another_implementation() -> None:
    uscc = pytest.importorskip("stdnum.cn.uscc")
    for code in ("91110000600037341L", "91310000775785552L", "911101055828851233"):
        valid = uscc.is_valid(code)
        assert (credit_check(code[:17]) == code[17]) == valid
        assert ("CREDIT_CODE" in found(f"代码{code}")) == valid


def test_ids_of_every_day_are_found_and_wrong_checks_are_not() -> None:
    rng = random.Random(0)
    for _ in range(200):
        born = date(1930, 1, 1) + timedelta(rng.randrange(33_000))
        first = f"{rng.choice(('110101', '440305', '650102', '820000'))}{born:%Y%m%d}{rng.randrange(1000):03}"
        number = first + mod_11_2.calc_check_digit(first)
        assert found(f"客户{number}，") == {"ID": [number]}
        wrong = first + ("0" if number[-1] != "0" else "1")
        assert "ID" not in found(f"货号{wrong}，")


@pytest.mark.parametrize(
    ("line", "type", "what"),
    [
        ("打13800138000找我", "MOBILE", "13800138000"),
        ("手机：+86 138-0013-8000", "MOBILE", "+86 138-0013-8000"),
        ("tel (+86)13800138000", "MOBILE", "(+86)13800138000"),
        ("电话１３８００１３８０００。", "MOBILE", "１３８００１３８０００"),
        ("香港+852 9123 4567", "MOBILE", "+852 9123 4567"),
        ("座机0571-88123456转801", "LANDLINE", "0571-88123456转801"),
        ("（010）62345678", "LANDLINE", "（010）62345678"),
        ("总机02162345678-12", "LANDLINE", "02162345678-12"),
        ("+86 10 6234 5678", "LANDLINE", "+86 10 6234 5678"),
        ("tel:+86-755-8888-6666 ext 102", "LANDLINE", "+86-755-8888-6666 ext 102"),
        ("0371-6543210", "LANDLINE", "0371-6543210"),
        ("invoice: 754-321-9482", "PHONE", "754-321-9482"),
        ("call (415) 555-2671 now", "PHONE", "(415) 555-2671"),
        ("卡6222021234567890128扣款", "CARD", "6222021234567890128"),
        ("4111 1111 1111 1111", "CARD", "4111 1111 1111 1111"),
        ("京A·D12345在楼下", "PLATE", "京A·D12345"),
        ("车牌沪AD12345", "PLATE", "沪AD12345"),
        ("粤Z1234港", "PLATE", "粤Z1234港"),
        ("持E12345678号护照", "PASSPORT", "E12345678"),
        ("passport no. 533380006", "PASSPORT", "533380006"),
        ("来往大陆通行证号12345678", "PERMIT", "12345678"),
        ("港澳居民来往内地通行证：H1234567890", "PERMIT", "H1234567890"),
        ("身份证号110101900307123", "ID", "110101900307123"),
        ("写到a.b+c@mail.example.com吧", "EMAIL", "a.b+c@mail.example.com"),
        ("微信号：zhang_wei88", "WECHAT", "zhang_wei88"),
        ("加QQ 123456789", "QQ", "123456789"),
        ("来自203.0.113.7的请求", "IP", "203.0.113.7"),
        ("from 2001:db8::1:2:3 to", "IP", "2001:db8::1:2:3"),
        ("网卡00:1A:2b:3C:4d:5E", "MAC", "00:1A:2b:3C:4d:5E"),
        ("SSN 536-22-1234", "SSN", "536-22-1234"),
        ("出生日期：1990年3月7日", "BIRTH_DATE", "1990年3月7日"),
        ("1990年3月7日出生", "BIRTH_DATE", "1990年3月7日"),
        ("王芳生于1990年3月7日", "BIRTH_DATE", "1990年3月7日"),
        ("born on March 7, 1990", "BIRTH_DATE", "March 7, 1990"),
        ("key AKIAIOSFODNN7EXAMPLE", "SECRET", "AKIAIOSFODNN7EXAMPLE"),
        ('password = "hunter2-x"', "SECRET", "hunter2-x"),
        ("密码：Abc123456", "SECRET", "Abc123456"),
        ("postgres://app:s3cr3t@db/x", "SECRET", "s3cr3t"),
    ],
)  # fmt: skip
def test_found_beside_chinese_and_in_other_spellings(line: str, type: str, what: str) -> None:
    assert what in found(line).get(type, ()), found(line)


@pytest.mark.parametrize(
    "line",
    [
        "订单号13800138000",
        "医生于2024年3月5日通知家属",
        "事故发生于2024年3月5日",
        "2024-13800138000",
        "0.13800138000",
        "运单号SF1402873365120",
        "交易流水号20240518093311000458172",
        "4111 1111 1111 1112",
        "0000000000000000",
        "版本10.2.3.4",
        "v1.2.3.4",
        "12:30:45",
        "std::map::key",
        "图标logo@2x.png",
        "型号E12345678",
        "2023年5月18日签订",
        "豫园新12345",
        "password = ${PASSWORD}",
        "password: required",
        "电话号码是多少",
        "999.999.999.999",
        "666-12-3456",
        "共13800138件",
    ],
)
def test_what_only_looks_like_it_is_left(line: str) -> None:
    assert found(line) == {}


def test_an_identity_number_that_passes_luhn_is_an_identity_number() -> None:
    rng = random.Random(1)
    both = 0
    while both < 5:
        first = f"62010219900307{rng.randrange(1000):03}"
        number = first + mod_11_2.calc_check_digit(first)
        if luhn.is_valid(number) if number.isdigit() else False:
            both += 1
            assert list(found(number)) == ["ID"]


@pytest.mark.parametrize("locale", ["en_US", "zh_CN"])
def test_made_by_somebody_else(locale: str) -> None:
    fake = Faker(locale)
    fake.seed_instance(11)
    for _ in range(200):
        mail, address = fake.email(), fake.ipv4_public()
        assert found(f"邮箱{mail}；地址 {address}") == {"EMAIL": [mail], "IP": [address]}
        if locale == "zh_CN":
            number, phone = fake.ssn(), fake.phone_number()
            assert found(f"证件{number}，电话{phone}") == {"ID": [number], "MOBILE": [phone]}
        else:
            number = fake.ssn()
            assert found(f"his number is {number}.") == {"SSN": [number]}
