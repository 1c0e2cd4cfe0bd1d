"""Bank cards, international account numbers and companies' credit codes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hauberk.privacy.text.checksums import credit_check, is_iban, is_luhn
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.structured.rule import Rule, digits_of, numbered_otherwise
from hauberk.privacy.text.tables import kinds

# Issuers' first digits and the lengths that they give.
_ISSUERS = re.compile(
    r"(?:62\d{14,17}|81\d{14,17}|60\d{14,17}"  # UnionPay, Discover
    r"|4\d{12}|4\d{15}|4\d{18}|5[1-5]\d{14}|(?:222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d"
    r"|2720)\d{12}"  # Visa, Mastercard
    r"|3[47]\d{13}|35\d{14}|3[068]\d{12}|6[45]\d{14}|5[0678]\d{14}|9[0-9]\d{14}|9558\d{15}|10[35]\d{16})"
)
_IBAN_LENGTHS = {one[:2]: int(one[2:]) for one in kinds("places.txt")["iban"]}
_IBAN_BEGIN = re.compile(r"(?<![A-Za-z0-9])([A-Z]{2})\d{2}(?= ?[A-Z0-9]{4})")


def _card(match: re.Match[str]) -> float:
    digits = digits_of(match[0])
    if not _ISSUERS.fullmatch(digits) or not is_luhn(digits) or len(set(digits)) < 2:
        return 0.0
    return 0.0 if numbered_otherwise(match) else 0.95


def _credit_code(match: re.Match[str]) -> float:
    code = match[0].upper()
    return 0.95 if credit_check(code[:17]) == code[17] else 0.0


class IbanRule:
    """Account numbers, cut to the length that their country gives them."""

    type = "IBAN"

    def find(self, text: str) -> Iterator[Finding]:
        for match in _IBAN_BEGIN.finditer(text):
            length = _IBAN_LENGTHS.get(match[1])
            if length is None:
                continue
            end, taken = match.start(), 0
            for place in range(match.start(), min(len(text), match.start() + 2 * length)):
                one = text[place]
                if one != " " and not (one.isascii() and (one.isdigit() or one.isupper())):
                    break
                taken += one != " "
                end = place + 1
                if taken == length:
                    break
            compact = text[match.start() : end].replace(" ", "")
            if len(compact) == length and not text[end : end + 1].isalnum() and is_iban(compact):
                yield Finding(match.start(), end, self.type, 1.0)


RULES = (
    Rule(
        "CARD",
        re.compile(
            r"(?<![\dA-Za-z])(?<!\d[.-])[1-69]\d{3}(?:\d{9,15}|([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?"
            r"|\d\d[ -]?\d{13}|([ -])\d{6}\2\d{4,5})(?!\d)(?!\.\d)(?![ -]\d{4}(?!\d))"
        ),
        _card,
    ),
    Rule(
        "CREDIT_CODE",
        re.compile(
            r"(?<![\dA-Za-z])[1-9A-GNYa-gny][1-9A-Ga-g]\d{6}[0-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]{10}(?![\d"
            r"A-Za-z])"
        ),
        _credit_code,
    ),
    IbanRule(),
)
