"""Everything that tells about a person in lines of text, found by one configured object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hauberk.core.errors import check_known
from hauberk.privacy.text.finding import TYPES, Finding

LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Detector:
    """Finds what tells about people.

    Args:
        types: keys of ``TYPES`` to look for, and names of own patterns and lists; None for all.
        languages: of names and addresses: ``zh``, ``en``.
        patterns: the user's own regular expressions, each under the type that it finds.
        words: the user's own word lists, each under the type that it finds.

    Raises:
        UnknownName: a type or language that does not exist.
    """

    types: frozenset[str] | None = None
    languages: frozenset[str] = frozenset(LANGUAGES)
    patterns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_known(self.languages, LANGUAGES, what="language", where="Detector")
        known = {*TYPES, *self.patterns, *self.words}
        check_known(self.types or (), known, what="type", where="Detector")

    def find(self, line: str) -> list[Finding]:
        """The findings in one line, in order, none over another."""
        return []

    def find_all(self, lines: Sequence[str]) -> list[list[Finding]]:
        """The findings of each line of one document: a name that is certain in one line counts in all."""
        return [self.find(line) for line in lines]
