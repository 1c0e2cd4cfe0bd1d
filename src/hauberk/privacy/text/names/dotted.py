"""Names whose parts are joined by a dot, as names of other tongues are written in Chinese: 玛丽·居里.

The dot says that there is a name; the question is where it begins and ends. Each side is cut where words and
sounds together cost least: what belongs to the name is known or sounds like other tongues, the rest is words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from hauberk.privacy.text import tables
from hauberk.privacy.text.names.beside import is_han

_HAN = "[\u4e00-\u9fff]"
_DOTS = "·•‧・"
_JOINED = re.compile(rf"{_HAN}[{_DOTS}]{_HAN}")
_LONGEST = 9  # characters of a part
_NEAR = 14  # characters that are read on each side
_UNHEARD = 130  # a character with which names of other tongues are hardly ever written
_KNOWN, _KNOWN_MOST = 60, 3  # tenths of nats by which a known part is cheaper; and its characters, each at most
_FOREIGN = 84  # what a character of a part may cost in the middle, so that 北京·朝阳 is no name
_AND = frozenset("和与及跟同或对向")  # between two names, though some names have them
_UNKNOWN_WORD, _NEXT_NAME, _LONGEST_WORD = 135, 90, 5
_CUT = 1 << 30


class DottedNames:
    """Gives the places of dotted names.

    Args:
        words: with their costs.
    """

    def __init__(self, words: Mapping[str, int]) -> None:
        self._words = words
        self._sounds = {one: cost for one, cost in tables.sounds().items() if one not in _AND}
        listed = tables.kinds("foreign_zh.txt")
        self._known = frozenset([*listed["whole"], *listed["part"]])

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        after = 0
        for match in _JOINED.finditer(text):
            if match.start() < after:  # a further dot of the name before
                continue
            start, stop = self._before(text, match.start() + 1), self._after(text, match.start() + 2)
            parts = [text[start : match.start() + 1], text[match.start() + 2 : stop]]
            while text[stop : stop + 1] and text[stop] in _DOTS and is_han(text[stop + 1 : stop + 2]):
                begin, stop = stop + 1, self._after(text, stop + 1)
                parts.append(text[begin:stop])
            if all(self._sounds_foreign(one) for one in parts):
                yield self._hyphen(text, start), stop
                after = stop

    def _before(self, text: str, end: int) -> int:
        """Where the part begins that ends at a dot."""
        low = end
        while low > max(0, end - _NEAR) and is_han(text[low - 1]) and text[low - 1] not in _AND:
            low -= 1
        words = self._read(text[low:end])
        starts = range(max(low, end - _LONGEST), end)
        return min(starts, key=lambda one: (words[one - low] + self._heard(text[one:end]), one))

    def _after(self, text: str, begin: int) -> int:
        """Where the part ends that begins after a dot."""
        high = begin
        while high < min(len(text), begin + _NEAR) and is_han(text[high]):
            high += 1
        between = text[begin:high] if text[high : high + 1] and text[high] in _DOTS else ""
        if between and (between in self._known or all(one in self._sounds for one in between)):
            return high  # a part between two dots, and not the end of one name and the beginning of another
        words = self._read(text[begin:high][::-1], backwards=True)
        last = next((one for one in range(begin + 1, high) if text[one] in _AND), high)
        stops = range(begin + 1, min(last, begin + _LONGEST) + 1)
        return min(stops, key=lambda one: (words[high - one] + self._heard(text[begin:one]), -one))

    def _read(self, piece: str, *, backwards: bool = False) -> list[int]:
        """What the first characters cost as words, for every number of them."""
        best = [0] + [_CUT] * len(piece)
        for place in range(len(piece)):
            for length in range(1, min(_LONGEST_WORD, len(piece) - place) + 1):
                word = piece[place : place + length]
                word = word[::-1] if backwards else word
                other = _NEXT_NAME if word in self._known else _UNKNOWN_WORD if length == 1 else _CUT
                total = best[place] + self._words.get(word, other)
                best[place + length] = min(best[place + length], total)
        return best

    def _heard(self, part: str) -> int:
        """What a part costs as one of a name."""
        cost = sum(self._sounds.get(one, _UNHEARD) for one in part)
        return min(cost, _KNOWN_MOST * 10 * len(part)) - _KNOWN if part in self._known else cost

    def _sounds_foreign(self, part: str) -> bool:
        return self._heard(part) <= _FOREIGN * len(part)

    def _hyphen(self, text: str, start: int) -> int:
        """The first half of 让-皮埃尔."""
        if start > 1 and text[start - 1] in "-－" and text[start - 2] in self._sounds:
            return self._before(text, start - 1)
        return start
