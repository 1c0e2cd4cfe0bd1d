"""Stretches of a text: which are to be treated, which were, and which overlap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.normal import is_wide

_SHORTEST_WIDE, _SHORTEST = 2, 4
_WORD_LETTER = re.compile(r"[A-Za-z0-9]")


class Span(NamedTuple):
    """Characters ``[start, end)``."""

    start: int
    end: int

    def meets(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


def without(finding: Finding, taken: Sequence[Span]) -> list[Finding]:
    """What of a finding lies in none of the spans, which are in order."""
    pieces, start = [], finding.start
    for span in taken:
        if span.end <= start or span.start >= finding.end:
            continue
        if span.start > start:
            pieces.append((start, span.start))
        start = span.end
    if start < finding.end:
        pieces.append((start, finding.end))
    return [Finding(first, last, finding.type, finding.score) for first, last in pieces]


def apart(findings: Iterable[Finding], taken: Sequence[Span]) -> list[Finding]:
    """Findings in order, cut where an earlier one or a span that is taken covers them."""
    made: list[Finding] = []
    for finding in sorted(findings):
        for piece in without(finding, taken):
            start = max(piece.start, made[-1].end) if made else piece.start
            if start < piece.end:
                made.append(Finding(start, piece.end, piece.type, piece.score))
    return made


def again(text: str, value: str) -> list[Span]:
    """Every place where ``value`` stands in ``text``, whole words alone where it is written in Latin letters.

    Values of a letter or two are not looked for: they stand everywhere by chance.
    """
    if len(value) < (_SHORTEST_WIDE if is_wide(value) else _SHORTEST):
        return []
    found = []
    at = text.find(value)
    while at >= 0:
        end = at + len(value)
        if not (_joined(text, at) or _joined(text, end)):
            found.append(Span(at, end))
        at = text.find(value, end)
    return found


def _joined(text: str, at: int) -> bool:
    """Whether a word or number goes on across this border."""
    beside = text[max(0, at - 1) : at + 1]
    return len(beside) == 2 and at > 0 and all(_WORD_LETTER.match(letter) for letter in beside)
