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
from hauberk.privacy.text.page import after, before

_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞŁŚŠŽČ", "a-zß-öø-ÿąćęłńóśźżščžğışāīū"
_WORD = (
    rf"(?:Mc|Mac|O['’]|D['’])?[{_UPPER}](?:[{_LOWER}]+(?:[{_UPPER}][{_LOWER}]+)?|[{_UPPER}]+"
    rf"|\.)?(?:[-‐][{_UPPER}]?[{_LOWER}]+){{0,2}}\.?"
)
_LINKS = r"(?:van der|van den|van|von|de la|de los|de|del|della|der|di|da|dos|du|bin|ibn|al|el|la|le|ten|ter)"
_SEQUENCE = re.compile(rf"(?<![A-Za-z0-9_@/.&-]){_WORD}(?: (?:{_LINKS} )?{_WORD}){{0,9}}(?![{_LOWER}\d@_])")
_TOKEN = re.compile(rf"{_WORD}|{_LINKS}")
_LABEL = re.compile(
    r"(?:\b(?:full |first |last |customer |patient |contact |account |employee |guest |tenant "
    r"|user ?|card ?holder |sur)?name"
    r"|\b(?:patient|customer|client|contact|attn|attention|recipient|sender|ship(?:ped)? to"
    r"|bill(?:ed)? to|sold to|deliver to"
    r"|signed(?: by)?|author|cc|from|to|employee|tenant|landlord|witness|spouse|physician"
    r"|attending|account holder|cardholder"
    r"|beneficiary|applicant|buyer|seller|owner|driver|passenger|guardian|nominee|manager"
    r"|assignee|reporter|reviewer))"
    r"[\"']?\s{0,3}[:=|\t][\"']?\s{0,3}[\"']?$|(?:my|his|her|their|whose|the) (?:(?:full|last"
    r"|first|maiden) )?name(?:'s| is| was) $"
    r"|(?:姓名|联系人|收货人|客户|名字|叫|发件人|收件人|户名|持卡人|经理|患者)[：: ]{0,2}$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"(?:\b(?:hi|hello|hey|dear|thanks|thank you|cheers|regards|sincerely|bye|welcome|morning"
    r"|afternoon|evening|birthday|congratulations|congrats|sorry|love),?|\b(?:I'm|I am|this "
    r"is|called|named|call me|ask for|speak (?:to|with)|spoke (?:to|with)|met|told|asked"
    r"|invited|emailed))\s$",
    re.IGNORECASE,
)
_SPEAKS = re.compile(
    r"(?:'s\b|’s\b)?,? (?:said|says|told|asked|replied|wrote|called|thinks|wants|wanted|added"
    r"|explained|noted|lives|lived|works|worked|was born|is (?:a|an|my|our|very|from)|has "
    r"been|will be|and I\b|lost|went|came|sent|took|gave|made|left|felt|knew|ran|stood|sat"
    r"|[a-z]{2,12}ed\b)"
)
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


@cache
def _known() -> _Known:
    given, surnames = tables.english()
    more = {kind: frozenset(listed) for kind, listed in tables.kinds("more_en.txt").items()}
    return _Known(
        frozenset(given) | {_spelt(one) for one in more["given"]},
        frozenset(surnames),
        (more["words"] | tables.common_english()) - more["soft"],
        more["soft"],
        more["places"],
        more["organisations"] | {_spelt(one) for one in more["organisations"]},
        more["titles"],
        more["titles_alone"],
        more["pinyin"],
    )


class EnglishNames:
    """Judges each sequence of capitalised words, from its first word on."""

    type = "NAME"

    def find(self, text: str) -> Iterator[Finding]:
        known = _known()
        for match in _SEQUENCE.finditer(text):
            yield from _names(text, list(_TOKEN.finditer(text, match.start(), match.end())), known)
        for match in _FULL_LABELLED.finditer(text):
            first, last = (one.capitalize() for one in match[0].split(" "))
            if (
                first in known.given
                and last in known.surnames
                and _LABEL.search(before(text, match.start(), 32))
            ):
                yield Finding(match.start(), match.end(), self.type, 0.8)


def _names(text: str, tokens: list[re.Match[str]], known: _Known) -> Iterator[Finding]:
    place = 0
    while place < len(tokens):
        taken, score = _at(text, tokens, place, known)
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
    first = re.split("[-‐]", bare)[0]
    bare = first if len(first) > 1 else bare
    return bare.capitalize() if bare.isupper() and len(bare) > 1 else bare


def _at(text: str, tokens: list[re.Match[str]], place: int, known: _Known) -> tuple[int, float]:
    """How many words from ``place`` on are a name, and how sure that is; 0 where none begins."""
    words = [_spelt(one[0]) for one in tokens[place:]]
    held = before(text, tokens[place].start(), 40)
    raw = tokens[place - 1][0] if place else held.rstrip(" ").rpartition(" ")[2]
    if raw in known.titles or raw.rstrip(".") in known.titles:
        taken = _run(words, known, strict=False)
        if taken > 1 or raw.rstrip(".") in known.alone:
            common = words[0] in known.organisations or (
                words[0] in known.words and words[0] not in known.surnames
            )
            return 0 if common else max(taken, 1), 0.95
    labelled = place == 0 and _LABEL.search(held) is not None
    if (
        labelled
        and words[0] not in known.organisations
        and words[0] + "." not in known.titles
        and words[0] not in known.titles
    ):
        taken = _run(words, known, strict=False)
        if taken > 1 or (taken == 1 and (words[0] in known.given or words[0] in known.surnames)):
            return (0, 0.0) if _is_institution(words, taken, known) else (taken, 0.95)
        if words[0] not in known.words:
            return 1, 0.7
        return 0, 0.0
    if _is_pinyin(words, known):
        return _pinyin_length(words, known), 0.85
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
    told = place == 0 and _GREETING.search(held)
    greeted = place > 0 and tokens[place - 1][0] in (
        "Hi",
        "Hello",
        "Dear",
        "Hey",
        "Thanks",
        "Cheers",
        "Regards",
        "Sincerely",
    )
    if told or greeted:
        return 1, 0.9
    speaks = _SPEAKS.match(after(text, token.end(), 24))
    if words[0] in known.words or words[0] in known.soft:
        return (1, 0.7) if speaks and words[0] in known.soft else (0, 0.0)
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
