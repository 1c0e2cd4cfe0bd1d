"""Numbers that stay numbers of their kind: a resident identity number with a right check character, a card that
passes Luhn, a mobile number with a prefix that is given out.

Each kind counts its well-formed values through and moves them by a keyed permutation, so that two of them
never become one. A value that is not well formed (a county that does not exist, a wrong check digit) is drawn
among the well-formed ones and may, rarely, meet another.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta

from hauberk.privacy.text.alike import mixed
from hauberk.privacy.text.alike.draws import Choice
from hauberk.privacy.text.alike.mixed import DIGITS
from hauberk.privacy.text.alike.regions import COUNTIES, county
from hauberk.privacy.text.alike.shape import shaped
from hauberk.privacy.text.checksums import credit_check, id_check, is_luhn
from hauberk.privacy.text.normal import normal

# Of dates of birth. All these constants are part of how pseudonyms are made: changing one changes them all.
FIRST_DAY = date(1930, 1, 1)
DAYS = (date(2024, 12, 31) - FIRST_DAY).days + 1
_OLD_DAYS = (date(1999, 12, 31) - FIRST_DAY).days + 1
_GIVEN_OUT = """
    130 131 132 133 134 135 136 137 138 139 145 146 147 148 149 150 151 152 153 155 156 157 158 159 162
    165 166 167 170 171 172 173 174 175 176 177 178 180 181 182 183 184 185 186 187 188 189 190 191 192
    193 195 196 197 198 199
"""
MOBILE_PREFIXES = tuple(_GIVEN_OUT.split())
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_PLATE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_PLATE_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_ELECTRIC = "ABCDEFGHJK"
_PLATE = re.compile(
    rf"([{_PLATE_PROVINCES}])([{_PLATE_LETTERS}])([{_PLATE_LETTERS}0-9]{{4,6}})([学警港澳挂使领]?)"
)
_CALLING_CODE = re.compile(r"(?:\+|00)(?:1|44|81|82|852|853|886)(?=\D)")
_LANDLINE = re.compile(
    r"(?P<head>.*?(?P<area>0(?:10|2\d|[3-9]\d\d))\D{0,3})(?P<number>[2-8](?:[ -]?\d){6,7})(?!\d)(?P<rest>.*)",
    re.DOTALL,
)


def mobile(text: str, choice: Choice) -> str:
    """Eleven digits with a prefix in use; numbers of other countries keep their shape."""
    number = normal("MOBILE", text)
    if not re.fullmatch(r"1[3-9]\d{9}", number):
        return abroad(text, choice)
    prefix = number[:3]
    at = MOBILE_PREFIXES.index(prefix) if prefix in MOBILE_PREFIXES else None
    value = None if at is None else at * 10**8 + int(number[3:])
    place = choice.place(len(MOBILE_PREFIXES) * 10**8, value)
    return mixed.refilled(text, f"{MOBILE_PREFIXES[place // 10**8]}{place % 10**8:08d}")


def landline(text: str, choice: Choice) -> str:
    """The area code stays, the subscriber's number and an extension do not."""
    found = _LANDLINE.fullmatch(unicodedata.normalize("NFKC", text))
    if found is None:
        return abroad(text, choice)
    number = re.sub(r"\D", "", found["number"])
    alphabets = ("2345678", *[DIGITS] * (len(number) - 1))
    value = mixed.number(number, alphabets)
    place = choice.place(mixed.size(alphabets), value, found["area"].encode())
    fresh = mixed.refilled(found["number"], mixed.word(place, alphabets))
    extension = "".join(choice.of(DIGITS) if one.isdigit() else one for one in found["rest"])
    return found["head"] + fresh + extension


def abroad(text: str, choice: Choice) -> str:
    """A telephone number of another country: its calling code stays where it is one of the neighbours'."""
    head = _CALLING_CODE.match(text)
    at = head.end() if head else 0
    return text[:at] + shaped(text[at:], choice)


def resident_id(text: str, choice: Choice) -> str:
    """18 characters (or 15, as before 1999): a county, a day of birth, a serial number, the right check."""
    number = normal("ID", text)
    if re.fullmatch(r"\d{15}", number):
        value = _id_value(number[:6], f"19{number[6:12]}", number[12:], _OLD_DAYS)
        place = choice.place(len(COUNTIES) * _OLD_DAYS * 1000, value, b"15")
        region, day, serial = _id_parts(place, _OLD_DAYS)
        return mixed.refilled(text, f"{region}{day:%y%m%d}{serial:03d}")
    well = re.fullmatch(r"\d{17}[\dX]", number) and id_check(number[:17]) == number[17]
    value = _id_value(number[:6], number[6:14], number[14:17], DAYS) if well else None
    place = choice.place(len(COUNTIES) * DAYS * 1000, value)
    region, day, serial = _id_parts(place, DAYS)
    first = f"{region}{day:%Y%m%d}{serial:03d}"
    return mixed.refilled(text, first + id_check(first))


def _id_value(region: str, day: str, serial: str, days: int) -> int | None:
    at = county(region)
    try:
        since = (date(int(day[:4]), int(day[4:6]), int(day[6:])) - FIRST_DAY).days
    except ValueError:
        return None
    if at is None or not 0 <= since < days:
        return None
    return (at * days + since) * 1000 + int(serial)


def _id_parts(place: int, days: int) -> tuple[str, date, int]:
    rest, serial = divmod(place, 1000)
    at, since = divmod(rest, days)
    return COUNTIES[at], FIRST_DAY + timedelta(days=since), serial


def card(text: str, choice: Choice) -> str:
    """The issuer's six digits stay, so that the bank does; the rest does not, and Luhn holds."""
    digits = normal("CARD", text)
    if not re.fullmatch(r"\d{13,19}", digits):
        return shaped(text, choice)
    issuer, account = digits[:6], digits[6:-1]
    value = int(account) if is_luhn(digits) else None
    place = choice.place(10 ** len(account), value, issuer.encode())
    first = f"{issuer}{place:0{len(account)}d}"
    check = next(one for one in DIGITS if is_luhn(first + one))
    return mixed.refilled(text, first + check)


def credit_code(text: str, choice: Choice) -> str:
    """Registry, kind and region stay; the organisation's code and both checks are another's."""
    code = normal("CREDIT_CODE", text)
    if len(code) != 18 or credit_check(code[:17]) is None:
        return shaped(text, choice)
    alphabets = [_CREDIT_ALPHABET] * 8
    well = credit_check(code[:17]) == code[17] and _organisation_check(code[8:16]) == code[16]
    value = mixed.number(code[8:16], alphabets) if well else None
    place = choice.place(mixed.size(alphabets), value, code[:8].encode())
    body = mixed.word(place, alphabets)
    first = code[:8] + body + _organisation_check(body)
    return mixed.refilled(text, first + (credit_check(first) or ""))


def _organisation_check(body: str) -> str:
    """Source: GB 11714-1997."""
    total = sum(int(one, 36) * weight for one, weight in zip(body, _CREDIT_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def plate(text: str, choice: Choice) -> str:
    """Another province, letter and serial; letters stay letters and digits digits."""
    found = _PLATE.fullmatch(normal("PLATE", text))
    if found is None:
        return shaped(text, choice)
    serial = found[3]
    alphabets = [_PLATE_PROVINCES, _PLATE_LETTERS]
    for place, letter in enumerate(serial):
        electric = len(serial) == 6 and letter in _ELECTRIC and place in (0, 5)
        alphabets.append(DIGITS if letter.isdigit() else _ELECTRIC if electric else _PLATE_LETTERS)
    tweak = "".join("d" if one is DIGITS else "e" if one is _ELECTRIC else "l" for one in alphabets[2:])
    word = found[1] + found[2] + serial
    at = choice.place(mixed.size(alphabets), mixed.number(word, alphabets), (tweak + found[4]).encode())
    return mixed.refilled(text, mixed.word(at, alphabets) + found[4])


def qq(text: str, choice: Choice) -> str:
    """As many digits; a number that is too short to be moved one to one gets ten."""
    number = normal("QQ", text)
    if not re.fullmatch(r"[1-9]\d{4,11}", number):
        return shaped(text, choice)
    length = len(number) if len(number) >= 7 else 10
    alphabets = ("123456789", *[DIGITS] * (length - 1))
    value = mixed.number(number, alphabets) if length == len(number) else None
    return mixed.word(choice.place(mixed.size(alphabets), value, bytes((length,))), alphabets)


def ssn(text: str, choice: Choice) -> str:
    """An area from 001 to 899 that is not 666, a group and a serial number that are not zero."""
    digits = normal("SSN", text)
    areas = [one for one in range(1, 900) if one != 666]
    value = None
    if re.fullmatch(r"\d{9}", digits):
        area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:])
        if area in areas and group and serial:
            value = (areas.index(area) * 99 + group - 1) * 9999 + serial - 1
    rest, serial = divmod(choice.place(len(areas) * 99 * 9999, value), 9999)
    at, group = divmod(rest, 99)
    return mixed.refilled(text, f"{areas[at]:03d}{group + 1:02d}{serial + 1:04d}")


def iban(text: str, choice: Choice) -> str:
    """The country stays; the account is another's and its two check digits are right."""
    code = normal("IBAN", text)
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{8,30}", code):
        return shaped(text, choice)
    account = code[4:]
    alphabets = [DIGITS if one.isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for one in account]
    form = code[:2] + "".join("d" if one is DIGITS else "l" for one in alphabets)
    value = mixed.number(account, alphabets) if _iban_check(code[:2], account) == code[2:4] else None
    fresh = mixed.word(choice.place(mixed.size(alphabets), value, form.encode()), alphabets)
    return mixed.refilled(text, code[:2] + _iban_check(code[:2], fresh) + fresh)


def _iban_check(country: str, account: str) -> str:
    """Source: ISO 7064 MOD 97-10."""
    turned = "".join(str(int(one, 36)) for one in f"{account}{country}00")
    return f"{98 - int(turned) % 97:02d}"
