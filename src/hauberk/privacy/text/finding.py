"""What a detector says: where in a line something tells about a person, what it is, and how sure that is."""

from __future__ import annotations

from typing import NamedTuple

TYPES: dict[str, str] = {
    "NAME": "a person's name, without the title",
    "ID": "mainland resident identity number, of 18 or 15 characters",
    "PASSPORT": "passport number",
    "PERMIT": "permit of a resident of Hong Kong, Macao or Taiwan",
    "MOBILE": "mobile number",
    "PHONE": "another phone number, whose country does not tell mobile from landline",
    "LANDLINE": "landline number, with its area code and extension",
    "CARD": "bank card number",
    "CREDIT_CODE": "unified social credit code",
    "PLATE": "vehicle licence plate",
    "EMAIL": "e-mail address",
    "ADDRESS": "postal address, from the province or street to the room",
    "WECHAT": "WeChat id",
    "QQ": "QQ number",
    "IP": "IPv4 or IPv6 address",
    "MAC": "network card's address",
    "SSN": "US social security number",
    "IBAN": "international bank account number",
    "BIRTH_DATE": "date of birth",
    "SECRET": "API key, password or other secret",
}


class Finding(NamedTuple):
    """One place in one line of text.

    Args:
        start: the first character, counted from 0 in the line as it was given.
        end: one past the last character.
        type: a key of ``TYPES``, or the name of one of the user's own patterns or word lists.
        score: how sure, in (0, 1]: 1 for a checksum that holds in a context that says so.
    """

    start: int
    end: int
    type: str
    score: float

    def of(self, line: str) -> str:
        """The text that was found in ``line``."""
        return line[self.start : self.end]
