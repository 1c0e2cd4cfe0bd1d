"""Results in notebooks: the figures are the evidence's, nothing in them acts, and Jupyter itself shows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest

import hauberk
from hauberk.attacks import FGSM
from hauberk.core.display import Card, facts_of, render, tables_of
from hauberk.core.evidence import Evidence
from hauberk.datasets import Dataset
from hauberk.evaluation import attack_report
from hauberk.models import Classifier
from hauberk.threats import ThreatModel

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>' onmouseover='alert(1)"
_VOID = {"img", "br", "meta"}


class Reader(HTMLParser):
    """Text and tags; every tag that opens must close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def test_an_evaluation_shows_the_evidences_figures(plain: Classifier, digits: Dataset) -> None:
    few = digits.head(16)
    found = hauberk.evaluate(plain, few.images, few.labels, hauberk.Linf(0.1), dataset=few, name="net")
    seen = read(found._repr_html_())
    text = " ".join(seen.text).replace("\u202f", " ")
    low, high = found.robust_interval
    for fact in (
        "net, L∞ radius 0.1", f"{found.robust_accuracy * 100:.1f} %", f"{low * 100:.1f}–{high * 100:.1f} %",
        found.evidence.digest, "HB103", *(row.name for row in found.attacks),
    ):  # fmt: skip
        assert fact in text
    assert "img" in seen.tags
    plainly = " ".join(read(found.evidence._repr_html_()).text)
    assert found.evidence.digest in plainly
    assert "robust accuracy" in plainly


def test_one_attack_says_that_it_is_one(plain: Classifier, digits: Dataset) -> None:
    few = digits.head(16)
    threat = ThreatModel(hauberk.Linf(0.1))
    text = " ".join(read(attack_report(plain, few, threat, FGSM())._repr_html_()).text)
    assert "one attack is not the worst case" in text
    raw = FGSM()(plain, few.images, few.labels, threat, seed=0)
    text = " ".join(read(raw._repr_html_()).text)
    fooled, right = int(raw.success.sum()), int((~raw.misclassified).sum())
    assert f"{fooled} of {right}" in text
    assert f"{raw.robust_accuracy:.1%}" in text


def test_a_verdict_shows_its_answer(plain_package: Path) -> None:
    from hauberk.assurance import load_policy
    from hauberk.assurance.auditing import audit
    from hauberk.assurance.gathering.gather import Sources

    verdict = audit(str(plain_package), load_policy(()), Sources(environment=False))
    text = " ".join(read(verdict._repr_html_()).text)
    assert not verdict.passed
    assert "NO does not meet the policy" in " ".join(text.split())
    assert all(one.rule in text for one in verdict.failing[:12])


def test_nothing_in_a_card_acts() -> None:
    card = Card(
        HOSTILE, HOSTILE, HOSTILE, (0.1, 0.2, 0.3), ((HOSTILE, HOSTILE),),
        ((HOSTILE, (HOSTILE,), ((HOSTILE,),)),), (HOSTILE,), ((HOSTILE, "data:text/html,x", HOSTILE),),
    )  # fmt: skip
    seen = read(render(card))
    assert seen.tags <= {"style", "div", "h4", "span", "i", "b", "table", "tr", "th", "td", "br"}
    assert seen.attributes <= {"class", "style", "aria-hidden"}
    assert "".join(seen.text).count(HOSTILE) == 10


def test_evidence_from_elsewhere_does_not_act() -> None:
    one = Evidence(
        kind="scan",
        subject={"name": HOSTILE},
        parameters={HOSTILE: HOSTILE},
        result={"findings": [{HOSTILE: HOSTILE, "n": 1}], HOSTILE: {HOSTILE: HOSTILE}},
    )
    seen = read(one._repr_html_())
    assert not seen.tags & {"script", "img", "iframe", "a"}
    assert not {name for name in seen.attributes if name.startswith("on")}


def test_long_results_are_cut() -> None:
    rows = [{"place": place, "name": "x" * 500} for place in range(400)]
    ((title, columns, cells),) = tables_of({"rows": rows, "gallery": rows, "verdicts": rows})
    assert (title, columns, len(cells)) == ("rows", ("place", "name"), 400)
    html = render(Card("h", tables=((title, columns, cells),)))
    assert "and 388 more" in html
    assert len(html) < 6000
    assert facts_of({"a": {"b_c": 0.123456}, "gallery": 1, "few": [1, 2]}) == [
        ("a b c", "0.1235"), ("few", "1, 2"),
    ]  # fmt: skip


RUN = """
import sys
import nbformat
from nbclient import NotebookClient

book = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(book, timeout=180, kernel_name="python3").execute()
nbformat.write(book, sys.argv[1])
"""


@pytest.mark.slow
def test_jupyter_shows_it(plain_package: Path, tmp_path: Path, absent: Callable[[str, str], None]) -> None:
    """A notebook, run by Jupyter's own client and kernel."""
    for part in ("nbclient", "ipykernel"):
        if find_spec(part) is None:
            absent(part, "pip install nbclient ipykernel")
    lines = [
        "import hauberk",
        "digits = hauberk.datasets.load('digits', split='test').head(8)",
        f"model = hauberk.load({str(plain_package)!r})",
        "hauberk.evaluate(model, digits.images, digits.labels, hauberk.Linf(0.1))",
    ]
    cell = {"cell_type": "code", "id": "one", "source": "\n".join(lines), "metadata": {}, "outputs": []}
    book = {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    place = tmp_path / "book.ipynb"
    place.write_text(json.dumps(book))
    own = {name: str(tmp_path / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")}
    said = subprocess.run(
        [sys.executable, "-c", RUN, str(place)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **own},
    )
    assert said.returncode == 0, said.stderr
    outputs = json.loads(place.read_text())["cells"][0]["outputs"]
    (shown,) = [one["data"] for one in outputs if one["output_type"] == "execute_result"]
    assert "right in the worst case" in "".join(shown["text/html"])
    assert "".join(shown["text/plain"]).startswith("Evaluation(8 samples")
