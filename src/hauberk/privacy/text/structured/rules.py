"""All rules, in one list; the order is no rank: the resolver decides between overlaps."""

from __future__ import annotations

from hauberk.privacy.text.recogniser import Recogniser
from hauberk.privacy.text.structured import accounts, births, documents, online, phones, secrets, vehicles

RULES: tuple[Recogniser, ...] = (
    *documents.RULES,
    *phones.RULES,
    *accounts.RULES,
    *vehicles.RULES,
    *online.RULES,
    *births.RULES,
    *secrets.RULES,
)
