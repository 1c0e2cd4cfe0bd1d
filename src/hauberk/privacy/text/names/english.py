"""Names in English text: runs of capitalised words, judged by what the tables know and what stands beside them.

Each run gets a score: what its words are (a given name, a surname, a word, a town, nothing known) and what the
words around it say (a title, a greeting, a verb of saying, "in"). A run that falls short counts where the line
speaks for it: beside a name in a list, or as the surname of somebody whose full name the line has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.names import english_words as en
from hauberk.privacy.text.names.english_runs import SEQUENCE, UPPER, Run, read
from hauberk.privacy.text.names.english_small import small_names

_BETWEEN = re.compile(r", (?:and |or )?|;? and |; ?| & | or | nor | and | / |/")


class EnglishNames:
    """Judges each sequence of capitalised words, then each line as a whole."""

    type = "NAME"

    def find(self, text: str) -> Iterator[Finding]:
        runs: list[Run] = []
        for match in SEQUENCE.finditer(text):
            read(text, match.start(), match.end(), runs)
        _list_neighbours(text, runs)
        _surnames_of_the_line(text, runs)
        for run in _turned(text, runs):
            yield Finding(run.start, run.end, self.type, 0.95 if run.score >= 3 else 0.8)
        for start, end in small_names(text):
            yield Finding(start, end, self.type, 0.7)


def _list_neighbours(text: str, runs: list[Run]) -> None:
    """What stands beside a name in a list is one a little sooner, and so are two surnames with "and"."""
    for one, other in pairwise(runs):
        if text[one.end : other.start] == " and " and _are_plain_surnames(one, other):
            one.score, other.score = one.score + 1.2, other.score + 1.2  # Kowalski and Tran
    for pairs in (pairwise(runs), pairwise(reversed(runs))):
        for known, one in pairs:
            if known.is_name and not one.is_name and not one.barred:
                between = text[min(known.end, one.end) : max(known.start, one.start)]
                if len(between) < 7 and _BETWEEN.fullmatch(between):
                    one.score += 1.5


def _are_plain_surnames(one: Run, other: Run) -> bool:
    kinds = one.kinds + other.kinds
    return (
        len(kinds) == 2
        and not (one.barred or other.barred or one.is_name or other.is_name)
        and not (kinds[0] | kinds[1]) & ~(en.SURNAME | en.PINYIN | en.GIVEN)
    )


def _surnames_of_the_line(text: str, runs: list[Run]) -> None:
    """A surname alone is one where the line has the full name."""
    full = {
        (line, text[run.start : run.end].rpartition(" ")[2])
        for line, run in _by_line(text, runs)
        if run.is_name and len(run.kinds) > 1 and not run.kinds[-1] & en.INITIAL
    }
    for line, run in _by_line(text, runs) if full else ():
        if not run.is_name and not run.barred and (line, text[run.start : run.end]) in full:
            run.score += 2.0 if run.kinds[0] & en.THING else 3.0


def _by_line(text: str, runs: list[Run]) -> Iterator[tuple[int, Run]]:
    """Each run with a number that its line's runs share; one pass, however long a line is."""
    end = -1
    for run in runs:
        if run.start > end:
            end = text.find("\n", run.start)
            end = len(text) if end < 0 else end
        yield end, run


_INITIALS = re.compile(rf", ((?:[{UPPER}]\.[ -]?){{1,3}}(?<! ))")


def _turned(text: str, runs: list[Run]) -> Iterator[Run]:
    """The names, with "Surname, Given" as one."""
    place = 0
    while place < len(runs):
        run = runs[place]
        following = runs[place + 1] if place + 1 < len(runs) else None
        if _could_lead(run):
            initials = _INITIALS.match(text, run.end)
            if initials and not en.flags(initials[1]) & en.WORD:
                yield Run(run.start, initials.end(1), run.kinds, 2.0, False, False)
                place += 2 if following and following.start < initials.end() else 1
                continue
            if following and text[run.end : following.start] == ", " and _is_turned(text, run, following):
                yield Run(run.start, following.end, run.kinds, 2.0, False, False)
                place += 2
                continue
        if run.is_name:
            yield run
        place += 1


def _could_lead(run: Run) -> bool:
    kind = run.kinds[0]
    if run.barred or len(run.kinds) > 2 or kind & (en.THING | en.COMMON):
        return False
    return bool(kind & en.SURNAME) or (not kind & (en.GIVEN | en.WORD) and not kind & en.INITIAL)


def _is_turned(text: str, run: Run, following: Run) -> bool:
    """Whether a surname and what stands behind the comma are one name."""
    second = following.kinds[0]
    if following.barred or second & (en.WORD | en.THING) or len(following.kinds) > 3 or len(run.kinds) > 1:
        return False
    rest = text[following.end : following.end + 16].partition("\n")[0]
    if text[max(0, run.start - 2) : run.start] == ", ":
        return False  # one of a list
    more = re.match(r",? (?:and|or) |, ([A-Z][a-z]\w*)", rest)
    if more and not run.labelled and not (more[1] and en.flags(more[1]) & en.WORD):
        return False
    entry = run.labelled or _opens(text, run.start)
    if second & en.GIVEN and not run.kinds[0] & en.GIVEN:
        return entry or not rest.startswith(" ") or rest.startswith("  ")
    field = run.labelled or text[max(0, run.start - 2) : run.start] != ": "
    ends = run.labelled or not rest.strip() or rest[0] in ';"|(\t' or rest.startswith((" -", " –", "  "))
    return entry and field and ends and bool(second & (en.GIVEN | en.RARE))


def _opens(text: str, start: int) -> bool:
    held = text[max(0, start - 3) : start].rpartition("\n")[2]
    return (
        start == 0
        or not held
        or held.rstrip(" ")[-1:].isdigit()
        or held.rstrip(" ")[-1:] in ("", ":", ";", '"', "|", "(", "\t", ">", "[", "=", "-")
    )
