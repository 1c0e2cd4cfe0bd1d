"""Names written small, as people do in chats: only where a greeting, a verb or a label asks for a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from hauberk.privacy.text.names import english_words as en
from hauberk.privacy.text.names.english_words import word_set

_SMALL_LINE = re.compile(r"^(?=[^\n]*[a-z]{3})[^A-Z\n]*(?:\bI\b[^A-Z\n]*)*$", re.MULTILINE)
_NEAR = 40  # characters that are looked at, however long a line is
_WORDS = re.compile(r"(?<![\w@./+-])[a-z]{2,16}(?![\w@/+-]|\.\w)")
_CALLED = re.compile(
    r"(?<![\w'])(?:[Mm]y name is|[Mm]y name's|[Hh]ey|[Hh]i|[Hh]ello|[Dd]ear|[Tt]hanks|[Tt]hx"
    r"|(?:[Nn]ame|[Cc]ustomer|[Pp]atient|[Uu]ser|[Oo]wner) ?[:=]),? ?([a-z]{3,14}(?: [a-z]{3,16})?)(?![\w@.-])"
)


@cache
def _cued() -> frozenset[str]:
    return frozenset().union(*(word_set("cues_en.txt", one) for one in ("chat", "strong", "role", "by")))


@cache
def _small() -> frozenset[str]:
    return word_set("things_en.txt", "small")


@cache
def _says() -> frozenset[str]:
    return (
        word_set("cues_en.txt", "says")
        | word_set("cues_en.txt", "acts")
        | {"is", "was", "has", "wants", "just", "can", "will", "u", "ur"}
    )


def _is_given(word: str) -> bool:
    if word in _small():
        return True
    kind = en.flags(word.capitalize())
    return bool(kind & en.GIVEN) and not kind & (en.WORD | en.FIRM | en.THING) and len(word) > 2


def _is_surname(word: str) -> bool:
    kind = en.flags(word.capitalize())
    return bool(kind & en.SURNAME) and not kind & (en.WORD | en.FIRM | en.THING)


def small_names(text: str) -> Iterator[tuple[int, int]]:
    """Where names written small begin and end."""
    end = -1
    for line in _SMALL_LINE.finditer(text):
        for start, end in _in_line(text, line.start(), line.end()):
            yield start, end
    for match in _CALLED.finditer(text):
        if match.start(1) <= end:
            continue
        first, _, second = match[1].partition(" ")
        if _is_given(first):
            yield match.start(1), match.end(1) if _is_surname(second) else match.start(1) + len(first)
        elif "ame" in match[0][:8] and _could_be_called(first):
            yield match.start(1), match.start(1) + len(first)


def _could_be_called(word: str) -> bool:
    kind = en.flags(word.capitalize())
    return bool(kind & (en.RARE | en.SURNAME | en.FIRM)) and not kind & en.WORD


def _in_line(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    words = list(_WORDS.finditer(text, start, end))
    place = 0
    while place < len(words):
        one = words[place]
        following = words[place + 1] if place + 1 < len(words) else None
        if _is_given(one[0]):
            adjacent = following is not None and following.start() - one.end() == 1
            full = following is not None and adjacent and _is_surname(following[0])
            last = following if full and following is not None else one
            if full or _is_called(text, words, place, start, end):
                yield one.start(), last.end()
                place += 1 + full
                continue
        place += 1


def _is_called(text: str, words: list[re.Match[str]], place: int, start: int, end: int) -> bool:
    one = words[place]
    before = text[max(start, one.start() - _NEAR) : one.start()].strip()
    after = text[one.end() : min(end, one.end() + _NEAR)].strip()
    if not before:
        return (
            after[:1] in (":", ",", "?", "!", "")
            or _and_another(words, place)
            or (place + 1 < len(words) and words[place + 1][0] in _says())
        )
    if place and words[place - 1][0] in _cued() and one.start() - words[place - 1].end() <= 2:
        return True
    if after.startswith(("'s ", "’s ")):
        return True
    if before.endswith(" w/"):
        return True
    if place and words[place - 1][0] in ("seen", "when", "did", "does"):
        return True
    if before[-1:] in (",", "-") and not after.strip("!?. "):
        return True
    return (
        place + 1 < len(words)
        and words[place + 1][0] in _says()
        and words[place - 1][0] not in ("the", "a", "an")
    )


def _and_another(words: list[re.Match[str]], place: int) -> bool:
    return place + 2 < len(words) and words[place + 1][0] == "and" and _is_given(words[place + 2][0])
