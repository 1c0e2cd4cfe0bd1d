"""Dates of birth: a date is nobody's until the words beside it say so."""

from __future__ import annotations

import re

from hauberk.privacy.text.structured.rule import Rule, always

_MONTHS = (
    "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    "|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
_YEAR = r"(?:18|19|20)\d{2}"
_DATE = (
    rf"(?:{_YEAR} ?[-/.年] ?[01]?\d ?[-/.月](?: ?[0-3]?\d ?[日号]?)?|{_YEAR}[01]\d[0-3]\d"
    rf"|[0-3]?\d[-/.][0-3]?\d[-/.](?:{_YEAR}|\d{{2}})"
    rf"|(?:{_MONTHS})\.? [0-3]?\d(?:st|nd|rd|th)?,? {_YEAR}|[0-3]?\d(?:st|nd|rd|th)? (?:{_MONTHS}),? {_YEAR})"
)
_BORN = "(?<![医学先考新招男女究产发派衍再萌滋业习师])生于"  # 医生于, 发生于 and 产生于 speak of no birth
_LABEL = (
    rf"(?:出生日期|出生年月日?|出生时间|出生于|生日|{_BORN}|诞辰|出生|birth ?date|birthday|date "
    r"of birth|d\.?o\.?b\.?|born(?: on)?)"
)

RULES = (
    Rule(
        "BIRTH_DATE",
        re.compile(
            rf"{_LABEL}[\"']?[ :=：是为\t|,(（]{{0,4}}(?:is |on )?[\"']?(?P<date>{_DATE})(?!\d)", re.IGNORECASE
        ),
        always(0.95),
        "date",
    ),
    Rule(
        "BIRTH_DATE",
        re.compile(
            rf"(?<!\d)(?P<date>{_YEAR} ?[-/.年] ?[01]?\d ?[-/.月](?: ?[0-3]?\d ?[日号]?)?) "
            rf"?(?:出?生(?![产成效活])|诞生)"
        ),
        always(0.9),
        "date",
    ),
)
