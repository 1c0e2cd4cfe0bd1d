"""Reports say what the evidence says, load nothing, and believe nothing."""

from __future__ import annotations

import json
import re
import string
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_evidence import curve, evaluation, history, imported, sample, single, whole_life
from PIL import Image

from hauberk.core.errors import DataError, UnknownName
from hauberk.core.evidence import KINDS, Evidence
from hauberk.reports import render_html, render_json, save_pictures
from hauberk.reports.words_en import ENGLISH
from hauberk.reports.words_zh import CHINESE


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_page_loads_nothing_and_runs_nothing(lang: str, life: list[Evidence]) -> None:
    page = render_html(life, lang=lang, command="hauberk run x.toml")  # type: ignore[arg-type]
    assert "default-src 'none'" in page
    assert "<script" not in page
    for address in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert address.startswith(("data:image/png;base64,", "data:,", "#")), address
    assert "url(" not in page
    assert "hauberk run x.toml" in page


def test_figures_are_those_of_the_evidence(life: list[Evidence]) -> None:
    page = render_html(life)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u202f", " ").replace("\xa0", " ")
    for one in life:
        if one.kind == "evaluation":
            for share in (one.result["clean_accuracy"], one.result["robust_accuracy"]):
                assert f"{share * 100:.1f} %" in text or f"{share * 100:.1f}%" in text, share
    document = render_json(life)
    assert document["schema"] == "hauberk-report/1"
    assert json.loads(json.dumps(document)) == document
    worst = {one.subject["name"]: one.result["robust_accuracy"] for one in life if one.kind == "evaluation"}
    assert all(f"{share}" in json.dumps(document) for share in worst.values())


def test_it_says_why_fgsm_alone_misleads_only_where_it_does(life: list[Evidence]) -> None:
    assert 'id="fgsm"' in render_html(life)
    hardened = [one for one in life if one.subject["name"] == "hardened"]
    assert 'id="fgsm"' not in render_html(hardened)


def test_labels_from_users_are_escaped() -> None:
    evil = "<script>alert(1)</script>"
    gallery = [sample(0, fooled=True, labels=(evil, "b"))]
    page = render_html([evaluation("hardened", result_gallery=gallery)], title=evil, command=evil)
    assert evil not in page
    assert "&lt;script&gt;" in page


def test_both_languages_have_the_same_words() -> None:
    assert ENGLISH.keys() == CHINESE.keys()
    for key in ENGLISH:
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(words[key]) if name}
            for words in (ENGLISH, CHINESE)
        ]
        assert fields[0] == fields[1], key


def test_language_changes_the_words_alone(life: list[Evidence]) -> None:
    page = render_html(life, lang="zh")
    assert "最坏情况" in page
    assert 'lang="zh' in page
    assert "Worst case" not in page
    with pytest.raises(UnknownName):
        render_html(life, lang="de")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "evidence",
    [
        [evaluation("undefended")],
        [curve("hardened")],
        [history("hardened", "hardening", robust=True)],
        [history("plain", "training", robust=False, epochs=1)],
        [single("undefended")],
        [imported("mine")],
        [imported("weights only", compared=False)],
        [evaluation("hardened", result_gallery=[])],
        [evaluation("hardened", result_attacks=[])],
    ],
    ids=lambda one: one[0].kind,
)
def test_missing_parts_are_left_out(evidence: list[Evidence], tmp_path: Path) -> None:
    assert "<html" in render_html(evidence)
    assert render_json(evidence)["schema"]
    save_pictures(evidence, tmp_path)


def test_no_evidence_is_refused() -> None:
    with pytest.raises(DataError):
        render_html([])


def test_the_later_of_two_answers_wins(life: list[Evidence]) -> None:
    newer = evaluation("hardened", result_robust_accuracy=0.123, created="2026-02-01T00:00:00Z")
    page = render_html([*life, newer])
    assert "12.3" in page
    assert newer.digest[7:19] in page


BROKEN = [
    ("robust_accuracy", "high"),
    ("robust_accuracy", None),
    ("attacks", {"name": "x"}),
    ("attacks", [{"name": "pgd"}]),
    ("gallery", [{"index": 0}]),
    ("flags", [{"code": 5}]),
    ("clean_interval", [0.1]),
]


@pytest.mark.parametrize(("key", "value"), BROKEN)
def test_malformed_evidence_gives_one_clear_error(key: str, value: object) -> None:
    bad = evaluation("hardened", **{f"result_{key}": value})
    with pytest.raises(DataError, match=key) as caught:
        render_html([bad])
    assert bad.digest[7:15] in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"data": "AAAA"}, {"shape": [1, 99999, 99999]}, {"shape": [1, -8, 8]}, {"data": 5}]
)
def test_images_are_not_trusted(change: dict[str, object]) -> None:
    one = sample(0, fooled=True)
    one["original"] = {**one["original"], **change}
    with pytest.raises(DataError):
        render_html([evaluation("hardened", result_gallery=[one])])


def test_pictures_are_whole(life: list[Evidence], tmp_path: Path) -> None:
    paths = save_pictures(life, tmp_path)
    names = {path.name for path in paths}
    assert {"story.png", "curves.svg", "training.svg"} <= names
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert min(image.size) > 100
                assert len(image.convert("RGB").getcolors(1 << 20) or []) > 20
        else:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_colour_images_too(tmp_path: Path) -> None:
    gallery = [sample(index, fooled=True, shape=(3, 32, 32)) for index in range(3)]
    evidence = [evaluation("hardened", result_gallery=gallery)]
    assert "data:image/png" in render_html(evidence)
    assert save_pictures(evidence, tmp_path)


def test_evidence_is_left_as_it_was() -> None:
    before = [one.to_json() for one in whole_life()]
    life = whole_life()
    render_html(life)
    assert [one.to_json() for one in life] == before
    assert replace(life[0]) == life[0]


@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_kind_of_evidence_has_a_name(words: dict[str, str]) -> None:
    assert {f"kind.{one}" for one in KINDS} <= words.keys()
