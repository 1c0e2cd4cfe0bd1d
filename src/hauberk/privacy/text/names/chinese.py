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

from hauberk.privacy.text import tables
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.names import cues

_RUN = re.compile(r"[\u4e00-\u9fff]{1,300}")  # longer runs are read in pieces
_NAME = 54  # a name anywhere, before anything beside it is known
_ALONE_GIVEN, _TWO_GIVEN = 16, 3  # how many given names have one character, and two
_UNKNOWN = 135  # a character that is no word by itself
_RARE_GIVEN = (125, 125, 125)
_TWICE = 45  # the second character of a given name is its first again
_LABEL_WORD = 110  # a label that is too rare for the table of words
_SURNAME_ALONE = 30
_TITLED = 12  # a surname alone before a title, within a run; at its start it is surer
_OFFICE = frozenset("任")  # who takes an office is not called so: 任局长三年
_POLITE = frozenset(("先生", "女士", "小姐", "太太"))
_RARE_SURNAME = 80  # rarer ones are words first: 这位女士
_RARE_WORD = 120  # unless the surname is hardly ever anything else: 裘律师
_PLACE = 35  # a place's last character stands last in it, or follows it
_PLACES = frozenset("村庄屯县镇乡坝湾坡桥牌店区市省州路街巷寺庙山河湖岛港站派式寨堡沟峪岭塘窑铺坊")
_INSTITUTIONS = frozenset(tables.kinds("cues_zh.txt")["institution"])
_NO_GIVEN = frozenset(
    "姐哥叔姨婶伯爷奶妈爸嫂总工收摄等说因开通了的过着把被给让向对从与及或但而所其您我你他她原"
    "会送将已曾还就才只即"
)  # what follows a name
_SEX = 60  # 男 or 女 follows
_EDGE = 9  # a run begins or ends here
_WHOLE = 22  # the name is the whole run
_SEPARATORS = ":：=\"' \t（(【[|,，、;；/<《“‘@#.*-1234567890\x0b"
_STRIPPED = " \t:：=\"'“‘（(【["

# Characters that names of other tongues are written with.
_SOUNDS = "".join(tables.kinds("cues_zh.txt")["sound"])
_SOUND = rf"(?:[{_SOUNDS}]|得(?=[罗鲁森斯里利尔]))"  # 彼得罗夫, and not: 说得
_MARKED = re.compile(rf"[{_SOUNDS}]{_SOUND}{{0,7}}(?:[·•‧・]{_SOUND}{{1,9}}){{1,4}}")
_SINGLE = "".join(one for one in tables.surnames() if len(one) == 1)
# What forms ask for: names by their sound, and short names spread over the width of longer ones (王　伟).
_BY_SOUND = re.compile(
    rf"(?:{cues.FORM_LABEL}|叫)[\"']?[:： ]{{0,3}}[\"']?(?P<name>[{_SOUNDS}]{{3,8}})(?![\u4e00-\u9fff·])"
)
_SPREAD = re.compile(
    rf"(?:{cues.FORM_LABEL})[:： ]{{0,3}}"
    rf"(?P<name>[{_SINGLE}] {{1,2}}[\u4e00-\u9fff](?: [\u4e00-\u9fff])?)(?![\u4e00-\u9fff·])"
)
_TIBETAN = re.compile(rf"(?:{'|'.join(tables.kinds('cues_zh.txt')['tibetan'])}){{2}}(?![·•])")
_SURE = 0.85  # from here on a name counts in the whole document


@cache
def _begins() -> re.Pattern[str]:
    """Characters that surnames begin with."""
    return re.compile(f"[{''.join({name[0] for name in tables.surnames()})}]")


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
        told = text[place : place + 5].lstrip('，, （(:：　\t、|/"')[:1]
        return _SEX if told in ("男", "女") else _EDGE
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
        self._words, self._longest = dict(lexicon.costs), dict(lexicon.longest)
        for label in cues.LABELS:  # words too, so that no name ends within one: 投诉人马腾
            if len(label) > 1 and label not in self._words and _RUN.fullmatch(label):
                self._words[label] = _LABEL_WORD
                self._longest[label[:2]] = max(len(label), self._longest.get(label[:2], 1))
        self._surnames, self._given = tables.surnames(), tables.given()
        self._whole = tables.whole_given()
        self._doubles = {one[:2] for one in self._surnames if len(one) > 1}

    def find(self, text: str) -> Iterator[Finding]:
        found = list(self._found(text))
        yield from found
        yield from self._again(text, found)
        for match in _MARKED.finditer(text):
            if len(match[0]) > 3:
                yield Finding(match.start(), match.end(), self.type, 0.9)
        for match in _TIBETAN.finditer(text):
            yield Finding(match.start(), match.end(), self.type, 0.85)
        for pattern in (_BY_SOUND, _SPREAD):
            for match in pattern.finditer(text):
                yield Finding(match.start("name"), match.end("name"), self.type, 0.85)

    def _found(self, text: str) -> Iterator[Finding]:
        begins = _begins()
        for match in _RUN.finditer(text):
            if begins.search(text, match.start(), match.end()):
                yield from self._read(text, *match.span())

    def _again(self, text: str, found: list[Finding]) -> Iterator[Finding]:
        """Names that are certain somewhere, where they were read as something else."""
        sure = {one.of(text) for one in found if one.score >= _SURE and one.end - one.start > 1}
        sure = {one for one in sure if one not in self._words}
        if not sure:
            return
        taken = {place for one in found for place in range(one.start, one.end)}
        for match in _begins().finditer(text):
            for length in (4, 3, 2):
                stop = match.start() + length
                if text[match.start() : stop] in sure and match.start() not in taken and stop - 1 not in taken:
                    yield Finding(match.start(), stop, self.type, 0.8)
                    break

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
                sure = text[after : after + 2] in _POLITE or (here == begin and text[here] not in _OFFICE)
                common = sure and (surname < _RARE_SURNAME or self._words.get(text[here:after], 0) > _RARE_WORD)
                yield size, base + _SURNAME_ALONE - cues.TITLE - (_SURNAME_ALONE if common else _TITLED)
                continue
            if text[after : after + 1] == "总" and not "\u4e00" <= text[after + 1 : after + 2] <= "\u9fff":
                yield size, base + _SURNAME_ALONE - cues.TITLE
                continue
            if text[here - 1 : here] == "姓" and (after >= end or text[after] in "名的"):
                yield size, 0
            if after < end and text[after] not in _NO_GIVEN:
                alone = self._given.get(text[after], _RARE_GIVEN)[2] + _ALONE_GIVEN
                yield size + 1, self._beside(text, here, after + 1, base + alone, begin, end)
            if after + 1 < end:
                both = (
                    self._given.get(text[after], _RARE_GIVEN)[0]
                    + self._given.get(text[after + 1], _RARE_GIVEN)[1]
                )
                if text[after] == text[after + 1]:
                    both = min(both, self._given.get(text[after], _RARE_GIVEN)[0] + _TWICE)
                two = min(both, self._whole.get(text[after : after + 2], both)) + _TWO_GIVEN
                yield size + 2, self._beside(text, here, after + 2, base + two, begin, end)

    def _beside(self, text: str, start: int, stop: int, cost: int, begin: int, end: int) -> int:
        if (text[stop - 1] in _PLACES and stop - start > 2) or (
            text[stop : stop + 1] in _PLACES and stop < end
        ):
            cost += _PLACE
            if "家" in (text[start + 1 : stop - 1], text[start + 1 : stop]):  # 王家村
                cost += 4 * _PLACE
        if text[stop - 1] in _NO_GIVEN or text[stop : stop + 2] in _INSTITUTIONS:
            cost += _PLACE
        cost -= _right(text, stop)
        return cost - _WHOLE if start == begin and stop == end else cost

    def _finding(self, text: str, start: int, stop: int) -> Finding:
        spoken = _left(text, start) + _right(text, stop)
        return Finding(start, stop, "NAME", round(1 - 0.5 * math.exp(-spoken / 20), 2))
