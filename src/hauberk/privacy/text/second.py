"""A second detector, to estimate what the first one leaves: by the shape of words, not by lists or labels.

It cuts a line into runs of digits, of letters and of Chinese characters and judges each by its length, its
digits' arithmetic and its neighbours. It shares nothing with the first detector but the form of a finding, so
what both miss they miss for different reasons; where the first is sure, this one need not be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hauberk.privacy.text.finding import Finding

_SURNAMES = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱林何郭罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾魏薛"
    "阎潘戴谭廖邹熊陆郝孔崔邱秦顾侯邵孟段钱尹黎贺龚欧"
)
_CALLED = ("先生", "女士", "小姐", "老师", "医生", "经理", "同学", "教授", "律师", "主任")
_NO_NAMES = frozenset(
    "的了是在和与及或有不我你他们这那个上下中人大小多来去说要会能可以为到对就也都很国家会长期"
    "间时候明天年月日子点元件金额子女系统计划理由"
)
_HOUSES = frozenset("号室栋幢弄楼座")
_LANES = frozenset("路街道巷弄村镇区里园苑庄")
_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))
_SENTENCE_WORDS = frozenset((
    "The", "This", "That", "These", "Those", "He", "She", "It", "We", "You", "They", "I", "In", "On", "At",
    "For", "From", "To", "By", "With", "And", "Or", "But", "If", "When", "Where", "Who", "What", "Why",
    "How", "All", "Any", "New", "Please", "Dear", "Best", "Kind", "Thank", "Thanks", "Hi", "Hello",
    "Regards", "Yes", "No", "Not", "Name", "Address", "Phone", "Email", "Date", "Time", "Order", "Total",
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "January", "February",
    "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    "Street", "Road", "Avenue", "North", "South", "East", "West", "United", "States", "University",
    "Company", "Bank",
))  # fmt: skip
_SECRET_LENGTH, _SECRET_KINDS = 24, 12

_DIGITS = re.compile(r"\d+")
_JOINED = re.compile(r"\d+(?:[ \-.()+]\d+){1,6}")
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_PIECE = re.compile(r"[^ \t,;\"'<>()\[\]{}|=:\u0080-\U0010ffff]+")


class SecondDetector:
    """Finds mobile and landline numbers, identity and card numbers, e-mail, plates, houses, names and secrets.

    Cost: time grows with the number of characters.
    """

    def find(self, line: str) -> list[Finding]:
        """The findings in one line, in order, none over another."""
        found = [*_numbers(line), *_words(line), *_chinese(line)]
        kept: list[Finding] = []
        for one in sorted(found, key=lambda each: (each.start, -each.end)):
            if not kept or one.start >= kept[-1].end:
                kept.append(one)
        return kept


def _numbers(line: str) -> Iterator[Finding]:
    """Runs of digits, joined where a single sign stands between them."""
    place = 0
    while run := _DIGITS.search(line, place):
        start = run.start()
        for match in (_JOINED.match(line, start), run):  # neighbours may have nothing to do with each other
            if match:
                place = end = match.end()
                digits = _plain(match[0])
                type = _of_digits(digits, line[end : end + 1])
                if type is not None:
                    break
        if type == "ID" and len(digits) == 17:
            end += 1
        attached = start > 0 and line[start - 1].isascii() and line[start - 1].isalpha()
        if type is not None and not attached:
            yield Finding(start, end, type, 0.6)
        elif attached or line[end : end + 1] in _HOUSES:
            yield from _beside(line, start, end)


def _plain(written: str) -> str:
    """Its digits alone, as ASCII."""
    if written.isascii():
        return written if written.isdigit() else "".join(filter(str.isdigit, written))
    return "".join(str(int(one)) for one in written if one.isdecimal())


def _of_digits(digits: str, following: str) -> str | None:
    size = len(digits)
    if size < 10:
        return None
    if size == 18 or (size == 17 and following in ("X", "x")):
        total = sum(int(digits[place]) * _WEIGHTS[place] for place in range(17))
        check = 10 if size == 17 else int(digits[17])
        if (total + check) % 11 == 1 and "1850" < digits[6:10] < "2100":
            return "ID"
    bare = digits[2:] if size == 13 and digits.startswith("86") else digits
    if len(bare) == 11 and bare[0] == "1" and bare[1] > "2":
        return "MOBILE"
    if 10 <= size <= 12 and digits[0] == "0" and digits[1] != "0":
        return "LANDLINE"
    if 15 <= size <= 19 and digits[0] in "23456" and _doubled(digits) and len(set(digits)) > 2:
        return "CARD"
    return None


def _doubled(digits: str) -> bool:
    """The sum in which every second digit, from the right, counts twice, is a multiple of ten."""
    total = 0
    for place in range(len(digits)):
        value = int(digits[-1 - place]) * (1 + place % 2)
        total += value // 10 + value % 10
    return total % 10 == 0


def _beside(line: str, start: int, end: int) -> Iterator[Finding]:
    """A house's number after a lane, or a plate."""
    if line[end : end + 1] in _HOUSES and line[start - 1 : start] in _LANES and start > 1:
        begin = start
        while begin > 0 and start - begin < 12 and _HAN.match(line[begin - 1]):
            begin -= 1
        yield Finding(begin, end + 1, "ADDRESS", 0.5)
    left = start - 1
    while left > 0 and start - left < 3 and line[left - 1].isascii() and line[left - 1].isalpha():
        left -= 1
    if (
        left > 0
        and line[left].isupper()
        and _HAN.match(line[left - 1])
        and line[left - 1] not in "号型第"
        and 4 <= end - start <= 6
    ):
        yield Finding(left - 1, end, "PLATE", 0.5)


def _words(line: str) -> Iterator[Finding]:
    """Whatever has an @ in it, long mixed strings, and two capitalised words in a row."""
    previous: tuple[int, int] | None = None
    for match in _PIECE.finditer(line):
        (begin, end), piece = match.span(), match[0]
        at = piece.find("@")
        if 0 < at < len(piece) - 3 and "." in piece[at + 2 :]:
            yield Finding(begin, begin + len(piece.rstrip(".")), "EMAIL", 0.8)
        elif len(piece) >= _SECRET_LENGTH and _is_mixed(piece):
            yield Finding(begin, end, "SECRET", 0.5)
        bare = piece.rstrip(".")
        named = bare.isalpha() and bare.istitle() and len(bare) > 1 and bare not in _SENTENCE_WORDS
        if named and previous is not None and previous[1] + 1 == begin and line[previous[1]] == " ":
            yield Finding(previous[0], begin + len(bare), "NAME", 0.3)
            previous = None
        else:
            previous = (begin, end) if named and bare == piece else None


def _is_mixed(piece: str) -> bool:
    kinds = (
        any(one.isdigit() for one in piece),
        any(one.islower() for one in piece),
        any(one.isupper() for one in piece),
    )
    return all(kinds) and len(set(piece)) >= _SECRET_KINDS and "/" not in piece


def _chinese(line: str) -> Iterator[Finding]:
    """Two or three characters by themselves, or before the way in which people are called."""
    for run in _HAN.finditer(line):
        text, begin = run[0], run.start()
        if len(text) in (2, 3) and _is_name(text):
            yield Finding(begin, run.end(), "NAME", 0.4)
            continue
        for called in _CALLED:
            place = text.find(called)
            for size in (3, 2):
                if place >= size and _is_name(text[place - size : place]):
                    yield Finding(begin + place - size, begin + place, "NAME", 0.5)
                    break


def _is_name(text: str) -> bool:
    return text[0] in _SURNAMES and not any(one in _NO_NAMES for one in text[1:])
