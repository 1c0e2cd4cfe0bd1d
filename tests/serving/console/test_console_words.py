"""Every word of the console stands in both languages, and every word that a page asks for is there."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Formatter

import pytest

from hauberk.serving.console.registry import PAGES
from hauberk.serving.console.words import CATALOGUE, SECTIONS, Words, wanted

_LITERAL = re.compile(r"""\bt\(\s*["']([a-z_.0-9]+)["']""")
_COUNTED = re.compile(r"""\bt\.count\(\s*["']([a-z_.0-9]+)["']""")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_with_the_same_places() -> None:
    english, chinese = CATALOGUE["en"], CATALOGUE["zh"]
    assert english.keys() == chinese.keys()
    dated = {"time.at"}
    for key, text in english.items():
        one = key.endswith(".one")
        found, meant = places(chinese[key]), places(text)
        assert found == meant or (one and found - {"n"} == meant - {"n"}) or key in dated, key


def test_no_key_stands_in_two_sections() -> None:
    for name in ("ENGLISH", "CHINESE"):
        keys = [key for section in SECTIONS for key in getattr(section, name)]
        assert len(keys) == len(set(keys))


def test_what_is_counted_has_both_forms() -> None:
    for catalogue in CATALOGUE.values():
        for key in catalogue:
            if key.endswith(".one"):
                assert f"{key[:-4]}.other" in catalogue


def test_chinese_is_chinese() -> None:
    same = {"none", "product", "language.other", "language.switch"}
    for key, text in CATALOGUE["zh"].items():
        if key not in same and not key.startswith("month."):
            assert re.search(r"[\u4e00-\u9fff]", text) or text == CATALOGUE["en"][key], key
            assert not re.search(r"[\u4e00-\u9fff][,;:!?]", text), f"{key}: a half-width mark after a character"


def test_templates_ask_for_words_that_are_there() -> None:
    templates = [one for one in files("hauberk.serving.console").joinpath("templates").iterdir()]
    assert templates
    for template in templates:
        text = template.read_text("utf-8")
        for key in _LITERAL.findall(text):
            assert key.endswith(".") or key in CATALOGUE["en"], f"{template.name}: {key}"
        for key in _COUNTED.findall(text):
            assert f"{key}.one" in CATALOGUE["en"], f"{template.name}: {key}"


def test_pages_have_their_words() -> None:
    for page in PAGES:
        if page.under is None:
            assert f"{page.name}.nav" in CATALOGUE["en"]


@pytest.mark.parametrize(
    ("header", "cookie", "lang"),
    [
        ("", None, "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", None, "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", None, "en"),
        ("fr,zh;q=0.3", None, "zh"),
        ("fr", None, "en"),
        ("zh;q=0", None, "en"),
        ("zh;q=x,en;q=0.1", None, "en"),
        ("zh", "en", "en"),
        ("en", "zh", "zh"),
        ("en", "xx", "en"),
        (",;q=," * 400, None, "en"),
    ],
)
def test_the_language_is_the_one_that_is_asked_for(header: str, cookie: str | None, lang: str) -> None:
    assert wanted(header, cookie) == lang


def test_numbers_choose_their_form() -> None:
    words = Words("en")
    assert words.count("time.minutes", 1) == "a minute ago"
    assert words.count("time.minutes", 12) == "12 minutes ago"
    assert words.count("trail.waiting", 1234) == "1,234 lines wait for the ledger."
