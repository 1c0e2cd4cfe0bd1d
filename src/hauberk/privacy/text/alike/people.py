"""Names that stay names and addresses that stay addresses.

There are about twenty million Chinese names and two million others to draw: among ``n`` different names, about
``n * n / 2`` divided by that many pairs share one.
"""

from __future__ import annotations

from hauberk.privacy.text.alike import lists
from hauberk.privacy.text.alike.draws import Choice
from hauberk.privacy.text.normal import is_wide

_INITIALS = "ABCDEFGHIJKLMNOPRSTVW"


def name(text: str, choice: Choice) -> str:
    """A surname and two characters for a Chinese name; first name, initial and surname for others."""
    if is_wide(text):
        return choice.of(lists.SURNAMES) + choice.of(lists.GIVEN) + choice.of(lists.GIVEN)
    made = f"{choice.of(lists.FIRST_NAMES)} {choice.of(_INITIALS)}. {choice.of(lists.LAST_NAMES)}"
    return made.upper() if text.isupper() else made


def address(text: str, choice: Choice) -> str:
    """A city that exists, a road and numbers that were drawn."""
    number, room = choice.below(1998) + 1, 100 * (choice.below(33) + 1) + choice.below(12) + 1
    if is_wide(text):
        block = choice.below(60) + 1
        return f"{choice.of(lists.CITIES)}{choice.of(lists.ROADS)}{number}号{block}幢{room}室"
    return f"{number} {choice.of(lists.STREETS)} Street, Apt {room}, {choice.of(lists.TOWNS)}"
