"""Many lines as one text, so that each pattern runs over all of them in one call, with one place per character.

Wide digits, letters and signs become their ASCII forms; every character stays where it is, so a place in the
folded text is a place in the line as it was given. Lines are apart by a line feed, which no pattern crosses.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from hauberk.privacy.text.finding import Finding


def _ascii_forms() -> dict[int, str]:
    forms = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    digits = (code for code in range(0x660, 0x1FBFA) if unicodedata.decimal(chr(code), None) is not None)
    forms |= {code: str(unicodedata.decimal(chr(code))) for code in digits}
    forms |= dict.fromkeys((0xA0, 0x3000, *range(0x2000, 0x200B), 0x202F), " ")
    return forms | dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2212), "-")


_FORMS = _ascii_forms()
_FOLDABLE = re.compile("[" + "".join(map(re.escape, map(chr, _FORMS))) + "]")
_BREAKS = {"\n": "\x0b", "\r": "\x0b"}  # inside a line, as in a cell of a table


def fold(line: str) -> str:
    """The line with ASCII forms, character for character."""
    if not line.isascii() and _FOLDABLE.search(line):
        line = line.translate(_FORMS)
    if "\n" in line or "\r" in line:
        for one, stand_in in _BREAKS.items():
            line = line.replace(one, stand_in)
    return line


@dataclass(frozen=True, slots=True)
class Page:
    """Folded lines as one text; ``starts`` says where each begins."""

    text: str
    starts: Sequence[int]

    @classmethod
    def of(cls, lines: Iterable[str]) -> Page:
        folded = [fold(one) for one in lines]
        ends = accumulate(len(one) + 1 for one in folded)
        return cls("\n".join(folded), [0, *ends][: len(folded)])

    def split(self, found: Iterable[Finding]) -> list[list[Finding]]:
        """Findings in the text, in order, as findings in each line."""
        by_line: list[list[Finding]] = [[] for _ in self.starts]
        for one in found:
            number = bisect_right(self.starts, one.start) - 1
            begin = self.starts[number]
            by_line[number].append(Finding(one.start - begin, one.end - begin, one.type, one.score))
        return by_line

    def before(self, place: int, most: int) -> str:
        """Up to ``most`` characters of the same line before a place."""
        return before(self.text, place, most)


def before(text: str, place: int, most: int) -> str:
    """Up to ``most`` characters of the same line before a place in a page's text."""
    return text[max(0, place - most) : place].rpartition("\n")[2]


def after(text: str, place: int, most: int) -> str:
    """Up to ``most`` characters of the same line from a place in a page's text."""
    return text[place : place + most].partition("\n")[0]
