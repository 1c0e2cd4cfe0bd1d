"""Days as they are written in Chinese and English, and the same writing with another day."""

from __future__ import annotations

import re
from datetime import date

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul",
            "august aug", "september sep sept", "october oct", "november nov", "december dec",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_LONG = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
         "November", "December")  # fmt: skip
_ENGLISH = re.compile(r"(?P<month>[A-Za-z]{3,9})|(?P<number>\d{1,4})")
_CHINESE_DIGITS = {letter: number for number, letter in enumerate("〇一二三四五六七八九")} | {"零": 0, "○": 0}
_CHINESE = re.compile(
    r"([〇零○一二三四五六七八九]{4})年([一二三四五六七八九十]{1,3})月([一二三四五六七八九十]{1,3})[日号]?"
)


def parse_date(text: str) -> date | None:
    """The day in ``text``, or None where it is not one for certain.

    Reads ``1990-05-02``, ``1990/5/2``, ``1990.5.2``, ``19900502``, ``1990年5月2日``, ``一九九〇年五月二日``,
    ``May 2, 1990``, ``2 May 1990`` and ``05/02/1990`` (month first, or day first where it can be no month).
    """
    chinese = _CHINESE.search(text)
    if chinese:
        year = int("".join(str(_CHINESE_DIGITS[letter]) for letter in chinese[1]))
        return _day(year, _spoken(chinese[2]), _spoken(chinese[3]))
    parts = _numbers(text)
    if parts is None:
        return None
    return _day(*(parts[name] for name in ("year", "month", "day")))


def rewritten(text: str, day: date) -> str:
    """Another day in the writing of ``text``, which ``parse_date`` reads; Chinese words become digits."""
    parts = _order(text)
    if parts is None:
        return day.isoformat()
    values = {"year": day.year, "month": day.month, "day": day.day}
    out, at = [], 0
    for name, start, end in parts:
        out += [text[at:start], _like(text[start:end], values[name])]
        at = end
    return "".join(out) + text[at:]


def _like(word: str, value: int) -> str:
    """A number with as many digits at least, or a month as long or as short as ``word`` is."""
    if word.isalpha():
        return _LONG[value - 1] if len(word) > 4 else _LONG[value - 1][:3]
    return str(value).zfill(len(word) if len(word) != 1 else 1)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _spoken(text: str) -> int:
    """``十二`` is 12, ``二十`` 20, ``五`` 5."""
    if "十" not in text:
        return _CHINESE_DIGITS.get(text, 0) if len(text) == 1 else 0
    tens, _, ones = text.partition("十")
    return 10 * _CHINESE_DIGITS.get(tens, 1) + _CHINESE_DIGITS.get(ones, 0)


def _numbers(text: str) -> dict[str, int] | None:
    order = _order(text)
    if order is None:
        return None
    found = {}
    for name, start, end in order:
        word = text[start:end]
        found[name] = _MONTHS[word.lower()] if word.isalpha() else int(word)
    return found


def _order(text: str) -> list[tuple[str, int, int]] | None:
    """Which part of ``text`` is the year, the month and the day, in the order of the text."""
    compact = re.fullmatch(r"\D*((?:19|20)\d{2})(\d{2})(\d{2})\D*", text)
    if compact:
        return [(name, *compact.span(at)) for at, name in enumerate(("year", "month", "day"), 1)]
    words = [one for one in _ENGLISH.finditer(text) if one["number"] or (one["month"] or "").lower() in _MONTHS]
    if len(words) != 3:
        return None
    kinds = ["month" if one["month"] else "year" if len(one[0]) == 4 else "?" for one in words]
    if kinds.count("year") != 1 or kinds.count("month") > 1:
        return None
    if "month" in kinds:
        names = ["day" if kind == "?" else kind for kind in kinds]
    elif kinds[0] == "year":
        names = ["year", "month", "day"]
    elif kinds[2] == "year":
        names = ["day", "month", "year"] if int(words[0][0]) > 12 else ["month", "day", "year"]
    else:
        return None
    return [(name, *word.span()) for name, word in zip(names, words, strict=True)]
