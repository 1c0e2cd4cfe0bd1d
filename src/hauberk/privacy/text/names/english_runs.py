"""Runs of capitalised words, and how much the words themselves and those beside them speak for a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from hauberk.privacy.text.names import english_words as en
from hauberk.privacy.text.names.english_around import ARTICLE, PLACE_BEFORE, Around, around
from hauberk.privacy.text.names.pinyin import is_pinyin, pinyin_length

Token = tuple[str, int, int, int]  # as written, what the tables say (0 for a link), start, end

_LETTERS = [chr(code) for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)) if chr(code).isalpha()]
UPPER = "A-Z" + "".join(one for one in _LETTERS if one.isupper())
_LOWER = "a-z" + "".join(one for one in _LETTERS if not one.isupper())
_PART = rf"[{UPPER}](?:[{_LOWER}]+(?:[{UPPER}][{_LOWER}]+)*|[{UPPER}]+)?"
_WORD = (
    rf"(?:[{UPPER}]\.){{2,3}}|(?:(?:al|el|ad|as|ash|an|ar|ul)-|[{UPPER}d]['’])?{_PART}"
    rf"(?:[-‐](?:{_PART}|[{_LOWER}]+)|['’][{UPPER}][{_LOWER}]+|['’][{_LOWER}]{{3,}}){{0,3}}\.?"
)
_LINKS = (
    r"(?:van der|van den|van de|van|von der|von|de la|de los|de las|den|de|del|della|der|di|da|dos|du|bin|bint"
    r"|ibn|al|el|la|le|ten|ter|zu|af|y|e|i)"
)
SEQUENCE = re.compile(
    rf"(?<![{UPPER}{_LOWER}0-9_@/&.+-])(?:{_WORD})(?: (?:{_LINKS} )?(?:{_WORD})){{0,11}}(?![{_LOWER}\d@_+])"
)
_TOKEN = re.compile(rf"{_WORD}|(?<= ){_LINKS}(?= )")
_LINKS_BEFORE = re.compile(r"(?<![\w-])(?:van der|van den|van de|van|von der|von|bin|ibn|de la|del|de) $")
_WHERE = (" at ", " in ", " of ", " the ", " near ", "The ", "At ", "In ")
_NEEDED = 1.2


@dataclass(slots=True)
class Run:
    """A run of words that could be a name.

    Args:
        start, end: its characters in the text.
        kinds: what the tables say about each of its words, links left out.
        score: how much speaks for a name.
    """

    start: int
    end: int
    kinds: list[int]
    score: float
    barred: bool
    labelled: bool

    @property
    def is_name(self) -> bool:
        return not self.barred and self.score >= _NEEDED


def read(text: str, start: int, end: int, runs: list[Run]) -> None:
    """Adds the runs of one sequence of capitalised words."""
    tokens: list[Token] = []
    for one in _TOKEN.finditer(text, start, end):
        raw = one[0]
        kind = 0 if raw.islower() else en.flags(raw)
        tokens.append((raw, kind, one.start(), one.end()))
    place = 0
    while place < len(tokens):
        kind = tokens[place][1]
        # a title or the word before towns begins no name; a plain word does only behind a title or a label
        if kind == 0 or kind & (en.TITLE | en.PLACE):
            place += 1
            continue
        before = tokens[place - 1] if place else None
        if kind & en.WORD and not kind & (en.GIVEN | en.SURNAME | en.PARTICLE | en.PINYIN):
            place += 1
            continue
        place += _judge(text, tokens, place, before, runs)


def _judge(
    text: str,
    tokens: list[Token],
    place: int,
    before: Token | None,
    runs: list[Run],
) -> int:
    """Adds the run that begins at ``place``; how many words to go on by."""
    titled = before[1] if before and before[1] & en.TITLE else _title_before(text, tokens[place][2])
    taken = _length(tokens, place, bool(titled))
    if taken == 0:
        return 1
    run = tokens[place : place + taken]
    kinds = [one[1] for one in run if one[1]]
    start, end = run[0][2], run[-1][3]
    linked = _linked(text, tokens, place) if not kinds[0] & en.THING else start
    if linked < start and place:
        before = tokens[place - 2] if place > 1 else None
    if run[-1][0].endswith(".") and not kinds[-1] & en.INITIAL:
        end -= 1
    beside = around(text, linked, end)
    barred = beside.barred or (place > 0 and tokens[place - 1][1] & en.PLACE != 0)
    following = tokens[place + taken] if place + taken < len(tokens) else None
    if following and not run[-1][0].endswith(".") and following[1] & en.FOLLOWER:
        barred = True
    words = [en.spelt(one[0]) for one in run if one[1]]
    if len(kinds) == 2 and kinds[0] & kinds[1] & en.SURNAME and kinds[1] & en.FOLLOWER:
        barred = barred or text[max(0, start - 5) : start].endswith(_WHERE)  # the roof of Wilson Hall
    if text.startswith(("'s", "’s"), end) and run[-1][0] in en.houses():
        barred = True
    names = ([before[0]] if before else []) + [one[0] for one in run if one[1]]
    if len(names) > 1 and any(pair in en.phrases() for pair in pairwise(names)):
        barred = True
    if len(kinds) > 1:
        split = following is not None and kinds[-1] & following[1] & en.WORD  # Kelley Blue Book
        score = (
            -1.5 * bool(split)
            + _together(kinds, words, beside)
            + max(beside.left, -0.7) * (not titled)
            + beside.right / 2
        )
    else:
        score = _alone(kinds[0], words[0], beside) + _beside_one(kinds[0], beside, titled)
        score -= _part_of_more(kinds[0], before, following, run[-1][0], beside)
    if titled:
        score += 5.0 if titled & en.ALONE else 1.8
        barred = barred and not titled & en.ALONE
    if linked < start:
        start, score = linked, score + 1.5
    runs.append(Run(start, end, kinds, score, barred, beside.labelled or bool(titled)))
    if barred:
        return taken + 1
    return taken if score >= _NEEDED or taken == 1 else 1


def _linked(text: str, tokens: list[Token], place: int) -> int:
    """Where a surname begins with what links it: van der Berg."""
    start = tokens[place][2]
    found = _LINKS_BEFORE.search(text, max(0, start - 8), start)
    return found.start() if found and (not place or tokens[place - 1][1] == 0) else start


def _beside_one(kind: int, beside: Around, titled: int) -> float:
    """What the words around say of one word."""
    left, right = 0.0 if titled else beside.left, beside.right
    if left == PLACE_BEFORE and kind & en.GIVEN and not kind & (en.WORD | en.FIRM | en.THING):
        left = -0.1  # loop in Anjali
    if left == ARTICLE and kind & en.FIRM:
        right = 0.0  # the Bill, please
    if kind & en.THING and 0 < left < 1.7:
        left = 0.0  # from Washington, for Tesla
    if kind & en.FIRM and beside.owned:
        right *= 2  # Joy's speech
    return left + right


def _part_of_more(
    kind: int,
    before: Token | None,
    following: Token | None,
    raw: str,
    beside: Around,
) -> float:
    """How much the large words beside one word make it a part of something else: Mercy General, Rich Text."""
    plain = kind & en.GIVEN and not kind & (en.WORD | en.FIRM | en.THING)
    less = 0.0
    if following and following[1] and not raw.endswith("."):
        less += 0.3 if plain else 1.5
    elif kind & en.FIRM and not beside.starts and beside.ends:
        less -= 0.4  # but not Dawn.
    if plain and before and before[1] & en.WORD and before[1] & en.SURNAME and beside.left < 1.0:
        less += 0.6  # Baker Tilly
    if before and before[1] & en.WORD and beside.left < 1.0 and not plain and not _opens_sentence(before):
        less += 1.0
    return less


def _opens_sentence(before: Token) -> bool:
    return before[1] & en.COMMON != 0


def _title_before(text: str, start: int) -> int:
    """A title right before, where it stands in a sequence of its own."""
    held = text[max(0, start - 12) : start]
    if not held.endswith(" "):
        return 0
    word = held.rstrip(" ").rpartition(" ")[2].rpartition("\n")[2]
    kind = en.flags(word) if word[:1].isupper() else 0
    return kind if kind & en.TITLE else 0


def _length(tokens: list[Token], place: int, titled: bool) -> int:
    """How many words from ``place`` on make one name: given names and initials, links, then surnames."""
    first = tokens[place][1]
    words = [en.spelt(one[0]) for one in tokens[place : place + 3]]
    if is_pinyin(words, [one[1] for one in tokens[place : place + 2]]):
        return pinyin_length(words, [one[1] for one in tokens[place : place + 3]])
    at = place
    while at + 1 < len(tokens) and at - place < 5:
        raw, _, _, end = tokens[at]
        if raw.endswith(".") and not tokens[at][1] & en.INITIAL:
            break
        following = tokens[at + 1]
        kind = following[1]
        if following[2] - end != 1 or kind & en.TITLE or not _goes_on(tokens, at + 1, first, titled):
            break
        at += 1
    while at > place and tokens[at][1] == 0:
        at -= 1
    if first & (en.INITIAL | en.PARTICLE) and all(
        one[1] & (en.INITIAL | en.PARTICLE) for one in tokens[place : at + 1]
    ):
        return 0
    return at - place + 1


def _goes_on(tokens: list[Token], at: int, first: int, titled: bool) -> bool:
    kind = tokens[at][1]
    if kind == 0 or kind & en.INITIAL:
        return True
    last = at + 1 == len(tokens) or tokens[at + 1][1] & (en.WORD | en.TITLE) != 0
    if tokens[at][1] & en.NEVER:
        return False
    if kind & en.LOUD and not first & (en.LOUD | en.INITIAL) and not kind & (en.SURNAME | en.GIVEN):
        return False  # Rossi DOB
    if kind & (
        en.FOLLOWER | en.PLACE
    ):  # a surname that a firm could end in, after a given name that is nothing else
        sure = first & en.GIVEN and not first & (
            (en.WORD | en.FIRM | en.THING) if not kind & en.GIVEN else en.WORD
        )
        return last and bool(kind & en.SURNAME) and bool(sure or titled or first & en.INITIAL)
    if kind & en.PARTICLE:
        return at + 1 < len(tokens) and not tokens[at + 1][1] & en.WORD
    if kind & en.WORD:
        given = first & en.GIVEN and (not first & en.WORD or titled or not kind & en.COMMON)
        return (
            bool(kind & (en.SURNAME | en.GIVEN))
            and tokens[at - 1][1] & (en.WORD | en.GIVEN) != en.WORD
            and bool(given or titled or first & en.INITIAL)
        )
    return not kind & en.THING or bool(kind & (en.SURNAME | en.GIVEN))


def _together(kinds: list[int], words: list[str], beside: Around) -> float:
    """Two words and more."""
    first, last = kinds[0], kinds[-1]
    if is_pinyin(words, kinds):
        return 2.5
    if first & (en.INITIAL | en.PARTICLE):
        score = 1.2 if first & en.INITIAL else 0.6
    elif first & en.GIVEN:
        score = 2.2 if not first & (en.WORD | en.FIRM | en.THING) else 0.5 if first & en.WORD else 1.4
    elif first & en.THING:
        score = -2.0
    elif first & en.WORD:
        score = -1.0
    else:
        score = 0.6 if first & en.SURNAME else 0.1
    if last & en.SURNAME:
        doubtful = last & en.THING and first & (en.WORD | en.FIRM)  # Real Madrid
        score += 1.3 if not last & (en.WORD | en.THING) else -0.4 if doubtful else 0.3
    elif last & en.GIVEN:
        score += 0.6 if not last & (en.WORD | en.THING) else 0.0
    elif last & en.THING:
        score -= 0.8
    else:
        score += 0.8 if last & en.RARE else 0.3
    if first & en.LOUD and len(words[0]) > 1 and not beside.labelled:
        known = first & en.GIVEN and last & en.SURNAME and not first & en.WORD
        score -= 0.5 if known else 3.0
    return score + (0.4 if not beside.starts else 0.0)


def _alone(kind: int, word: str, beside: Around) -> float:
    """One word."""
    if kind & en.WORD:
        score = -2.0 if not kind & en.GIVEN else -0.8
    elif kind & en.THING:
        score = -0.8 if kind & en.GIVEN else -1.2 if kind & en.SURNAME else -2.5
    elif kind & en.FIRM:
        score = 0.9 if not beside.starts else 0.0 if kind & en.SOFT else 0.4
    elif kind & en.GIVEN:
        score = 1.3
    else:
        score = 0.2 if kind & en.SURNAME else -0.5
    if kind & en.FOLLOWER and not kind & en.FIRM:
        score -= 1.0
    if kind & en.LOUD:
        score -= 1.2 if kind & (en.GIVEN | en.SURNAME) else 3.0
    return score - (1.0 if len(word) < 3 else 0.0)
