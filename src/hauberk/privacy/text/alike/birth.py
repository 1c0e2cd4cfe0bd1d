"""A day of birth that stays one, in the writing of the original."""

from __future__ import annotations

from datetime import timedelta

from hauberk.privacy.text.alike.draws import Choice
from hauberk.privacy.text.alike.numbers import DAYS, FIRST_DAY
from hauberk.privacy.text.alike.shape import shaped
from hauberk.privacy.text.dates import parse_date, rewritten


def birth_date(text: str, choice: Choice) -> str:
    """Another day from 1930 to 2024. There are 34,699 of them: different days often become the same."""
    if parse_date(text) is None:
        return shaped(text, choice)
    return rewritten(text, FIRST_DAY + timedelta(days=choice.below(DAYS)))
