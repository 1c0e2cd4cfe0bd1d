"""Presidio, both ways: its recognisers in our detector, our detector among its recognisers.

    detector = Detector(others=from_presidio(UsPassportRecognizer()))
    registry.add_recognizer(to_presidio(Detector(), language="zh"))

Presidio's e-mail recogniser would fetch a list of public suffixes; both ways forbid that for the whole process,
and the list that came with the library is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hauberk.core.errors import DependencyMissing
from hauberk.privacy.text.detector import Detector
from hauberk.privacy.text.finding import TYPES, Finding

if TYPE_CHECKING:
    from presidio_analyzer import EntityRecognizer

ENTITIES = {
    "NAME": "PERSON",
    "EMAIL": "EMAIL_ADDRESS",
    "CARD": "CREDIT_CARD",
    "MOBILE": "PHONE_NUMBER",
    "LANDLINE": "PHONE_NUMBER",
    "PHONE": "PHONE_NUMBER",
    "IP": "IP_ADDRESS",
    "MAC": "MAC_ADDRESS",
    "SSN": "US_SSN",
    "IBAN": "IBAN_CODE",
    "ADDRESS": "LOCATION",
}
"""Presidio's word for our types, where it has one."""

_TYPES = {entity: type for type, entity in ENTITIES.items()} | {"PHONE_NUMBER": "PHONE"}


def _offline() -> None:
    """Presidio is there, and the list of public suffixes is never fetched.

    Raises:
        DependencyMissing: it is not installed.
    """
    try:
        import presidio_analyzer  # noqa: F401
        import tldextract
    except ImportError as error:
        raise DependencyMissing.extra("Presidio", "presidio") from error
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@dataclass(frozen=True)
class FromPresidio:
    """One entity of one of Presidio's recognisers, under our word for it or its own.

    Limits: recognisers that need a language model find nothing, for none is run. Time is Presidio's: some of
        its patterns take long on long lines.
    """

    recognizer: Any
    entity: str

    @property
    def type(self) -> str:
        return _TYPES.get(self.entity, self.entity)

    def find(self, text: str) -> Iterator[Finding]:
        for one in self.recognizer.analyze(text, [self.entity], None) or ():
            if one.entity_type == self.entity and one.score > 0 and "\n" not in text[one.start : one.end]:
                yield Finding(one.start, one.end, self.type, min(1.0, one.score))


def from_presidio(recognizer: EntityRecognizer) -> tuple[FromPresidio, ...]:
    """What Presidio's recogniser finds, for ``Detector(others=...)``.

    Raises:
        DependencyMissing: Presidio is not installed.
    """
    _offline()
    return tuple(FromPresidio(recognizer, one) for one in recognizer.supported_entities)


def to_presidio(detector: Detector | None = None, *, language: str = "en") -> EntityRecognizer:
    """A recogniser for Presidio's registry that finds what ``detector`` finds.

    Args:
        language: under which Presidio asks for it: ``en``, ``zh``.

    Raises:
        DependencyMissing: Presidio is not installed.
    """
    _offline()
    from presidio_analyzer import EntityRecognizer, RecognizerResult

    asked = detector or Detector()

    class HauberkRecognizer(EntityRecognizer):
        """Our detector under Presidio's words."""

        def load(self) -> None:
            """Nothing: the tables are read with the first text."""

        def analyze(
            self, text: str, entities: list[str], nlp_artifacts: object = None
        ) -> list[RecognizerResult]:
            lines = text.split("\n")
            results, start = [], 0
            for line, found in zip(lines, asked.find_all(lines), strict=True):
                for one in found:
                    entity = ENTITIES.get(one.type, one.type)
                    if not entities or entity in entities:
                        results.append(RecognizerResult(entity, start + one.start, start + one.end, one.score))
                start += len(line) + 1
            return results

    found = asked.types or {*TYPES, *asked.patterns, *asked.words, *(one.type for one in asked.others)}
    entities = sorted({ENTITIES.get(one, one) for one in found})
    made: EntityRecognizer = HauberkRecognizer(entities, name="Hauberk", supported_language=language)
    return made
