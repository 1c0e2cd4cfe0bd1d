"""Words as numbers: a word whose characters come from known alphabets, counted through, and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

DIGITS = "0123456789"


def size(alphabets: Sequence[str]) -> int:
    """How many words there are with one character of each alphabet."""
    return prod(len(one) for one in alphabets)


def number(word: Sequence[str], alphabets: Sequence[str]) -> int | None:
    """The word's number, or None where a character is not in its alphabet."""
    value = 0
    for letter, alphabet in zip(word, alphabets, strict=True):
        at = alphabet.find(letter)
        if at < 0:
            return None
        value = value * len(alphabet) + at
    return value


def word(value: int, alphabets: Sequence[str]) -> str:
    """The word of this number."""
    letters = []
    for alphabet in reversed(alphabets):
        value, at = divmod(value, len(alphabet))
        letters.append(alphabet[at])
    return "".join(reversed(letters))


def refilled(written: str, fresh: str) -> str:
    """``written`` with its letters and digits replaced, from the last to the first, by those of ``fresh``.

    What separates them stays; what ``written`` has more (a prefix such as +86) stays too.
    """
    left = list(fresh)
    out = []
    for letter in reversed(written):
        out.append(left.pop() if left and letter.isalnum() else letter)
    return "".join(left) + "".join(reversed(out))
