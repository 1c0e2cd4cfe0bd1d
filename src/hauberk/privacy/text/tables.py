"""The tables of this folder, read once when they are first needed; costs are tenths of natural logarithms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


def _lines(name: str) -> Iterator[list[str]]:
    text = (files("hauberk.privacy.text") / "tables" / name).read_text("utf-8")
    return (line.split() for line in text.splitlines() if not line.startswith("#"))


@cache
def kinds(name: str) -> dict[str, list[str]]:
    """A table whose lines begin with a kind: all words of each, in order."""
    found: dict[str, list[str]] = {}
    for kind, *listed in _lines(name):
        found.setdefault(kind, []).extend(listed)
    return found


@dataclass(frozen=True, slots=True)
class Words:
    """How much each word costs, and how long the longest word is that begins with two characters."""

    costs: dict[str, int]
    longest: dict[str, int]


@cache
def words() -> Words:
    """Chinese words of one to four characters."""
    costs: dict[str, int] = {}
    for cost, *listed in _lines("words_zh.txt"):
        costs.update(dict.fromkeys(listed, int(cost)))
    longest: dict[str, int] = {}
    for word in costs:
        if len(word) > longest.get(word[:2], 1):
            longest[word[:2]] = len(word)
    return Words(costs, longest)


@cache
def surnames() -> dict[str, int]:
    """Chinese surnames and their costs."""
    shares = {one: float(share) for share, *listed in _lines("surnames_zh.txt") for one in listed}
    return {one: round(-10 * math.log(share / 1000)) for one, share in shares.items()}


@cache
def given() -> dict[str, tuple[int, int, int]]:
    """Characters of Chinese given names: costs as first of two, second of two, alone."""
    listed = (line for line in _lines("given_zh.txt") if len(line) == 4)
    return {one: (int(first), int(second), int(alone)) for one, first, second, alone in listed}


@cache
def whole_given() -> dict[str, int]:
    """Chinese given names of two characters that many bear, and their costs."""
    return {line[0]: int(line[1]) for line in _lines("given_zh.txt") if len(line) == 2}


@cache
def sounds() -> dict[str, int]:
    """Characters of names of other tongues, and their costs."""
    return {one: int(cost) for cost, *listed in _lines("sounds_zh.txt") for one in listed}


@cache
def verbs() -> frozenset[str]:
    """Chinese verbs and adverbs of two characters."""
    return frozenset(one for listed in _lines("verbs_zh.txt") for one in listed)


@cache
def english() -> tuple[frozenset[str], frozenset[str]]:
    """English given names and surnames."""
    first, last = _lines("names_en.txt")
    return frozenset(first), frozenset(last)


@cache
def common_english() -> frozenset[str]:
    """Common English words, capitalised as at the start of a sentence."""
    return frozenset(one.capitalize() for listed in _lines("words_en.txt") for one in listed)


@cache
def lexicon_english() -> frozenset[str]:
    """English words with all their forms, small, as a spelling checker knows them."""
    return frozenset(one for listed in _lines("lexicon_en.txt") for one in listed)
