"""Presidio both ways, without a language model and without the network."""

from __future__ import annotations

import socket
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from hauberk.core.errors import DependencyMissing
from hauberk.privacy.text.detector import Detector
from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.presidio import from_presidio, to_presidio


@pytest.fixture
def presidio(absent: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it imports warns of its own changes
        try:
            import presidio_analyzer
        except ImportError:
            absent("presidio-analyzer", "pip install 'hauberk[presidio]'")

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("somebody called out")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return presidio_analyzer


@pytest.fixture
def engine(presidio: Any) -> Any:
    import spacy
    from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

    class NoModel(NlpEngine):  # type: ignore[misc]
        """Words and nothing else."""

        def load(self) -> None:
            self.blank = {language: spacy.blank(language) for language in ("en",)}

        def is_loaded(self) -> bool:
            return True

        def process_text(self, text: str, language: str) -> NlpArtifacts:
            words = spacy.blank("en")(text)
            return NlpArtifacts([], words, [one.idx for one in words], [], self, language)

        def process_batch(
            self, texts: Iterable[str], language: str, *args: Any, **kwargs: Any
        ) -> Iterator[Any]:
            return ((one, self.process_text(one, language)) for one in texts)

        def is_stopword(self, word: str, language: str) -> bool:
            return False

        def is_punct(self, word: str, language: str) -> bool:
            return False

        def get_supported_entities(self) -> list[str]:
            return []

        def get_supported_languages(self) -> list[str]:
            return ["en", "zh"]

    return NoModel()


def test_ours_there(presidio: Any, engine: Any) -> None:
    registry = presidio.RecognizerRegistry([to_presidio(language="zh")], supported_languages=["zh"])
    analyzer = presidio.AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["zh"])
    text = "今天\n患者张伟，手机13800138000\n身份证110101199003070011"
    found = analyzer.analyze(text, language="zh")
    assert {(one.entity_type, text[one.start : one.end]) for one in found} == {
        ("PERSON", "张伟"), ("PHONE_NUMBER", "13800138000"), ("ID", "110101199003070011"),
    }  # fmt: skip
    only = analyzer.analyze(text, language="zh", entities=["PERSON"])
    assert [text[one.start : one.end] for one in only] == ["张伟"]


def test_theirs_here(presidio: Any) -> None:
    from presidio_analyzer.predefined_recognizers import CryptoRecognizer, EmailRecognizer

    others = (*from_presidio(CryptoRecognizer()), *from_presidio(EmailRecognizer()))
    coin = "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ"
    line = f"pay {coin} or john@example.com"
    found = Detector(types=frozenset({"CRYPTO", "EMAIL"}), others=others).find_all(["", line])[1]
    assert [(one.type, one.of(line)) for one in found] == [("CRYPTO", coin), ("EMAIL", "john@example.com")]


def test_what_goes_over_lines_is_left(presidio: Any) -> None:
    class Greedy:
        supported_entities: tuple[str, ...] = ("ALL",)

        def analyze(self, text: str, entities: list[str], artifacts: None) -> list[Any]:
            return [presidio.RecognizerResult("ALL", 0, len(text), 0.5)]

    detector = Detector(types=frozenset({"ALL"}), others=from_presidio(Greedy()))  # type: ignore[arg-type]
    assert detector.find("ab") == [Finding(0, 2, "ALL", 0.5)]
    assert detector.find_all(["ab", "cd"]) == [[], []]


def test_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(DependencyMissing) as caught:
        to_presidio()
    assert caught.value.hint == "pip install 'hauberk[presidio]'"
