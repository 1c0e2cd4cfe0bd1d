"""The page of an assessment in a real browser: three widths, both languages, and as pages of a PDF."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from made_evidence import curve, evaluation, whole_life
from made_verdict import REFUSED, WAIVERS, good, mixed, verdict

from hauberk.reports.audit import Event, render_audit


def page_of(lang: Any) -> str:
    measured = [evaluation("hardened"), curve("hardened")]
    events = [Event("2026-01-31T10:00:00Z", "entry 12", "ledger", digest=measured[0].digest)]
    return render_audit(
        verdict(mixed(measured[0].digest), waivers=WAIVERS, refused=REFUSED),
        [*whole_life(), *measured],
        lang=lang,
        against=verdict(good(), created="2026-01-01T00:00:00Z"),
        events=events,
        command="hauberk audit models/hardened --policy policy.toml --format html",
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        yield None
        return
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
        )
        yield started
        started.close()


@pytest.fixture
def show(browser: Any, absent: Callable[[str, str], None], tmp_path: Path) -> Callable[[str, int], Any]:
    if browser is None:
        absent("Chromium", "apt-get install chromium")

    def opened(lang: str, width: int) -> Any:
        file = tmp_path / f"{lang}.html"
        file.write_text(page_of(lang), "utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        return page

    return opened


@pytest.mark.parametrize("width", [390, 820, 1280])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_fits_and_asks_for_nothing(lang: str, width: int, show: Callable[[str, int], Any]) -> None:
    page = show(lang, width)
    assert page.said == []
    assert len(page.asked) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # what cannot be read whole: text that is wider than its box and hidden, or boxes that lie over each other
    assert page.evaluate(
        "[...document.querySelectorAll('.five .number')].every(one => one.scrollWidth <= one.clientWidth)"
    )
    tops = page.evaluate(
        "[...document.querySelectorAll('main > section')].map(one => one.getBoundingClientRect())"
    )
    assert all(a["bottom"] <= b["top"] + 1 for a, b in pairwise(tops))
    page.close()


def test_the_first_screen_has_the_answer_and_the_figures(show: Callable[[str, int], Any]) -> None:
    page = show("en", 1280)
    assert page.evaluate("document.querySelector('#five').getBoundingClientRect().bottom") < 900
    page.close()


def test_links_lead_to_what_they_name(show: Callable[[str, int], Any]) -> None:
    page = show("en", 1280)
    page.click("#do a >> nth=0")
    assert page.evaluate("location.hash") == "#r-integrity.signature"
    assert (
        page.evaluate("document.querySelector(':target h3').textContent")
        == "somebody you trust signed the package"
    )
    page.close()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pages_of_a_pdf(lang: str, show: Callable[[str, int], Any], tmp_path: Path) -> None:
    page = show(lang, 820)
    data = page.pdf(format="A4", print_background=True)
    pages = len(re.findall(rb"/Type\s*/Page\b", data))
    assert 4 <= pages <= 20
    # in print nothing may be wider than the paper: 210 mm less two margins of 14 mm, at 96 points an inch
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 688
    page.close()
