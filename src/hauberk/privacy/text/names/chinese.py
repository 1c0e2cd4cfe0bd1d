"""Names in Chinese text: the cheapest reading of each run of characters, in words and names.

A run is read as the sequence of words and names that is most likely as a whole: words cost what their use in
Chinese says, a name what its surname and the characters of its given name say, less what the words beside it
speak for a name. So 高兴 is a word and 高兴华 a name, and 李明明天来 is read as 李明, 明天, 来.

Source: class-based language models for Chinese words and names (Sun et al. 2002), with costs of our own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache

from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.names import cues, tables

_LONGEST_RUN = 300  # longer runs are read in pieces
_NAME = 62  # a name anywhere, before anything beside it is known
_ALONE_GIVEN, _TWO_GIVEN = 16, 3  # how many given names have one character, and two
_UNKNOWN = 135  # a character that is no word by itself
_RARE_GIVEN = (125, 125, 125)
_SURNAME_ALONE = 30
_PLACE = 35  # a place's last character stands last in it, or follows it
_PLACES = frozenset("村庄屯县镇乡坝湾坡桥牌店区市省州路街巷寺庙山河湖岛港站派式寨堡沟峪岭塘窑铺坊")
_EDGE = 9  # a run begins or ends here
_WHOLE = 22  # the name is the whole run
_SEPARATORS = ":：=\"' \t（(【[|,，、;；/<《“‘@#.*-1234567890\x0b"
_STRIPPED = " \t:：=\"'“‘（(【["

_MARKED = re.compile(r"[\u4e00-\u9fff]{1,8}(?:[·•‧・][\u4e00-\u9fff]{1,9}){1,4}")


@cache
def _runs() -> re.Pattern[str]:
    """Runs of Chinese characters that hold a surname with something after it."""
    one = "".join(sorted({name[0] for name in tables.surnames()}))
    return re.compile(rf"[\u4e00-\u9fff]*?[{one}][\u4e00-\u9fff]+")


def _left(text: str, place: int) -> int:
    """What stands before a place and speaks for a name."""
    held = text[max(0, place - 10) : place].rpartition("\n")[2]
    if not held:
        return _EDGE
    last = held[-1]
    if last in _SEPARATORS:
        told = held.rstrip(_STRIPPED)
        for length in (6, 5, 4, 3, 2, 1):
            if told[-length:] in cues.LABELS and len(told) >= length:
                return cues.LABELS[told[-length:]]
        return _EDGE
    if not "\u4e00" <= last <= "\u9fff":
        return _EDGE
    for length in (4, 3, 2, 1):
        spoken = cues.LEFT.get(held[-length:])
        if spoken is not None:
            return spoken
    return 0


def _right(text: str, place: int) -> int:
    """What stands after a place and speaks for a name."""
    following = text[place : place + 3]
    if not following or not "\u4e00" <= following[0] <= "\u9fff":
        told = text[place : place + 5].lstrip("，, （(:：　\t、|/\"")[:1]
        return 30 if told in ("男", "女") and told else _EDGE
    for length in (3, 2, 1):
        spoken = cues.RIGHT.get(following[:length])
        if spoken is not None:
            return spoken
    return 0


class ChineseNames:
    """Reads runs of Chinese characters; ``find`` gives the names in the text of a page."""

    type = "NAME"

    def __init__(self) -> None:
        lexicon = tables.words()
        self._words, self._longest = lexicon.costs, lexicon.longest
        self._surnames, self._given = tables.surnames(), tables.given()
        self._doubles = {one[:2] for one in self._surnames if len(one) > 1}

    def find(self, text: str) -> Iterator[Finding]:
        for match in _runs().finditer(text):
            begin, end = match.span()
            for start in range(begin, end, _LONGEST_RUN):
                yield from self._read(text, start, min(end, start + _LONGEST_RUN))

    def _read(self, text: str, begin: int, end: int) -> Iterator[Finding]:
        size = end - begin
        best = [0] + [1 << 30] * size
        came = [0] * (size + 1)  # length of the last piece; negative for a name
        words, longest, surnames = self._words, self._longest, self._surnames
        for place in range(size):
            here, cost = begin + place, best[place]
            one = text[here]
            total = cost + words.get(one, _UNKNOWN)
            if total < best[place + 1]:
                best[place + 1], came[place + 1] = total, 1
            for length in range(2, min(longest.get(text[here : here + 2], 1), size - place) + 1):
                price = words.get(text[here : here + length])
                if price is not None and cost + price < best[place + length]:
                    best[place + length], came[place + length] = cost + price, length
            if one in surnames or text[here : here + 2] in self._doubles:
                for length, price in self._names(text, here, begin, end):
                    if cost + price < best[place + length]:
                        best[place + length], came[place + length] = cost + price, -length
        place = size
        found = []
        while place:
            length = came[place]
            if length < 0:
                start = begin + place + length
                found.append(self._finding(text, start, begin + place))
            place -= abs(length)
        yield from reversed(found)

    def _names(self, text: str, here: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Lengths and costs of the names that may begin at a place."""
        left = -1
        for size in (1, 2):
            surname = self._surnames.get(text[here : here + size])
            if surname is None or here + size > end:
                continue
            if left < 0:
                left = _left(text, here)
            base = _NAME + surname - left
            after = here + size
            if text[after : after + 2] in cues.ADDRESSED or text[after : after + 3] in cues.ADDRESSED:
                yield size, base + _SURNAME_ALONE - 32
            if after < end:
                alone = self._given.get(text[after], _RARE_GIVEN)[2] + _ALONE_GIVEN
                yield size + 1, self._beside(text, here, after + 1, base + alone, begin, end)
            if after + 1 < end:
                first = self._given.get(text[after], _RARE_GIVEN)[0]
                second = self._given.get(text[after + 1], _RARE_GIVEN)[1]
                yield size + 2, self._beside(text, here, after + 2, base + first + second + _TWO_GIVEN, begin, end)

    def _beside(self, text: str, start: int, stop: int, cost: int, begin: int, end: int) -> int:
        if text[stop - 1] in _PLACES and stop - start > 2 or text[stop : stop + 1] in _PLACES and stop < end:
            cost += _PLACE
        cost -= _right(text, stop)
        return cost - _WHOLE if start == begin and stop == end else cost

    def _finding(self, text: str, start: int, stop: int) -> Finding:
        spoken = _left(text, start) + _right(text, stop)
        return Finding(start, stop, "NAME", round(1 - 0.5 * math.exp(-spoken / 20), 2))
