"""The page in a real browser: no request, no error, no overflow, in both languages and two sizes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hauberk.core.evidence import Evidence
from hauberk.reports import render_html


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_in_chromium(lang: str, width: int, all_kinds: list[Evidence], tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "Chromium is missing; apt-get install chromium"
        if os.environ.get("HAUBERK_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    page_file = tmp_path / "report.html"
    page_file.write_text(render_html(all_kinds, lang=lang), "utf-8")  # type: ignore[arg-type]
    said: list[str] = []
    asked: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
        )
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())
        across = page.evaluate("document.documentElement.scrollWidth")
        heading = page.inner_text("h1")
        images = page.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
        picture = page.screenshot(path=tmp_path / "page.png", full_page=True)
        browser.close()
    assert said == []
    assert asked == [page_file.as_uri()]
    assert across <= width
    assert heading
    assert images
    assert len(picture) > 50_000
