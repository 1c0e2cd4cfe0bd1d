"""Addresses as they are written in English: a house number, a street, a flat, a town, a state, a code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.tables import kinds

_KINDS = kinds("places.txt")
_STREETS, _STATES = ("|".join(_KINDS[one]) for one in ("street", "state"))
_CODE = r"(?: \d{5}(?:-\d{4})?| [A-Z]{1,2}\d[A-Z0-9]? ?\d[A-Z]{2}| [A-Z]\d[A-Z] ?\d[A-Z]\d)"
_TOWN = r"[A-Z][A-Za-z.'-]{1,24}(?: [A-Z][A-Za-z.'-]{1,24}){0,3}"
_FLAT = r"(?:,? {0,2}(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|Flat|#)\.? ?#?[A-Za-z0-9-]{1,8})?"
_REST = (
    rf"(?:,? {{0,2}}{_TOWN}(?:, ?(?:{_STATES})(?![A-Za-z]){_CODE}?| (?:{_STATES}){_CODE}|,? ?{_CODE})"
    rf"|, {_TOWN}(?=[.,;\n\x0b]|$))?"
)
_LANE = (
    rf"(?:[A-Z0-9][A-Za-z0-9.'-]{{0,24}} ){{1,4}}(?:{_STREETS})(?![A-Za-z])\.?(?: (?:North"
    rf"|South|East|West|[NSEW]{{1,2}})\b\.?)?"
)
_PATTERN = re.compile(
    rf"(?<![A-Za-z0-9_.-])\d{{1,6}}[A-Za-z]?(?:-\d{{1,4}})? {_LANE}{_FLAT}{_REST}"
    rf"|(?<![A-Za-z0-9_.-])(?:P\.? ?O\.? Box|Unit) \d{{1,6}}(?:,? {{0,2}}Box \d{{1,6}})?{_REST}"
    rf"|(?<![A-Za-z0-9_.-])(?:PSC \d{{1,5}}, Box \d{{1,6}}|US(?:NS|S|CGC|NV) "
    rf"[A-Z][a-z]{{1,20}}),? {{0,2}}(?:[AFD]PO),? (?:AA|AE|AP) \d{{5}}"
)


class EnglishAddresses:
    """Addresses of the United States and those written like them."""

    type = "ADDRESS"

    def find(self, text: str) -> Iterator[Finding]:
        for match in _PATTERN.finditer(text):
            end = match.end()
            while text[end - 1] in " ,.":
                end -= 1
            yield Finding(match.start(), end, self.type, 0.9)
