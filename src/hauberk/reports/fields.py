"""Reading evidence that may be malformed: every value is asked for by name, type and range.

Evidence comes from files that anybody may have written. What does not fit its schema ends in one
``DataError`` that names the document (by digest) and the key, never in a ``KeyError`` somewhere below.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any, NoReturn

from hauberk.core.errors import DataError
from hauberk.core.evidence import Evidence

LONGEST_TEXT = 2000  # characters; a longer one is an accident or an attack on the reader
MOST_ITEMS = 100_000  # of any list
_NAMED = ("name", "attack", "type", "method")  # where a recipe may keep its own name


class Fields:
    """One JSON object inside one evidence document, read key by key.

    Args:
        value: the object.
        digest: of the whole document, for the error message.
        path: where the object stands in it, such as ``result.attacks[2]``.
    """

    def __init__(self, value: Any, *, digest: str, path: str = "") -> None:
        self.digest = digest
        self.path = path
        if not isinstance(value, Mapping):
            self.fail("", "an object", value)
        self._value = value

    @classmethod
    def of(cls, evidence: Evidence) -> Fields:
        """The whole document."""
        try:
            document = evidence.to_json()
        except (TypeError, ValueError) as error:  # also core's DataError: NaN, not JSON
            raise DataError(f"an evidence document of kind '{evidence.kind}' is malformed: {error}") from error
        return cls(document, digest=document["digest"])

    def fail(self, key: str, expected: str, got: object) -> NoReturn:
        """Raise the one error this class knows."""
        where = self._where(key)
        shown = repr(got) if len(repr(got)) <= 60 else f"{repr(got)[:57]}..."
        raise DataError(
            f"evidence {self.digest}: '{where}' should be {expected}, got {shown}",
            digest=self.digest,
            key=where,
        )

    def _where(self, key: str) -> str:
        return ".".join(part for part in (self.path, key) if part) or "document"

    def _get(self, key: str) -> Any:
        if key not in self._value:
            where = self._where(key)
            raise DataError(f"evidence {self.digest} lacks '{where}'", digest=self.digest, key=where)
        return self._value[key]

    def absent(self, key: str) -> bool:
        """Not there, or null."""
        return self._value.get(key) is None

    def names(self) -> list[str]:
        """The keys, in their own order."""
        return [str(name) for name in self._value]

    def raw(self, key: str) -> Any:
        """The value as it stands, for a reader with rules of its own."""
        return self._get(key)

    def section(self, key: str) -> Fields:
        """A nested object."""
        return Fields(self._get(key), digest=self.digest, path=self._where(key))

    def sections(self, key: str) -> list[Fields]:
        """A list of objects."""
        where = self._where(key)
        return [
            Fields(one, digest=self.digest, path=f"{where}[{index}]")
            for index, one in enumerate(self.listed(key))
        ]

    def listed(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self._get(key)
        if not isinstance(value, (list, tuple)) or len(value) > MOST_ITEMS:
            self.fail(key, f"a list of at most {MOST_ITEMS} items", value)
        return list(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        for one in self.listed(key):
            if not isinstance(one, str):
                self.fail(key, "a list of texts", one)
        return tuple(visible(one) for one in self.listed(key))

    def text(self, key: str) -> str:
        """A text, without invisible control characters."""
        value = self._get(key)
        if not isinstance(value, str):
            self.fail(key, "a text", value)
        return visible(value)

    def maybe_text(self, key: str) -> str | None:
        return None if self.absent(key) else self.text(key)

    def label(self, key: str) -> str:
        """A class: its name or its number."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            self.fail(key, "a label (text or whole number)", value)
        return visible(str(value))

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number from ``low`` to ``high``."""
        return self._number(key, self._get(key), low, high)

    def maybe_number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        return None if self.absent(key) else self.number(key, low, high)

    def _number(self, key: str, value: object, low: float, high: float) -> float:
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (plain and math.isfinite(float(value)) and low <= float(value) <= high):  # type: ignore[arg-type]
            self.fail(key, _range(low, high), value)
        return float(value)  # type: ignore[arg-type]

    def fraction(self, key: str) -> float:
        """An accuracy."""
        return self.number(key, 0, 1)

    def count(self, key: str) -> int:
        """A whole number from 0."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1 or value < 0:
            self.fail(key, "a whole number from 0", value)
        return int(value)

    def maybe_count(self, key: str) -> int | None:
        return None if self.absent(key) else self.count(key)

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            self.fail(key, "true or false", value)
        return value

    def interval(self, key: str) -> tuple[float, float]:
        """``[low, high]``, both accuracies."""
        value = self.listed(key)
        if len(value) != 2:
            self.fail(key, "an interval [low, high]", value)
        low, high = (self._number(key, one, 0, 1) for one in value)
        if low > high:
            self.fail(key, "an interval with low <= high", value)
        return low, high

    def pairs(self, key: str) -> list[tuple[float, float]]:
        """A list of ``[x, y]``, all of them shares."""
        for one in self.listed(key):
            if not isinstance(one, (list, tuple)) or len(one) != 2:
                self.fail(key, "a list of pairs [x, y]", one)
        return [(self._number(key, x, 0, 1), self._number(key, y, 0, 1)) for x, y in self.listed(key)]

    def recipe(self, key: str) -> tuple[str, str]:
        """An attack's name, and the whole recipe in one line: ``("PGD", "PGD(steps=40)")``."""
        value = self._get(key)
        if isinstance(value, str):
            return visible(value).split("(", 1)[0].strip() or "?", visible(value)
        if not isinstance(value, Mapping):
            self.fail(key, "a recipe (text or object)", value)
        named = next((one for one in _NAMED if isinstance(value.get(one), str)), None)
        rest = {name: one for name, one in value.items() if name != named and one is not None}
        name = visible(str(value.get(named, "?")))
        return name, visible(f"{name}({_settings(rest)})")


def _settings(value: Any) -> str:
    """``steps=40, restarts=5``; nested settings in brackets."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_inner(one)}" for name, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_inner(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _inner(value: Any) -> str:
    text = _settings(value)
    return f"({text})" if isinstance(value, (Mapping, list, tuple)) else text


def _range(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "a finite number"
    return f"a number from {low:g}" + ("" if math.isinf(high) else f" to {high:g}")


def visible(text: str) -> str:
    """The text as a reader sees it: no control characters, no direction overrides, not endless."""
    short = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
    return "".join("\ufffd" if _hides(letter) else letter for letter in " ".join(short.split()))


def _hides(letter: str) -> bool:
    category = unicodedata.category(letter)
    # overrides and isolates let "cat" be shown as "tac"; the joiners that scripts need are left alone
    return (
        category in ("Cc", "Cs")
        or letter in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )
