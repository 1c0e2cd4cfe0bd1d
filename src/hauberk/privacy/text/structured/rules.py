"""All rules, in one list; the order is no rank: the resolver decides between overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.structured import accounts, births, documents, online, phones, secrets, vehicles


class Recogniser(Protocol):
    """Finds one type in the text of a page."""

    @property
    def type(self) -> str: ...

    def find(self, text: str) -> Iterator[Finding]: ...


RULES: tuple[Recogniser, ...] = (
    *documents.RULES,
    *phones.RULES,
    *accounts.RULES,
    *vehicles.RULES,
    *online.RULES,
    *births.RULES,
    *secrets.RULES,
)
