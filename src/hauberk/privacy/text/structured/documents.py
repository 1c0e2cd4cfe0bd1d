"""Identity cards, passports, permits and social security numbers."""

from __future__ import annotations

import re

from hauberk.privacy.text.checksums import is_region_and_date, is_resident_id
from hauberk.privacy.text.page import before
from hauberk.privacy.text.structured.rule import Rule, digits_of, numbered_otherwise

_ID_LABEL = re.compile(r"(?:身份证|身份號|公民身份|证件|身分证|ID ?card|identity)[^\d\n]{0,12}$", re.IGNORECASE)
_PASSPORT_LABEL = re.compile(r"(?:护照|護照|passport)[^\n]{0,16}$", re.IGNORECASE)
_PERMIT_LABEL = re.compile(
    r"(?:通行证|通行證|回乡证|台胞证|臺胞證|港澳台?居民|permit)[^\n]{0,16}$", re.IGNORECASE
)
_SSN_LABEL = re.compile(r"(?:ssn|social security)[^\d\n]{0,16}$", re.IGNORECASE)


def _resident_id(match: re.Match[str]) -> float:
    number = digits_of(match[0])
    if is_resident_id(number):
        return 1.0
    labelled = _ID_LABEL.search(before(match.string, match.start(), 24))
    return 0.6 if labelled and is_region_and_date(number) else 0.0  # mistyped, and it tells as much


def _old_id(match: re.Match[str]) -> float:
    number = match[0]
    dated = is_region_and_date(f"{number[:6]}19{number[6:12]}")
    return 0.9 if dated and _ID_LABEL.search(before(match.string, match.start(), 24)) else 0.0


def _passport(match: re.Match[str]) -> float:
    if _PASSPORT_LABEL.search(before(match.string, match.start(), 28)):
        return 0.98
    if _PERMIT_LABEL.search(before(match.string, match.start(), 28)) or numbered_otherwise(match):
        return 0.0
    return 0.7 if match["common"] else 0.0


def _permit(match: re.Match[str]) -> float:
    return 0.95 if _PERMIT_LABEL.search(before(match.string, match.start(), 28)) else 0.0


def _ssn(match: re.Match[str]) -> float:
    if _SSN_LABEL.search(before(match.string, match.start(), 40)):
        return 1.0
    return 0.85 if "-" in match[0] and not numbered_otherwise(match) else 0.0


RULES = (
    Rule(
        "ID",
        re.compile(
            r"(?<!\d)(?<!\d[.A-Za-z-])[1-8]\d{5}([ -]?)(?:18|19"
            r"|20)\d{2}[01]\d[0-3]\d\1\d{3}[\dXx](?![\dA-Za-z])"
        ),
        _resident_id,
    ),
    Rule("ID", re.compile(r"(?<![\dA-Za-z.-])[1-8]\d{7}[01]\d[0-3]\d{4}(?![\dA-Za-z])"), _old_id),
    Rule(
        "PASSPORT",
        re.compile(
            r"(?<![A-Za-z0-9_-])(?:(?P<common>[EeGg]\d{8}|[Ee][A-HJ-NPa-hj-np-z]\d{7})"
            r"|[A-Za-z]{1,2} ?\d{6,9}|\d{9}|[A-Za-z]\d{2}[A-Za-z]{2}\d{4})(?![A-Za-z0-9_-])"
        ),
        _passport,
    ),
    Rule(
        "PERMIT",
        re.compile(r"(?<![A-Za-z0-9])(?:[HhMmCcLlTtWw][A-Za-z]?\d{7,10}|\d{8,10})(?![A-Za-z0-9])"),
        _permit,
    ),
    Rule(
        "SSN",
        re.compile(r"(?<![\d-])(?!000|666|9)\d{3}([ -]?)(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])"),
        _ssn,
    ),
)
