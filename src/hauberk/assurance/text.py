"""A sentence in English and in Chinese: what a rule says has to be read by whoever must act on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hauberk.core.errors import DataError

Lang = Literal["en", "zh"]
LANGUAGES: tuple[Lang, ...] = ("en", "zh")


@dataclass(frozen=True)
class Text:
    """One sentence in each language; ``text.format(count=3)`` fills the places of both.

    A place that is filled with a text takes the words of its own language.
    """

    en: str
    zh: str

    def __call__(self, lang: Lang) -> str:
        return self.en if lang == "en" else self.zh

    def format(self, **values: object) -> Text:
        en, zh = (
            {name: one(lang) if isinstance(one, Text) else one for name, one in values.items()}
            for lang in LANGUAGES
        )
        return Text(self.en.format_map(en), self.zh.format_map(zh))

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


def many(count: float, noun: str, nouns: str | None = None) -> str:
    """A count with its English noun: 1 document, 2 documents; Chinese nouns have one form."""
    told = f"{count:.0f}"
    return f"{told} {noun if told == '1' else nouns or noun + 's'}"


def same(words: str) -> Text:
    """What reads alike in both languages: a figure, a digest, a name."""
    return Text(words, words)
