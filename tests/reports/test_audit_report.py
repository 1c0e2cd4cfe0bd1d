"""The page of an assessment: what it says follows from the verdict, and a verdict that lies is not shown."""

from __future__ import annotations

import re
import string
from html.parser import HTMLParser
from typing import Any

import pytest
from made_evidence import evaluation, record, whole_life
from made_verdict import REFUSED, RULES, WAIVERS, finding, good, mixed, rule, text, verdict

from hauberk.core.errors import DataError, IntegrityError, UnknownName
from hauberk.core.evidence import Evidence
from hauberk.reports.audit import Event, render_audit
from hauberk.reports.words_audit_en import ENGLISH
from hauberk.reports.words_audit_zh import CHINESE


class Reader(HTMLParser):
    """Texts, ids, links and classes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found.get("href")))
        self.outside += [str(found[key]) for key in ("src", "srcset", "action") if found.get(key)]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.fixture
def life() -> list[Evidence]:
    return whole_life()


def section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page, re.S)
    assert found is not None, name
    return found[0]


def test_both_languages_have_the_same_words_and_places() -> None:
    assert ENGLISH.keys() == CHINESE.keys()
    for key in ENGLISH:
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(one[key]) if name} for one in (ENGLISH, CHINESE)
        ]
        assert fields[0] == fields[1], key


@pytest.mark.parametrize(("lang", "yes", "no"), [("en", "Yes", "No"), ("zh", "通过", "不通过")])
def test_the_answer_stands_first(lang: Any, yes: str, no: str) -> None:
    bad = render_audit(verdict(mixed()), lang=lang)
    fine = render_audit(verdict(good()), lang=lang)
    assert f'<p class="word">{no}</p>' in bad
    assert f'<p class="word">{yes}</p>' in fine
    assert 'class="answer no"' in bad
    assert 'class="answer yes"' in fine


def test_what_to_do_is_what_is_open_the_gravest_first(life: list[Evidence]) -> None:
    todo = section(render_audit(verdict(mixed()), life), "do")
    order = re.findall(r"#r-([\w.-]+)", todo)
    assert order == [
        "integrity.signature", "privacy.membership", "environment.vulnerable-packages",
        "robustness.corruptions", "data.encrypted",
    ]  # fmt: skip
    assert "hauberk mend integrity.signature" in todo
    assert "(and 1 more)" in todo  # the second vulnerable package
    assert "Nothing is open" in section(render_audit(verdict(good())), "do")


def test_a_long_list_goes_on_below() -> None:
    rules = {f"area.rule-{n}": rule(f"area.rule-{n}", f"rule {n}", f"规则{n}") for n in range(12)}
    page = render_audit(verdict([finding(name, "failed") for name in rules], rules=rules))
    assert len(re.findall(r"#r-area", section(page, "do"))) == 8
    assert "4 more rules are open" in section(page, "do")


def test_five_figures(life: list[Evidence]) -> None:
    measured = evaluation("hardened")
    page = section(render_audit(verdict(mixed(measured.digest), refused=REFUSED), [*life, measured]), "five")
    numbers = re.findall(r'class="number (\w*)">(?:<a [^>]*>)?([^<]*)', page)
    # of ten rules that say something, five hold and one is waived; 77.5 % is the evaluation's own figure
    assert numbers == [("bad", "5 / 10"), ("good", "77.5\u202f%"), ("bad", "–"), ("bad", "2"), ("bad", "1")]
    assert "left out: 1" in page


def test_figures_of_documents_that_the_verdict_does_not_rest_on_are_not_shown(life: list[Evidence]) -> None:
    other = evaluation("undefended", result_robust_accuracy=0.123)
    assert "12.3\u202f%" not in render_audit(verdict(mixed()), [*life, other])


def test_what_others_speak_of_is_no_warning_and_what_was_edited_is() -> None:
    foreign = [{**REFUSED[0], "reason": "foreign"}]
    assert 'class="number bad">0' in render_audit(verdict(good(), refused=REFUSED))
    assert 'class="number ">0' in render_audit(verdict(good(), refused=foreign))


def test_every_claim_links_to_its_document(life: list[Evidence]) -> None:
    measured = evaluation("hardened")
    page = render_audit(verdict(mixed(measured.digest)), [*life, measured])
    reader = read(page)
    assert f"#e-{measured.digest[7:19]}" in reader.links
    inside = [one.removeprefix("#") for one in reader.links]
    assert set(inside) <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert measured.digest in page
    assert "hauberk verify audit.json" in page


def test_a_document_that_is_not_at_hand_is_marked() -> None:
    missing = "sha256:" + "7" * 64
    page = render_audit(verdict(mixed(missing)))
    assert f'title="{missing} (not among these documents)"' in page
    assert "#e-777777777777" not in page
    assert set(one.removeprefix("#") for one in read(page).links) <= set(read(page).ids)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_everything_of_a_finding_is_there(lang: Any) -> None:
    page = read(render_audit(verdict(mixed(), waivers=WAIVERS, refused=REFUSED), lang=lang)).text
    place = 1 if lang == "en" else 2
    for one in RULES:
        assert one[place] in page
    for part in (
        "security@bank",
        "2026-03-01T00:00:00Z",
        "until the new key is there",
        "better.json",
        "AML.T0043",
    ):
        assert part in page
    assert ("changed after" if lang == "en" else "被改动") in page
    assert "40 %" in page


def test_changes_since_the_last_release() -> None:
    page = section(
        render_audit(verdict(mixed()), against=verdict(good(), created="2026-01-01T00:00:00Z")), "compare"
    )
    assert "Since the last release" in page
    rows = re.findall(r'<tr class="(\w+)"><th>([^<]*)<', page)
    assert [how for how, _ in rows].count("worse") == 5
    assert rows[0][1] == "Answer"
    back = section(render_audit(verdict(good()), against=verdict(mixed())), "compare")
    assert "Worse: 0. Better: 5." in back


def test_two_models_side_by_side() -> None:
    other = verdict(good(), target="undefended")
    page = section(render_audit(verdict(mixed()), against=other), "compare")
    assert "Side by side" in page
    assert "undefended" in page
    assert "different policies" not in page


def test_another_policy_is_said() -> None:
    policy = {
        "name": "lax", "digest": "sha256:" + "0" * 64, "profile": "low", "fail_at": "medium",
        "waivers_at_most_days": 9,
    }  # fmt: skip
    page = render_audit(verdict(mixed()), against=verdict(good(), policy=policy))
    assert "different policies (the other: lax)" in page


def test_the_timeline_is_in_order(life: list[Evidence]) -> None:
    measured = evaluation("hardened", created="2026-01-05T00:00:00Z")
    events = [
        Event("2026-01-20T00:00:00Z", "promoted to production", "vault", "ana"),
        Event("2026-01-10T00:00:00Z", "entry 7", "ledger", digest=measured.digest),
    ]
    page = section(render_audit(verdict(mixed(measured.digest)), [measured], events=events), "timeline")
    assert re.findall(r'class="when soft small">([^<]*)', page) == [
        "2026-01-05T00:00:00Z", "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", "2026-02-01T10:00:00Z",
    ]  # fmt: skip
    assert "promoted to production" in page
    assert "ana" in page


def test_nothing_on_the_page_comes_from_elsewhere(life: list[Evidence]) -> None:
    page = render_audit(verdict(mixed()), life, against=verdict(good()))
    reader = read(page)
    assert all(one.startswith("data:image/png;base64,") for one in reader.outside)
    assert all(one.startswith("#") for one in reader.links)
    assert "<script" not in page
    assert render_audit(verdict(mixed()), life, against=verdict(good())) == page


HOSTILE = "<script>alert(1)</script>\u202e{x} %s"


def test_foreign_words_are_shown_and_not_run() -> None:
    wild = finding("integrity.signature", "failed", seen=HOSTILE, fix=[HOSTILE])
    wild["subject"] = {"kind": HOSTILE, "name": HOSTILE, "digest": None}
    page = render_audit(
        verdict([wild, finding("integrity.evidence", "passed")], target=HOSTILE, changed=[HOSTILE]),
        events=[Event(HOSTILE, HOSTILE, HOSTILE, HOSTILE)],
        command=HOSTILE,
    )
    assert "<script" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("findings", [mixed(), good()], ids=["bad", "good"])
def test_a_verdict_that_contradicts_its_findings_is_not_shown(findings: list[dict[str, Any]]) -> None:
    right = verdict(findings).result["passed"]
    with pytest.raises(IntegrityError, match="another answer"):
        render_audit(verdict(findings, passed=not right))


@pytest.mark.parametrize(
    ("findings", "more", "passes"),
    [
        (
            [finding("integrity.evidence", "passed"), finding("data.encrypted", "failed", severity="low")],
            {},
            True,
        ),
        (
            [finding("integrity.evidence", "passed"), finding("data.encrypted", "failed", severity="low")],
            {"fail_at": "low"},
            False,
        ),
        ([finding("integrity.evidence", "not-applicable")], {}, False),
        ([finding("integrity.evidence", "passed")], {"changed": ["weights.safetensors"]}, False),
        ([finding("integrity.evidence", "passed"), finding("data.encrypted", "unknown")], {}, False),
    ],
)
def test_when_the_answer_is_yes(findings: list[dict[str, Any]], more: dict[str, Any], passes: bool) -> None:
    page = render_audit(verdict(findings, **more))
    assert ('class="answer yes"' in page) is passes


BROKEN = [
    ("findings", [{"rule": "x"}]),
    ("findings", [finding("integrity.evidence", "good")]),
    ("findings", [finding("integrity.evidence", "passed", severity="grave")]),
    ("findings", [finding("integrity.evidence", "passed", seen=5)]),
    ("findings", [finding("no.such-rule", "passed")]),
    ("findings", "all"),
    ("rules", {"integrity.evidence": {"area": "integrity"}}),
    ("waivers", [{"file": 3}]),
    ("refused", [{"file": "x"}]),
    ("passed", "yes"),
    ("changed", [1]),
]


@pytest.mark.parametrize(("key", "value"), BROKEN)
def test_malformed_verdicts_give_one_clear_error(key: str, value: object) -> None:
    whole = verdict(mixed())
    if isinstance(value, list) and value and isinstance(value[0], dict) and "seen" in value[0]:
        value = [
            {**value[0], "seen": text("x") if value[0]["rule"] != "integrity.evidence" else value[0]["seen"]}
        ]
    bad = record("audit", "x", {**whole.result, key: value}, subject=whole.subject, parameters=whole.parameters)
    with pytest.raises(DataError) as caught:
        render_audit(bad)
    assert bad.digest in str(caught.value)


def test_other_evidence_is_no_verdict() -> None:
    with pytest.raises(DataError, match="audit"):
        render_audit(evaluation("hardened"))


def test_an_unknown_language() -> None:
    with pytest.raises(UnknownName):
        render_audit(verdict(good()), lang="fr")  # type: ignore[arg-type]
