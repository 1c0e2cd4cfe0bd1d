"""Mobile and landline numbers of mainland China, Hong Kong, Macao and Taiwan, and international ones."""

from __future__ import annotations

import re

from hauberk.privacy.text.page import before
from hauberk.privacy.text.structured.rule import Rule, numbered_otherwise

_LABEL = re.compile(
    r"(?:电话|座机|固话|固定电话|传真|热线|总机|办公室|宅电|tel|phone|fax|call)[^\d\n]{0,8}$", re.IGNORECASE
)
# Area codes by their first digits (three digits: 010 and 02x; four: 03xx to 09xx).
_AREA_8 = r"0(?:10|2[0-57-9])"
_AREA_7 = r"0(?:3[1-9]|4[1-9]|5[1-9]|6[36-9]|7[0-9]|8[1-9]|9[0-9])\d"
_EXTENSION = r"(?: ?(?:-|转|轉|分机号?|ext\.?:?|x|#) ?\d{1,6}(?!\d))?"
_ALONE = r"(?<![\dA-Za-z])(?<!\d[.-])"
_COUNTRY = r"(?:\(?(?:\+|00)?86\)?[ -]?(?:\(0\))?)?"
_TWO_OR_THREE = (
    rf"{_ALONE}{_COUNTRY}(?:\({_AREA_8}\) ?|{_AREA_8}[- ]{{0,2}}|(?<=86[ -])(?:10|2[0-57-9])[- ])"
    rf"[2-8]\d{{3}}[- ]?\d{{4}}(?!\d){_EXTENSION}"
)
_FOUR = (
    rf"{_ALONE}{_COUNTRY}(?:\({_AREA_7}\) ?|{_AREA_7}[- ]{{0,2}}|(?<=86[ -])[3-9]\d{{2}}[- ])"
    rf"[2-8]\d{{2,3}}[- ]?\d{{4}}(?!\d){_EXTENSION}"
)
_US = r"\(?[2-9]\d{2}(?:\) ?|[-. ])[2-9]\d{2}[-. ]\d{4}"


def _mobile(match: re.Match[str]) -> float:
    return 0.0 if numbered_otherwise(match) else 0.98


def _landline(match: re.Match[str]) -> float:
    return 0.0 if numbered_otherwise(match) else 0.95


def _local(match: re.Match[str]) -> float:
    return 0.85 if _LABEL.search(before(match.string, match.start(), 20)) else 0.0


def _other(match: re.Match[str]) -> float:
    digits = sum(one.isdigit() for one in match[0])
    plain = match[0].isdigit()  # spaces and signs in it say that it is to be called
    if digits < (11 if match[0].startswith("00") else 8) or (plain and numbered_otherwise(match)):
        return 0.0
    return 0.9


RULES = (
    Rule(
        "MOBILE",
        re.compile(
            r"(?<![\dA-Za-z])(?<!\d[.-])(?:(?:\((?:\+|00)?86\)|(?:\+|00)?86)[ -]{0,2})?1[3-9]\d(?:([ "
            r"-])\d{4}\1\d{4}|\d{8}"
            r"|[ -]?\d{4}[ -]?\d{4})(?!\d)(?!\.\d)(?!-\d)"
        ),
        _mobile,
    ),
    Rule(
        "MOBILE",
        re.compile(
            r"(?<!\d)(?:\+|00)(?:852[ -]?[4-79]\d{3}[ -]?\d{4}|853[ -]?6\d{3}[ -]?\d{4}"
            r"|886[ -]?0?9\d{2}[ -]?\d{3}[ -]?\d{3})(?!\d)"
        ),
        _mobile,
    ),
    Rule("LANDLINE", re.compile(f"{_TWO_OR_THREE}|{_FOUR}", re.IGNORECASE), _landline),
    Rule(
        "LANDLINE",
        re.compile(
            r"(?<!\d)(?:\+|00)(?:852[ -]?[23]\d{3}[ -]?\d{4}|853[ -]?28\d{2}[ -]?\d{4}"
            r"|886[ -]?\(?0?[2-8]\)?[ -]?\d{3,4}[ -]?\d{4})(?!\d)"
        ),
        _landline,
    ),
    Rule(
        "LANDLINE",
        re.compile(rf"(?<![\dA-Za-z.-])[2-8]\d{{2,3}}-?\d{{4}}(?![\dA-Za-z]){_EXTENSION}", re.IGNORECASE),
        _local,
    ),
    Rule(
        "PHONE",
        re.compile(
            rf"(?<![\dA-Za-z])(?<!\d[.-])(?:\+?1[-. ]?)?{_US}(?!\d)(?: ?(?:x|ext\.?) ?\d{{1,6}})?"
            r"|(?<!\d)(?:\+|00)(?!86|852|853|886)[1-9]\d{0,2}(?:[ -]?\(?\d{1,4}\)?){2,5}(?!\d)",
            re.IGNORECASE,
        ),
        _other,
    ),
)
