"""A sentence in English and in Chinese: what a rule says has to be read by whoever must act on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hauberk.core.errors import DataError

Lang = Literal["en", "zh"]
LANGUAGES: tuple[Lang, ...] = ("en", "zh")


@dataclass(frozen=True)
class Text:
    """One sentence in each language; ``text.format(count=3)`` fills the places of both."""

    en: str
    zh: str

    def __call__(self, lang: Lang) -> str:
        return self.en if lang == "en" else self.zh

    def format(self, **values: object) -> Text:
        return Text(self.en.format_map(values), self.zh.format_map(values))

    def to_json(self) -> dict[str, str]:
        return {"en": self.en, "zh": self.zh}

    @classmethod
    def from_json(cls, value: Any, *, where: str) -> Text:
        """Raises ``DataError``: not a text in each language."""
        if not isinstance(value, dict) or value.keys() != {"en", "zh"}:
            raise DataError(f"{where} must be a text in 'en' and 'zh', got {str(value)[:60]!r}")
        if not all(isinstance(one, str) and one for one in value.values()):
            raise DataError(f"{where} must be a text in 'en' and 'zh', got {str(value)[:60]!r}")
        return cls(**value)


def same(words: str) -> Text:
    """What reads alike in both languages: a figure, a digest, a name."""
    return Text(words, words)
