"""Names of other tongues in Chinese text: known ones, and runs of characters that such names are written with.

A known name is one word (特朗普). Another one is a run of characters of transliterations (凯莱赫), told from a
place by what stands beside it. A Japanese one is a surname and one to three characters.
"""

from __future__ import annotations

from collections.abc import Iterator

from hauberk.privacy.text import tables
from hauberk.privacy.text.names import cues
from hauberk.privacy.text.names.beside import Beside

_KNOWN = 95
_BY_SOUND = 100
_SHORTEST, _LONGEST = 3, 8
_JAPANESE, _JAPANESE_ALONE = 120, 160
_JAPANESE_GIVEN = 25  # each character of one
_LONG_LAST = frozenset("郎子助介")  # where one has three
_PLACE = 70
_PLACES = frozenset("州市省县河山岛湖港海洋湾城镇郡区国人语族杯队邦堡街路号牌版型式")
_TOWARDS = frozenset("在到从赴往抵至飞于驻")  # before a place
_FROM_PLACE = 25


class ForeignPieces:
    """Gives the names of other tongues that may begin at a place, with what each costs."""

    def __init__(self) -> None:
        listed = tables.kinds("foreign_zh.txt")
        self.sounds = tables.sounds()
        self._known, self._japanese = frozenset(listed["whole"]), frozenset(listed["japanese"])
        self._last = frozenset("".join(listed["japanese_last"]))
        self.heads = frozenset(one[:2] for one in self._known | self._japanese)

    def may_begin(self, text: str, here: int) -> bool:
        """Whether it is worth while to ask for pieces."""
        sounds = self.sounds
        return text[here : here + 2] in self.heads or (
            text[here] in sounds and text[here + 1 : here + 2] in sounds and text[here + 2 : here + 3] in sounds
        )

    def pieces(self, text: str, here: int, end: int, beside: Beside) -> Iterator[tuple[int, int]]:
        """Lengths and costs, within ``end``; of a place, which is no name, the length is negative."""
        spoken = -_FROM_PLACE if text[here - 1 : here] in _TOWARDS else beside.left(here)
        if text[here : here + 2] in self.heads:
            for size, cost in self._listed(text, here, end):
                yield size, cost - spoken - self._after(text, here + size, beside)
        total, stop = _BY_SOUND, here
        while stop < end and stop - here < _LONGEST and text[stop] in self.sounds:
            total += self.sounds[text[stop]]
            stop += 1
            if stop - here >= _SHORTEST:
                after = self._after(text, stop, beside)
                if after == -_PLACE and stop < end:
                    yield here - stop - 1, total
                elif spoken + after > 0:  # else it is as well a place
                    yield stop - here, total - spoken - after

    def _listed(self, text: str, here: int, end: int) -> Iterator[tuple[int, int]]:
        """Known names, and Japanese ones: a surname alone, or with one to three characters."""
        for size in range(2, min(_LONGEST, end - here) + 1):
            piece = text[here : here + size]
            if piece in self._known:
                yield size, _KNOWN
            if piece in self._japanese:
                yield size, _JAPANESE_ALONE
                for stop in range(size + 1, min(size + 3, end - here) + 1):
                    if text[here + stop - 1] in (self._last if stop < size + 3 else _LONG_LAST):
                        yield stop, _JAPANESE + _JAPANESE_GIVEN * (stop - size)

    @staticmethod
    def _after(text: str, stop: int, beside: Beside) -> int:
        if text[stop : stop + 1] in _PLACES or text[stop : stop + 2] in cues.INSTITUTIONS:
            return -_PLACE
        return beside.right(stop)
