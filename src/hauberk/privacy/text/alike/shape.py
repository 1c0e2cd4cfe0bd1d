"""What keeps its shape only: a digit becomes a digit, a letter one of its case, a Chinese character another."""

from __future__ import annotations

import string

from hauberk.privacy.text.alike import mixed
from hauberk.privacy.text.alike.draws import Choice
from hauberk.privacy.text.alike.lists import GIVEN
from hauberk.privacy.text.alike.mixed import DIGITS
from hauberk.privacy.text.normal import normal


def shaped(text: str, choice: Choice, *, keep_letters: bool = False) -> str:
    """``text`` with other letters and digits in the same places.

    One to one where it consists of ASCII letters and digits and there are a million others like it.

    Args:
        keep_letters: move the digits alone, where the letters say what kind of number it is.
    """
    alphabets = [_alphabet(letter, keep_letters) for letter in text]
    places = [place for place, one in enumerate(alphabets) if one]
    used = [alphabets[place] for place in places]
    value = mixed.number([text[place] for place in places], used)
    form = "".join(_letter(letter, alphabet) for letter, alphabet in zip(text, alphabets, strict=True))
    fresh = mixed.word(choice.place(mixed.size(used), value, form.encode()), used)
    out = list(text)
    for place, letter in zip(places, fresh, strict=True):
        out[place] = letter
    return "".join(out)


def document(text: str, choice: Choice) -> str:
    """A passport or permit: its letters stay, its digits do not."""
    return mixed.refilled(text, shaped(normal("PASSPORT", text), choice, keep_letters=True))


def _alphabet(letter: str, keep_letters: bool) -> str:
    if letter.isdigit():
        return DIGITS
    if keep_letters or not letter.isalpha():
        return ""
    if letter.isascii():
        return string.ascii_uppercase if letter.isupper() else string.ascii_lowercase
    return GIVEN if "\u3400" <= letter <= "\u9fff" else string.ascii_lowercase


def _letter(letter: str, alphabet: str) -> str:
    """What of a character is not moved, and so belongs to the permutation's tweak."""
    return {DIGITS: "0", string.ascii_uppercase: "A", string.ascii_lowercase: "a", GIVEN: "字"}.get(
        alphabet, letter
    )
