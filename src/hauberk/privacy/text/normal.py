"""The form in which two ways to write one value are the same: full-width digits, spaces, dashes and case aside.

One person gets one pseudonym because her number is brought into this form before the key sees it.
"""

from __future__ import annotations

import re
import unicodedata

from hauberk.privacy.text.dates import parse_date

_SPACE = re.compile(r"\s+")
_NOT_WORD = re.compile(r"[\W_]+")
_WIDE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")

_NUMBERS = frozenset(
    (
        "ID", "PASSPORT", "PERMIT", "MOBILE", "LANDLINE", "PHONE", "CARD", "CREDIT_CODE", "PLATE", "QQ", "MAC",
        "SSN", "IBAN",
    )
)  # fmt: skip
_CALLING = re.compile(r"(?:0{0,2}86)?0?(1[3-9][0-9]{9})")
_EXACT = frozenset(("SECRET",))


def normal(kind: str, text: str) -> str:
    """The value that ``text`` writes, as a value of type ``kind``."""
    if kind in _EXACT:
        return text
    plain = unicodedata.normalize("NFKC", text)
    if kind in _NUMBERS:
        word = _NOT_WORD.sub("", plain).upper()
        mobile = _CALLING.fullmatch(word) if kind in ("MOBILE", "PHONE") else None
        return mobile[1] if mobile else word
    if kind == "BIRTH_DATE":
        day = parse_date(plain)
        if day is not None:
            return day.isoformat()
    if kind in ("NAME", "ADDRESS") and is_wide(plain):
        return _SPACE.sub("", plain).replace("·", "").casefold()
    return _SPACE.sub(" ", plain).strip().casefold()


def is_wide(text: str) -> bool:
    """Whether Chinese characters are in it."""
    return _WIDE.search(text) is not None
