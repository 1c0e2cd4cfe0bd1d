"""Every visible sentence of a report, in each language, through one lookup that fails on a missing key."""

from __future__ import annotations

from typing import Literal

from hauberk.core.errors import check_known
from hauberk.reports import words_audit_en, words_audit_zh
from hauberk.reports.words_en import ENGLISH
from hauberk.reports.words_zh import CHINESE

Lang = Literal["en", "zh"]
CATALOGUE = {"en": ENGLISH | words_audit_en.ENGLISH, "zh": CHINESE | words_audit_zh.CHINESE}
HTML_LANG = {"en": "en", "zh": "zh-Hans"}


class Words:
    """The sentences of one language: ``words("verdict.broken", name=..., clean=...)``.

    Raises:
        UnknownName: a language that has no catalogue.
    """

    def __init__(self, lang: str) -> None:
        check_known([lang], CATALOGUE, what="language", where="report")
        self.lang = lang
        self._sentences = CATALOGUE[lang]

    def __call__(self, key: str, **values: object) -> str:
        """The sentence with its places filled.

        Raises:
            KeyError: no such sentence, or a place without a value; both are mistakes in this package.
        """
        return self._sentences[key].format_map(values)

    def __contains__(self, key: str) -> bool:
        return key in self._sentences
