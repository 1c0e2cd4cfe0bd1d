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

from hauberk.privacy.text import tables
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.names import cues, lists
from hauberk.privacy.text.names.beside import Beside
from hauberk.privacy.text.names.dotted import DottedNames
from hauberk.privacy.text.names.foreign import ForeignPieces
from hauberk.privacy.text.names.full import FullNames
from hauberk.privacy.text.names.given import GivenAlone

_RUN = re.compile(r"[\u4e00-\u9fff]{1,300}")  # longer runs are read in pieces
_UNKNOWN = 135  # a character that is no word by itself
_LABEL_WORD = 110  # a label that is too rare for the table of words
_COMPLEMENTS = "到给完下出上起住回走了过着开掉成好"  # a verb and one of these is read as a word: 调到
_COMPLEMENT = 25
_LISTED_WORD, _LISTED_NAME = 100, 185  # in a list of names: what is rarer as a word, and cheaper as a name

# Characters that names of other tongues are written with.
_SOUNDS = "".join(tables.kinds("cues_zh.txt")["sound"])
_SINGLE = "".join(one for one in tables.surnames() if len(one) == 1)
# What forms ask for: names by their sound, and short names spread over the width of longer ones (王　伟).
_BY_SOUND = re.compile(
    rf"(?:{cues.FORM_LABEL}|叫)[\"']?[:： ]{{0,3}}[\"']?(?P<name>[{_SOUNDS}]{{3,8}})(?![\u4e00-\u9fff·])"
)
_SPREAD = re.compile(
    rf"(?:{cues.FORM_LABEL})[:： ]{{0,3}}"
    rf"(?P<name>[{_SINGLE}] {{1,2}}[\u4e00-\u9fff](?: [\u4e00-\u9fff])?)(?![\u4e00-\u9fff·])"
)
_PART = f"(?:{'|'.join(tables.kinds('cues_zh.txt')['tibetan'])})"
# Not {2}: what begins with a choice is found five times faster.
_TIBETAN = re.compile(rf"{_PART}{_PART}(?![·•])")
_SURE = 0.85  # from here on a name counts in the whole document


class ChineseNames:
    """Reads runs of Chinese characters; ``find`` gives the names in the text of a page."""

    type = "NAME"

    def __init__(self) -> None:
        lexicon = tables.words()
        self._words, self._longest = dict(lexicon.costs), dict(lexicon.longest)
        for label in cues.LABELS:  # words too, so that no name ends within one: 投诉人马腾
            if len(label) > 1 and label not in self._words and _RUN.fullmatch(label):
                self._add(label, _LABEL_WORD)
        for verb in cues.VERBS:
            for more in _COMPLEMENTS:
                if verb + more not in self._words:
                    self._add(verb + more, self._words.get(verb, _UNKNOWN) + _COMPLEMENT)
        self._full = FullNames(self._words)
        self._foreign, self._alone = ForeignPieces(), GivenAlone(lexicon.costs)
        self._dotted = DottedNames(self._words)
        self._pairs = self._foreign.heads | self._alone.costs.keys()

    def _add(self, word: str, cost: int) -> None:
        self._words[word] = cost
        self._longest[word[:2]] = max(len(word), self._longest.get(word[:2], 1))

    def find(self, text: str) -> Iterator[Finding]:
        found = list(self._found(text))
        yield from found
        spans = [(one.start, one.end) for one in found if one.end - one.start > 1]
        for start, stop in lists.neighbours(text, spans, self._could_be):
            yield Finding(start, stop, self.type, 0.8)
        yield from self._again(text, found)
        for start, stop in self._dotted.find(text):
            yield Finding(start, stop, self.type, 0.9)
        for match in _TIBETAN.finditer(text):
            yield Finding(match.start(), match.end(), self.type, 0.85)
        for pattern in (_BY_SOUND, _SPREAD):
            for match in pattern.finditer(text):
                yield Finding(match.start("name"), match.end("name"), self.type, 0.85)

    def _found(self, text: str) -> Iterator[Finding]:
        beside = Beside(text)
        for match in _RUN.finditer(text):
            yield from self._read(text, *match.span(), beside)

    def _could_be(self, piece: str) -> bool:
        """A surname and a given name, and no common word: what stands beside names in a list is one."""
        if self._words.get(piece, 1 << 30) < _LISTED_WORD:
            return False
        size = len(piece)
        made = self._full.pieces(piece, 0, 0, size, Beside(piece))
        return min((price for length, price in made if length == size), default=1 << 30) < _LISTED_NAME

    def _again(self, text: str, found: list[Finding]) -> Iterator[Finding]:
        """Names that are certain somewhere, where they were read as something else."""
        sure = {one.of(text) for one in found if one.score >= _SURE and one.end - one.start > 1}
        sure = {one for one in sure if one not in self._words}
        if not sure:
            return
        taken = {place for one in found for place in range(one.start, one.end)}
        heads = {one[:2] for one in sure}
        for match in re.finditer(f"[{''.join({one[0] for one in sure})}]", text):
            start = match.start()
            if start in taken or text[start : start + 2] not in heads:
                continue
            for length in (4, 3, 2):
                stop = start + length
                if text[start:stop] in sure and stop - 1 not in taken:
                    yield Finding(start, stop, self.type, 0.8)
                    break

    def _read(self, text: str, begin: int, end: int, beside: Beside) -> Iterator[Finding]:
        size = end - begin
        best = [0] + [1 << 30] * size
        came = [0] * (size + 1)  # length of the last piece; negative for a name
        words, longest, sounds, pairs = self._words, self._longest, self._foreign.sounds, self._pairs
        full, begins = self._full.pieces, self._full.begin
        for place in range(size):
            here, cost = begin + place, best[place]
            one, two = text[here], text[here : here + 2]
            total = cost + words.get(one, _UNKNOWN)
            if total < best[place + 1]:
                best[place + 1], came[place + 1] = total, 1
            for length in range(2, min(longest.get(two, 1), size - place) + 1):
                price = words.get(text[here : here + length])
                if price is not None and cost + price < best[place + length]:
                    best[place + length], came[place + length] = cost + price, length
            names = full(text, here, begin, end, beside) if one in begins else []
            if two in pairs or (one in sounds and two[1:] in sounds):
                names += self._others(text, here, end, beside)
            for length, price in names:
                stop = place + abs(length)
                if cost + price < best[stop]:
                    best[stop], came[stop] = cost + price, -length
        place = size
        found = []
        while place:
            length = came[place]
            if length < 0:
                start, stop = begin + place + length, begin + place
                spoken = beside.left(start) + beside.right(stop)
                found.append(Finding(start, stop, "NAME", round(1 - 0.5 * math.exp(-spoken / 20), 2)))
            place -= abs(length)
        yield from reversed(found)

    def _others(self, text: str, here: int, end: int, beside: Beside) -> list[tuple[int, int]]:
        """Lengths and costs of the names that may begin at a place, but for full Chinese ones."""
        found: list[tuple[int, int]] = []
        if self._foreign.may_begin(text, here):
            found += self._foreign.pieces(text, here, end, beside)
        found += self._alone.pieces(text, here, end, beside)
        return found
