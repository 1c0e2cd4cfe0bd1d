"""Replacements that look like what they replace, by type; a type that is not listed keeps its shape.

draws      choices that follow from a seed, one to one where values can be counted through
mixed      words as numbers
numbers    identity cards, telephones, cards, codes, plates
people     names, addresses        online    mail, WeChat, networks        birth    days
shape      a digit for a digit, a letter for a letter
lists, regions    the words and the counties they are made of
"""

from __future__ import annotations

from collections.abc import Callable

from hauberk.privacy.text.alike import birth, numbers, online, people, shape
from hauberk.privacy.text.alike.draws import Choice, Permute
from hauberk.privacy.text.normal import normal

_MAKERS: dict[str, Callable[[str, Choice], str]] = {
    "NAME": people.name,
    "ADDRESS": people.address,
    "ID": numbers.resident_id,
    "PASSPORT": shape.document,
    "PERMIT": shape.document,
    "MOBILE": numbers.mobile,
    "LANDLINE": numbers.landline,
    "PHONE": numbers.abroad,
    "CARD": numbers.card,
    "CREDIT_CODE": numbers.credit_code,
    "PLATE": numbers.plate,
    "QQ": numbers.qq,
    "SSN": numbers.ssn,
    "IBAN": numbers.iban,
    "EMAIL": online.email,
    "WECHAT": online.wechat,
    "IP": online.ip,
    "MAC": online.mac,
    "BIRTH_DATE": birth.birth_date,
}

_TRIES = 8  # a name that was drawn may be the one that it is to replace


def alike(kind: str, text: str, choice: Choice) -> str:
    """A value of the same kind and form that is not ``text``; stars where there is no other."""
    make, own = _MAKERS.get(kind, shape.shaped), normal(kind, text)
    for _ in range(_TRIES):
        made = make(text, choice)
        if normal(kind, made) != own:
            return made
    return "*" * len(text)


__all__ = ["Choice", "Permute", "alike"]
