"""Names in English text: capitalised words that begin with a given name, or that a title or label announces.

A given name begins a name; what follows it is a middle name, an initial or a surname, unless it makes the whole
an institution or a street. Given names that are words too (Will, May, Jordan) need a surname after them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from hauberk.privacy.text import tables
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.names import beside_english
from hauberk.privacy.text.page import after, before

_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞŁŚŠŽČ", "a-zß-öø-ÿąćęłńóśźżščžğışāīū"
_WORD = (
    rf"(?:Mc|Mac|O['’]|D['’])?[{_UPPER}](?:[{_LOWER}]+(?:[{_UPPER}][{_LOWER}]+)?|[{_UPPER}]+"
    rf"|\.)?(?:[-‐][{_UPPER}]?[{_LOWER}]+){{0,2}}\.?"
)
_LINKS = r"(?:van der|van den|van|von|de la|de los|de|del|della|der|di|da|dos|du|bin|ibn|al|el|la|le|ten|ter)"
_SEQUENCE = re.compile(rf"(?<![A-Za-z0-9_@/.&-]){_WORD}(?: (?:{_LINKS} )?{_WORD}){{0,9}}(?![{_LOWER}\d@_])")
_TOKEN = re.compile(rf"{_WORD}|{_LINKS}")
_TURNED = re.compile(
    rf"(?<![A-Za-z0-9.&-])(?P<last>[{_UPPER}][{_LOWER}]{{2,14}}), (?P<first>[{_UPPER}])\.(?: ?[{_UPPER}]\.)?"
)  # Mensah, K.
_FULL_LABELLED = re.compile(r"(?<=[:=|\t\"' ])[a-z]{2,14} [a-z]{2,16}(?![a-z])")
_SYLLABLE = (
    r"(?:(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(?:iang|iong|uang|ang|eng|ing|ong|iao|ian|uai"
    r"|uan|ai|ei|ao|ou|an|en|in|un|ia|ie"
    r"|iu|ua|uo|ui|ue|ve|er|a|o|e|i|u|v))"
)
_PINYIN_GIVEN = re.compile(rf"{_SYLLABLE}(?:[-' ]?{_SYLLABLE})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Known:
    given: frozenset[str]
    surnames: frozenset[str]
    words: frozenset[str]
    soft: frozenset[str]
    places: frozenset[str]
    organisations: frozenset[str]
    titles: frozenset[str]
    alone: frozenset[str]
    pinyin: frozenset[str]
    roles: frozenset[str]
    firms: frozenset[str]


@cache
def _known() -> _Known:
    given, surnames = tables.english()
    more = {kind: frozenset(listed) for kind, listed in tables.kinds("more_en.txt").items()}
    return _Known(
        frozenset(given) | {_spelt(one) for one in more["given"]},
        frozenset(surnames) | {_spelt(one) for one in more["surnames"]},
        (more["words"] | tables.common_english()) - more["soft"],
        more["soft"],
        more["places"],
        more["organisations"] | {_spelt(one) for one in more["organisations"]},
        more["titles"],
        more["titles_alone"],
        more["pinyin"],
        more["roles"],
        more["firms"],
    )


class EnglishNames:
    """Judges each sequence of capitalised words, from its first word on."""

    type = "NAME"

    def find(self, text: str) -> Iterator[Finding]:
        known = _known()
        for match in _SEQUENCE.finditer(text):
            yield from _names(text, list(_TOKEN.finditer(text, match.start(), match.end())), known)
        for match in _TURNED.finditer(text):
            last = _spelt(match["last"])
            led = before(text, match.start(), 20).rstrip(" ").rpartition(" ")[2][:1].isupper()  # Lisa Kim, M.D.
            if last in known.surnames and last not in known.words | known.firms and not led:
                yield Finding(match.start(), match.end(), self.type, 0.8)
        for match in _FULL_LABELLED.finditer(text):
            first, last = (one.capitalize() for one in match[0].split(" "))
            if (
                first in known.given
                and last in known.surnames
                and beside_english.is_label(before(text, match.start(), 32))
            ):
                yield Finding(match.start(), match.end(), self.type, 0.8)


def _names(text: str, tokens: list[re.Match[str]], known: _Known) -> Iterator[Finding]:
    place = 0
    spelt = [_spelt(one[0]) for one in tokens]
    while place < len(tokens):
        taken, score = _at(text, tokens, place, spelt[place:], known)
        if taken:
            end = tokens[place + taken - 1].end()
            if text[end - 1] == "." and len(tokens[place + taken - 1][0].rstrip(".")) > 1:
                end -= 1
            start = tokens[place].start()
            yield Finding(start, end, "NAME", score)
        place += max(taken, 1)


def _spelt(token: str) -> str:
    """A word as the tables spell it: no accents, one capital, the first part of what a hyphen joins."""
    bare = token.rstrip(".")
    if not bare.isascii():
        bare = "".join(one for one in unicodedata.normalize("NFD", bare) if not unicodedata.combining(one))
    if "-" in bare or "‐" in bare:
        first = bare.replace("‐", "-").partition("-")[0]
        bare = first if len(first) > 1 else bare
    return bare.capitalize() if bare.isupper() and len(bare) > 1 else bare


def _at(
    text: str, tokens: list[re.Match[str]], place: int, words: list[str], known: _Known
) -> tuple[int, float]:
    """How many words from ``place`` on are a name, and how sure that is; 0 where none begins."""
    held = before(text, tokens[place].start(), 40)
    raw = tokens[place - 1][0] if place else held.rstrip(" ").rpartition(" ")[2]
    if raw in known.titles or raw.rstrip(".") in known.titles:
        taken = _run(words, known, strict=False)
        if taken > 1 or raw.rstrip(".") in known.alone:
            common = words[0] in known.organisations or (
                words[0] in known.words and words[0] not in known.surnames
            )
            return 0 if common else max(taken, 1), 0.95
    labelled = place == 0 and beside_english.is_label(held)
    if (
        labelled
        and words[0] not in known.organisations
        and words[0] + "." not in known.titles
        and words[0] not in known.titles
    ):
        taken = _run(words, known, strict=False)
        if taken > 1 or (taken == 1 and (words[0] in known.given or words[0] in known.surnames)):
            return (0, 0.0) if _is_institution(words, taken, known) else (taken, 0.95)
        said = words[0] in beside_english.GREETINGS or tokens[place][0].isupper()  # TBD
        if words[0] not in known.words and not said:
            return 1, 0.7
        return 0, 0.0
    before_it = raw.lower().rstrip(",")
    announced = before_it in known.roles or (
        place == 0 and before_it in beside_english.TOLD_LAST and beside_english.TOLD.search(held) is not None
    )
    if announced and (taken := _announced(words, known)):
        return taken, 0.85
    if _is_pinyin(words, known):
        return _pinyin_length(words, known), 0.85
    if initials := _initials(words, known):
        return initials, 0.8
    if _surname_speaks(text, tokens[place:], words, known):
        return 1, 0.75
    if (
        words[0] not in known.given
        or tokens[place][0] in known.titles
        or (tokens[place][0].isupper() and len(tokens[place][0]) > 1 and not _loud(words, known))
    ):
        return 0, 0.0
    if raw in known.places or words[0] in known.places:
        return 0, 0.0
    taken = _run(words, known, strict=True)
    if _is_institution(words, taken, known):
        return 0, 0.0
    if taken > 1:
        sure = words[0] not in known.words and words[taken - 1] in known.surnames
        return taken, 0.95 if sure else 0.8
    return _single(text, tokens, place, words, held, known)


def _announced(words: list[str], known: _Known) -> int:
    """How many words are a name after a role (the driver, witness) or a verb (according to)."""
    first = words[0]
    if first in known.organisations or first in known.places or first in known.titles or first in known.firms:
        return 0
    taken = _run(words, known, strict=False)
    if _is_institution(words, taken, known) or (first in known.soft | known.words and taken == 1):
        return 0
    if taken > 1 and (
        first in known.given or (first not in known.words and words[taken - 1] in known.surnames)
    ):
        return taken
    return int(taken == 1 == len(words) and (first in known.given or first in known.surnames))


def _initials(words: list[str], known: _Known) -> int:
    """How many words are initials and a surname: J. R. Hartley."""
    count = next((place for place, one in enumerate(words) if len(one) > 1), len(words))
    last = words[count] if 0 < count < min(len(words), 4) else ""
    plain = last in known.surnames and last not in known.words and last not in known.organisations
    return count + 1 if plain and not _is_institution(words, count + 1, known) else 0


def _surname_speaks(text: str, tokens: list[re.Match[str]], words: list[str], known: _Known) -> bool:
    """A surname that is nothing else, alone, does what people do: Fitzgerald resigned."""
    one = words[0]
    return (
        len(words) == 1
        and one in known.surnames
        and one not in known.given
        and not any(one in kind for kind in (known.words, known.soft, known.organisations, known.firms))
        and not tokens[0][0].isupper()
        and beside_english.SAYS.match(after(text, tokens[0].end(), 24)) is not None
    )


def _loud(words: list[str], known: _Known) -> bool:
    """Capitals only: both words must be known."""
    return (
        len(words) > 1
        and words[0] in known.given
        and words[1] in known.surnames
        and words[0] not in known.words
    )


def _run(words: list[str], known: _Known, *, strict: bool) -> int:
    """How many words make one name: given names and initials, links, then one surname.

    Args:
        strict: nothing announced a name, so a surname must be known or be no common word.
    """
    taken = 1
    while taken < len(words) and taken < 5:
        one = words[taken]
        if re.fullmatch(_LINKS, one):
            taken += 1
            continue
        last = taken + 1 == len(words)
        if one in known.titles or (one in known.organisations and not (last and _sure(words, taken, known))):
            break
        if len(one) == 1 and taken + 1 < len(words):
            taken += 1
            continue
        plain = one not in known.words
        if not (plain or one in known.surnames):
            break
        if strict and not plain and words[0] in known.words and len(words[taken - 1]) > 1:
            break
        taken += 1
        if one not in known.given or taken >= 3:
            if taken < len(words) and words[taken] in known.surnames and words[taken] not in known.words:
                taken += words[taken] not in known.organisations  # a second surname, as Spanish names have
            break
        if taken < len(words) and words[taken] not in known.surnames:
            break
    while taken > 1 and re.fullmatch(_LINKS, words[taken - 1]):
        taken -= 1
    return taken


def _sure(words: list[str], taken: int, known: _Known) -> bool:
    """A surname that an institution could end in, after a given name that is nothing else."""
    return (
        words[taken] in known.surnames
        and words[0] in known.given
        and words[0] not in known.words
        and words[0] not in known.soft
    )


def _is_institution(words: list[str], taken: int, known: _Known) -> bool:
    return taken < len(words) and (
        words[taken] in known.organisations or words[taken] + "." in known.organisations
    )


def _single(
    text: str, tokens: list[re.Match[str]], place: int, words: list[str], held: str, known: _Known
) -> tuple[int, float]:
    """A given name with nothing that belongs to it after it."""
    if len(words[0]) < 3 and words[0] not in ("Jo", "Al", "Ed", "Bo"):
        return 0, 0.0
    token = tokens[place]
    told = place == 0 and beside_english.GREETING.search(held)
    greeted = place > 0 and tokens[place - 1][0] in beside_english.GREETINGS
    if told or greeted:
        return 1, 0.9
    speaks = beside_english.SPEAKS.match(after(text, token.end(), 24))
    if words[0] in known.words or words[0] in known.soft:
        says = words[0] in known.soft and beside_english.SAYS.match(after(text, token.end(), 24))
        return (1, 0.7) if says else (0, 0.0)
    if speaks:
        return 1, 0.85
    alone = place == 0 or tokens[place - 1][0] in known.words  # Daughter Jane, Ask Tom
    return (1, 0.7) if len(words) == 1 and alone else (0, 0.0)


def _pinyin_length(words: list[str], known: _Known) -> int:
    return (
        3
        if len(words) > 2
        and len(words[2]) < 6
        and words[0] in known.pinyin
        and _is_syllables(words[2])
        and words[2] not in known.pinyin
        else 2
    )


def _is_syllables(word: str) -> bool:
    return _PINYIN_GIVEN.fullmatch(word) is not None


def _is_pinyin(words: list[str], known: _Known) -> bool:
    """A surname and a given name of one or two syllables, in either order."""
    if len(words) < 2 or all(one in known.words for one in words[:2]):
        return False
    first, second = words[:2]
    if first in known.pinyin and second not in known.words and _is_syllables(second):
        return True
    return (
        second in known.pinyin
        and first not in known.words
        and first not in known.given
        and _is_syllables(first)
    )
