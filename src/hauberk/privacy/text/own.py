"""The user's own patterns and word lists.

Patterns are RE2's: it looks at each character once whatever the pattern, so none of them can hang; what it
does not know (looking around, back references) is refused when the detector is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.core.errors import ConfigError, DependencyMissing
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.page import fold

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")  # no UTF-8 has them
_MOST_MEMORY = 64 << 20


class OwnPattern:
    """One pattern under the type that it finds.

    Raises:
        ConfigError: no pattern of RE2, or one that finds nothing at all (an empty match).
        DependencyMissing: RE2 is not installed.
    """

    def __init__(self, type: str, pattern: str) -> None:
        self.type = type
        self._pattern = _compiled(type, pattern)

    def find(self, text: str) -> Iterator[Finding]:
        readable = _LONE_SURROGATES.sub("\ufffd", text)
        for match in self._pattern.finditer(readable):
            if match.end() > match.start():
                yield Finding(match.start(), match.end(), self.type, 0.9)


def _compiled(type: str, pattern: str) -> Any:
    try:
        import re2
    except ImportError as error:
        raise DependencyMissing.extra("an own pattern", "text") from error
    options = re2.Options()
    options.log_errors, options.never_nl, options.max_mem = False, True, _MOST_MEMORY
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if error.args else "it cannot be read"
        raise ConfigError(
            f"own pattern '{type}': {reason}", hint="patterns are RE2's: no looking around, no back references"
        ) from error
    if compiled.search(""):
        raise ConfigError(f"own pattern '{type}' matches where nothing is")
    return compiled


class OwnWords:
    """One word list under the type that it finds; letters match in either case, and only whole words."""

    def __init__(self, type: str, words: tuple[str, ...]) -> None:
        self.type = type
        if not words or any(not isinstance(one, str) or not one.strip() for one in words):
            raise ConfigError(f"own word list '{type}' needs words, none of them empty")
        longest_first = sorted({fold(one.strip()) for one in words}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_whole, longest_first)), re.IGNORECASE)

    def find(self, text: str) -> Iterator[Finding]:
        for match in self._pattern.finditer(text):
            yield Finding(match.start(), match.end(), self.type, 0.9)


def _whole(word: str) -> str:
    """A word of letters does not begin or end inside another; Chinese knows no such border."""
    begin = r"(?<![A-Za-z0-9_])" if word[0].isascii() and word[0].isalnum() else ""
    end = r"(?![A-Za-z0-9_])" if word[-1].isascii() and word[-1].isalnum() else ""
    return f"{begin}{re.escape(word)}{end}"


def check_own_types(patterns: Mapping[str, str], words: Mapping[str, tuple[str, ...]]) -> None:
    """Types of one's own are named in capitals, so that reports and tags read alike."""
    for one in (*patterns, *words):
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,31}", one):
            raise ConfigError(f"own type '{one}' must be capitals, digits and _, at most 32", type=one)
    twice = sorted(patterns.keys() & words.keys())
    if twice:
        raise ConfigError(f"own type '{twice[0]}' is both a pattern and a word list")
