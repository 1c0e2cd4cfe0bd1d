"""Given names of two characters without a surname, as people who know each other use them: 让志强来一趟."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hauberk.privacy.text import tables
from hauberk.privacy.text.names import cues
from hauberk.privacy.text.names.beside import Beside

_ALONE = 100  # a surname that is not there, and a name anywhere
_PLACES = frozenset("村庄屯县镇乡店区市省州路街巷寺庙山河湖岛港站桥楼厂")  # 建国路, 永胜村
_FAMILIAR = 110  # 阿 before one character


class GivenAlone:
    """Gives the given names that may stand alone at a place, with what each costs."""

    def __init__(self, words: Mapping[str, int]) -> None:
        whole = {one: _ALONE + cost for one, cost in tables.whole_given().items()}
        familiar = {f"阿{one}": _FAMILIAR + costs[2] for one, costs in tables.given().items()}
        self.costs = {one: cost for one, cost in (familiar | whole).items() if one not in words}

    def pieces(self, text: str, here: int, end: int, beside: Beside) -> Iterator[tuple[int, int]]:
        """Length and cost, within ``end``."""
        cost, stop = self.costs.get(text[here : here + 2]), here + 2
        if cost is None or stop > end:
            return
        if text[stop : stop + 2] not in cues.INSTITUTIONS and text[stop : stop + 1] not in _PLACES:
            yield 2, cost - beside.left(here) - beside.right(stop)
