"""Everything that tells about a person in lines of text, found by one configured object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hauberk.core.errors import ConfigError, check_known
from hauberk.privacy.text.finding import TYPES, Finding
from hauberk.privacy.text.overlaps import resolve
from hauberk.privacy.text.own import OwnPattern, OwnWords, check_own_types
from hauberk.privacy.text.page import Page
from hauberk.privacy.text.recogniser import Recogniser

LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Detector:
    """Finds what tells about people.

    Args:
        types: keys of ``TYPES`` to look for, and names of own patterns and lists; None for all.
        languages: of names and addresses: ``zh``, ``en``.
        patterns: the user's own regular expressions (RE2), each under the type that it finds.
        words: the user's own word lists, each under the type that it finds.
        others: recognisers of other libraries, such as ``presidio.from_presidio`` gives.

    Raises:
        UnknownName: a type or language that does not exist.
        ConfigError: an own pattern that cannot be used.

    Limits: a name that is also a word (高峰, Will) is found where the words beside it speak for a name; people
        who are described and not named are not found.
    """

    types: frozenset[str] | None = None
    languages: frozenset[str] = frozenset(LANGUAGES)
    patterns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: tuple[Recogniser, ...] = ()

    def __post_init__(self) -> None:
        check_known(self.languages, LANGUAGES, what="language", where="Detector")
        check_own_types(self.patterns, self.words)
        known = {*TYPES, *self.patterns, *self.words, *(one.type for one in self.others)}
        check_known(self.types or (), known, what="type", where="Detector")
        if self.types is not None and not self.types:
            raise ConfigError("Detector: types is empty, so that nothing can be found")
        self._own  # noqa: B018  # a pattern that cannot be used is refused here

    def find(self, line: str) -> list[Finding]:
        """The findings in one line, in order, none over another."""
        return self.find_all([line])[0]

    def find_all(self, lines: Sequence[str], *, label: str = "") -> list[list[Finding]]:
        """The findings of each line of one document: a name that is certain in one line counts in all.

        Args:
            lines: without the line feeds that end them; one inside, as in a table's cell, ends nothing.
            label: what stands over a column of cells, read as if it stood before each.

        Cost: time and memory grow with the number of characters, whatever they are.
        """
        lead = f"{label}：" if label else ""
        page = Page.of(lead + one for one in lines) if lead else Page.of(lines)
        found = [one for each in self._recognisers for one in each.find(page.text)]
        by_line = page.split(resolve(found))
        return [_behind(each, len(lead)) for each in by_line] if lead else by_line

    def _wants(self, type: str) -> bool:
        return self.types is None or type in self.types

    @cached_property
    def _own(self) -> tuple[Recogniser, ...]:
        made: list[Recogniser] = [OwnPattern(type, one) for type, one in self.patterns.items()]
        made += [OwnWords(type, tuple(one)) for type, one in self.words.items()]
        return tuple(one for one in made if self._wants(one.type))

    @cached_property
    def _recognisers(self) -> tuple[Recogniser, ...]:
        from hauberk.privacy.text.addresses import ChineseAddresses, EnglishAddresses
        from hauberk.privacy.text.names import ChineseNames, EnglishNames
        from hauberk.privacy.text.structured import RULES

        made: list[Recogniser] = [one for one in RULES if self._wants(one.type)]
        by_language: dict[str, tuple[Callable[[], Recogniser], ...]] = {
            "zh": (ChineseAddresses, ChineseNames),
            "en": (EnglishAddresses, EnglishNames),
        }
        for language in LANGUAGES:
            if language in self.languages:
                made += [one for kind in by_language[language] if self._wants((one := kind()).type)]
        return (*made, *self._own, *(one for one in self.others if self._wants(one.type)))


def _behind(found: list[Finding], lead: int) -> list[Finding]:
    """Without what stands in the label, which is nobody's."""
    return [
        Finding(one.start - lead, one.end - lead, one.type, one.score) for one in found if one.start >= lead
    ]
