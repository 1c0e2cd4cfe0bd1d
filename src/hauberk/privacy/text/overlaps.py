"""Which of several findings over the same characters stays."""

from __future__ import annotations

from collections.abc import Iterable

from hauberk.privacy.text.finding import Finding

# What explains the characters best comes first: a checksum over one region and date before a checksum alone,
# a whole address before the numbers in it, and the user's own words before all.
_ORDER = (
    "EMAIL", "ID", "IBAN", "SECRET", "CREDIT_CODE", "MAC", "IP", "CARD", "SSN", "PERMIT", "PASSPORT", "MOBILE",
    "PLATE", "LANDLINE", "BIRTH_DATE", "WECHAT", "QQ", "ADDRESS", "PHONE", "NAME",
)  # fmt: skip
_RANK = {type: rank for rank, type in enumerate(_ORDER)}


def resolve(found: Iterable[Finding]) -> list[Finding]:
    """Findings in order, none over another.

    Cost: one sort; each finding is compared with those that it touches.
    """
    kept: list[Finding] = []
    for one in sorted(found, key=lambda each: (each.start, -each.end)):
        stays = True
        while kept and one.start < kept[-1].end:
            if not _beats(one, kept[-1]):
                stays = False
                break
            kept.pop()
        if stays:
            kept.append(one)
    return kept


def _beats(one: Finding, other: Finding) -> bool:
    return _order(one) < _order(other)


def _order(one: Finding) -> tuple[int, int, float]:
    return _RANK.get(one.type, -1), one.start - one.end, -one.score
