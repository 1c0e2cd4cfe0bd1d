"""What a Chinese name costs at a place: its surname, its given name, and what the words beside it say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hauberk.privacy.text import tables
from hauberk.privacy.text.names import cues
from hauberk.privacy.text.names.beside import Beside, is_han

_NAME = 48  # a name anywhere, before anything beside it is known
_ALONE_GIVEN, _TWO_GIVEN = 15, 4  # how many given names have one character, and two
_RARE_GIVEN = (125, 125, 125)
_TWICE = 45  # the second character of a given name is its first again
_SURNAME_ALONE = 36
_TITLED, _SURE = 12, 30  # a surname alone before a title, within a run; at its start it is surer
_OFFICE = frozenset("任")  # who takes an office is not called so: 任局长三年
_POLITE = frozenset(("先生", "女士", "小姐", "太太"))
_RARE_SURNAME = 80  # rarer ones are words first: 这位女士
_RARE_WORD = 120  # unless the surname is hardly ever anything else: 裘律师
_PLACE = 30  # a place's last character stands last in it, or follows it
_PLACES = frozenset("村庄屯县镇乡坝湾坡桥牌店区市省州路街巷寺庙山河湖岛港站派式寨堡沟峪岭塘窑铺坊")
_INSTITUTION = 60
_NO_GIVEN = frozenset(
    "姐哥叔姨婶伯爷奶妈爸嫂总工收摄等说因开通了的过着把被给让向对从与及或但而所其您我你他她原"
    "会送将已曾还就才只即未没不也都均仍"
)  # what follows a name
_NEVER_FIRST = frozenset("未没不也都均仍须")  # of two characters: 余未见异常
_ENDS = frozenset("来通才有为")  # end names nevertheless
_WEAK = 14  # a verb that hardly ever ends a given name, as its second character: 季红先动手
_WEAK_GIVEN = 70  # how rare it is there
_ASPECTS = frozenset("了着过得")  # after a verb, and hardly after a name: 叶落了
_WITHIN = 8  # the surname ends a word: 上周金辉
_COUNTING = frozenset("余万伍陆")  # surnames that are numbers too: 500余人, 伍万元
_NUMERALS = frozenset("0123456789一二三四五六七八九十百千亿几数两多")
_UNITS = frozenset("万千百十仟佰拾元")
_ROLE, _CLOSED = 34, 7  # from here on a role stands before, and something that ends a name after
_BOTH = 30  # together these say more than their sum: 嫌疑人江山，
_WHOLE = 26  # the name is the whole run


class FullNames:
    """Gives the names of surname and given name that may begin at a place, with what each costs."""

    def __init__(self, words: Mapping[str, int]) -> None:
        self._words = words
        self._surnames, self._given = tables.surnames(), tables.given()
        self._whole = tables.whole_given()
        self._weak = frozenset(
            one for one in cues.WEAK - _ENDS if self._given.get(one, _RARE_GIVEN)[1] >= _WEAK_GIVEN
        )
        self._doubles = frozenset(one for one in self._surnames if len(one) == 2)
        self.begin = frozenset(one[0] for one in self._surnames)

    def pieces(self, text: str, here: int, begin: int, end: int, beside: Beside) -> list[tuple[int, int]]:
        """Lengths and costs, within the run from ``begin`` to ``end``."""
        found: list[tuple[int, int]] = []
        if text[here] in _COUNTING and _is_number(text, here):
            return found
        spoken = _NAME - beside.left(here) + (_WITHIN if text[here - 1 : here + 1] in self._words else 0)
        for size in (1, 2) if text[here : here + 2] in self._doubles else (1,):
            surname = self._surnames.get(text[here : here + size])
            if surname is not None and here + size <= end:
                alone = self._titled(text, here, here + size, begin, spoken + surname)
                if alone is None:
                    found += self._with_given(text, here, here + size, begin, end, spoken + surname, beside)
                else:
                    found.append((size, alone))
        return found

    def _titled(self, text: str, here: int, after: int, begin: int, base: int) -> int | None:
        """What a surname alone costs before a title; None where no title follows."""
        two = text[after : after + 2]
        if two in cues.ADDRESSED or text[after : after + 3] in cues.ADDRESSED:
            sure = two in _POLITE or (here == begin and text[here] not in _OFFICE)
            rare = self._surnames[text[here:after]] >= _RARE_SURNAME
            common = sure and (not rare or self._words.get(text[here:after], 0) > _RARE_WORD)
            return base + _SURNAME_ALONE - cues.TITLE - (_SURE if common else _TITLED)
        if two[:1] == "总" and not is_han(two[1:]):
            return base + _SURNAME_ALONE - cues.TITLE
        return None

    def _with_given(
        self, text: str, here: int, after: int, begin: int, end: int, base: int, beside: Beside
    ) -> Iterator[tuple[int, int]]:
        """Lengths and costs with given names of one and two characters."""
        if text[here - 1 : here] == "姓" and (after >= end or text[after] in "名的"):
            yield after - here, 0
        if after >= end:
            return
        first = self._given.get(text[after], _RARE_GIVEN)
        made = [] if text[after] in _NO_GIVEN else [(1, first[2] + _ALONE_GIVEN)]
        if after + 1 < end:
            last = self._given.get(text[after + 1], _RARE_GIVEN)[1]
            both = first[0] + (min(last, _TWICE) if text[after] == text[after + 1] else last)
            made.append((2, min(both, self._whole.get(text[after : after + 2], both)) + _TWO_GIVEN))
        role = beside.left(here) >= _ROLE and is_han(text[here - 1 : here])
        for more, price in made:
            stop = after + more
            closed = beside.right(stop)
            price += base + self._odd(text, after, stop, end) - closed
            if role and closed >= _CLOSED:
                price -= _BOTH
            yield stop - here, price - _WHOLE if here == begin and stop == end else price

    def _odd(self, text: str, start: int, stop: int, end: int) -> int:
        """What speaks against a given name: it ends as a place does, or as no given name does."""
        cost = 0
        last, following, two = text[stop - 1], text[stop : stop + 1], stop - start > 1
        if (last in _PLACES and two) or (following in _PLACES and stop < end):
            cost += _PLACE
            if "家" in (text[start : stop - 1], text[start:stop]):  # 王家村
                cost += 4 * _PLACE
        if last in _NO_GIVEN or text[start] in _NEVER_FIRST:
            cost += _PLACE
        if text[stop : stop + 2] in cues.INSTITUTIONS or text[stop - 2 : stop] in cues.INSTITUTIONS:
            cost += _INSTITUTION
        if following in _ASPECTS:
            cost += _WEAK
        return cost + (_WEAK if two and last in self._weak else 0)


def _is_number(text: str, here: int) -> bool:
    return text[here - 1 : here] in _NUMERALS or text[here + 1 : here + 2] in _UNITS
