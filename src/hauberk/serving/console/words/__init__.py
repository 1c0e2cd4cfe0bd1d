"""Every visible sentence of the console in each language, through one lookup that fails on a missing key."""

from __future__ import annotations

from hauberk.serving.console.pages import Concern
from hauberk.serving.console.words import (
    access,
    backups,
    budgets,
    evaluations,
    frame,
    ledger,
    models,
    overview,
    traffic,
    trail,
)

SECTIONS = (frame, overview, models, evaluations, traffic, access, trail, ledger, budgets, backups)
CATALOGUE: dict[str, dict[str, str]] = {
    "en": {key: text for one in SECTIONS for key, text in one.ENGLISH.items()},
    "zh": {key: text for one in SECTIONS for key, text in one.CHINESE.items()},
}
HTML_LANG = {"en": "en", "zh": "zh-Hans"}


class Words:
    """The sentences of one language: ``t("access.keys", name=...)``."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._sentences = CATALOGUE[lang]

    def __call__(self, key: str, /, **values: object) -> str:
        """The sentence with its places filled.

        Raises:
            KeyError: no such sentence, or a place without a value; both are mistakes in this package.
        """
        return self._sentences[key].format_map(values)

    def __contains__(self, key: str) -> bool:
        return key in self._sentences

    def count(self, key: str, count: int, /, **values: object) -> str:
        """``key.one`` or ``key.other``, with ``{n}`` for the number."""
        return self(f"{key}.{'one' if count == 1 else 'other'}", n=f"{count:,}", **values)

    def of(self, concern: Concern) -> str:
        """What a concern says."""
        count = concern.values.get("count")
        if count is None:
            return self(concern.key, **concern.values)
        return self.count(concern.key, count, **concern.values)


def wanted(header: str, cookie: str | None) -> str:
    """The language: what the viewer chose, else what his browser asks for first, else English."""
    if cookie in CATALOGUE:
        return str(cookie)
    best, lang = 0.0, "en"
    for part in header[:200].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        known = name.partition("-")[0].lower()
        if known in CATALOGUE and quality > best:
            best, lang = quality, known
    return lang
