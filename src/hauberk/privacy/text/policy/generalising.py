"""Less of a value: the month of a birth, the province of an address, a band of ages, a machine's network."""

from __future__ import annotations

import ipaddress
import re
from datetime import date

from hauberk.privacy.text.alike.regions import PROVINCES
from hauberk.privacy.text.dates import parse_date
from hauberk.privacy.text.normal import normal

LEVELS: dict[str, tuple[str, ...]] = {
    "BIRTH_DATE": ("month", "year", "decade", "band"),
    "AGE": ("band",),
    "ID": ("region", "month", "year", "decade", "band"),
    "ADDRESS": ("city", "region"),
    "IP": ("network",),
}
"""What each type can be generalised to, the default first."""

_BORDERS = re.compile(
    r"(?:中国)?(?P<region>.{2,6}?(?:省|自治区|特别行政区)|(?:北京|上海|天津|重庆)市?)?"
    r"(?P<city>[^省市区县]{2,8}?(?:市|自治州|地区|盟))?"
)
_NETWORKS = {4: 24, 6: 48}


def generalised(kind: str, text: str, to: str, width: int, today: date) -> str | None:
    """``text`` made coarser, or None where it does not say what is asked.

    Args:
        to: one of ``LEVELS[kind]``.
        width: of a band of ages, in years.
        today: on which ages are counted.
    """
    if kind == "ADDRESS":
        return _address(text, to)
    if kind == "IP":
        return _network(text)
    if kind == "AGE":
        found = re.fullmatch(r"\s*(\d{1,3})\s*(?:岁|years?(?: old)?)?\s*", text)
        return _band(int(found[1]), width) if found else None
    if kind == "ID" and to == "region":
        return PROVINCES.get(normal("ID", text)[:2])
    day = _born(kind, text)
    if day is None:
        return None
    if to == "band":
        age = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
        return _band(age, width) if age >= 0 else None
    return {"month": f"{day:%Y-%m}", "year": f"{day.year}", "decade": f"{day.year // 10 * 10}s"}[to]


def _born(kind: str, text: str) -> date | None:
    if kind == "BIRTH_DATE":
        return parse_date(text)
    number = normal("ID", text)
    digits = number[6:14] if len(number) == 18 else f"19{number[6:12]}"
    return parse_date(digits)


def _band(age: int, width: int) -> str:
    low = age // width * width
    return f"{low}-{low + width - 1}"


def _address(text: str, to: str) -> str | None:
    found = _BORDERS.match(text)
    if found is None or not (found["region"] or found["city"]):
        return None
    if to == "region" or not found["city"]:
        return found["region"]
    return (found["region"] or "") + found["city"]


def _network(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(ipaddress.ip_network((address, _NETWORKS[address.version]), strict=False))
