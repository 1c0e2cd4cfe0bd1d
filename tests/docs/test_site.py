"""The site is built strictly, without a network; its links lead somewhere, and it fetches nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parent.parent.parent
_NOBODY = "http://127.0.0.1:9"  # a proxy that does not answer: whoever fetches something fails
PARTS = ("mkdocs", "material", "mkdocs_static_i18n", "mkdocstrings", "jieba")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, absent: Callable[[str, str], None]) -> Path:
    for part in PARTS:
        if find_spec(part) is None:
            absent(part, "pip install 'hauberk[docs]'")
    out = tmp_path_factory.mktemp("site")
    said = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=400,
        env={
            **os.environ, "NO_MKDOCS_2_WARNING": "1", "TMPDIR": str(tmp_path_factory.mktemp("jieba")),
            "https_proxy": _NOBODY, "http_proxy": _NOBODY,
        },
    )  # fmt: skip
    assert said.returncode == 0, said.stderr[-4000:]
    return out


def references(page: str) -> list[str]:
    return re.findall(r'\b(?:href|src)="([^"]*)"', page)


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = path.read_text("utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]*\bsrc="([^"]*)"', page)
        loaded += re.findall(r'<link[^>]*\brel="(?:stylesheet|preconnect|icon)"[^>]*>', page)
        assert not [one for one in loaded if re.search(r"(?:https?:)?//", one)], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", path.read_text("utf-8")), path


@pytest.mark.slow
def test_every_link_leads_somewhere(site: Path) -> None:
    names: dict[Path, set[str]] = {}
    for path in site.rglob("*.html"):
        names[path.resolve()] = set(re.findall(r'\b(?:id|name)="([^"]+)"', path.read_text("utf-8")))
    for path in site.rglob("*.html"):
        if path.name == "404.html":
            continue
        for link in references(path.read_text("utf-8")):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            target = place / "index.html" if place.is_dir() else place
            assert target.exists(), f"{link} in {path.relative_to(site)}"
            if parts.fragment and target in names and not parts.fragment.startswith("__"):
                assert unquote(parts.fragment) in names[target], f"{link} in {path.relative_to(site)}"


@pytest.mark.slow
def test_search_knows_both_languages(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_bytes())
    assert index["config"]["lang"] == ["en", "zh"]
    words = " ".join(one["text"] for one in index["docs"])
    assert "worst case" in words
    assert "退出\u200b码" in words  # cut into words, by which it is found


def test_every_page_is_on_the_site(absent: Callable[[str, str], None]) -> None:
    """A page that nobody can find is not written down."""
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8")))
    pages = {str(one.relative_to(ROOT / "docs")) for one in (ROOT / "docs").rglob("*.md")}
    assert pages - named == {one for one in pages if one.endswith(".zh.md")}
