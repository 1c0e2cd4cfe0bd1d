"""SARIF by its schema as others wrote it in classes, JUnit XML by another's reader, text in two languages."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import junitparser
import pytest
from audit_packages import evaluation, facts, make
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Schema

from hauberk.assurance.auditing import judge
from hauberk.assurance.catalogue import CATALOGUE
from hauberk.assurance.finding import STATES, Excuse, Finding, Subject
from hauberk.assurance.formats.junit import to_junit
from hauberk.assurance.formats.sarif import to_sarif
from hauberk.assurance.formats.text import WORDS, to_text
from hauberk.assurance.policy import load_policy
from hauberk.assurance.text import LANGUAGES, Text
from hauberk.assurance.verdict import Verdict

EXCUSE = Excuse("a", "why", "2026-01-01T00:00:00Z", "sha256:2", "failed")


def verdict_of(*states: str, changed: tuple[str, ...] = (), fail_at: str = "low") -> Verdict:
    """One finding in each of these states, with awkward words."""
    rules = {one.id: {**one.to_json(), "setting": {"severity": "high", "values": {}}} for one in CATALOGUE}
    findings = tuple(
        Finding(
            rule=CATALOGUE[place].id,
            state=state,  # type: ignore[arg-type]
            severity="medium",
            subject=Subject("model", "net <&> \x01 模型", "sha256:" + "0" * 64),
            seen=Text("seen \x07 {braces} ]]>", "看到 {花括号}"),
            needed=Text("needed", "要求"),
            gain=Text("gain", "所得"),
            fix=("hauberk x --y 'z'",),
            evidence=("sha256:" + "1" * 64,),
            excuse=Excuse("a", "why", "2026-01-01T00:00:00Z", "sha256:2", "failed")
            if state == "waived"
            else None,
        )
        for place, state in enumerate(states)
    )
    policy = {
        "name": "p",
        "digest": "sha256:3",
        "profile": "low",
        "fail_at": fail_at,
        "waivers_at_most_days": 1,
    }
    refused = {"file": "x.json", "digest": None, "reason": "edited", "why": {"en": "edited", "zh": "被改动"}}
    return Verdict(
        target=Subject("package", "net", "sha256:4"), policy=policy, findings=findings, rules=rules,
        refused=(refused,), changed=changed, created="2026-01-01T00:00:00Z",
    )  # fmt: skip


def valid(document: Any) -> Any:
    again = json.loads(json.dumps(document, ensure_ascii=False))
    Schema.model_validate(again)
    return again["runs"][0]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sarif_is_valid_and_says_what_the_verdict_says(lang: Any) -> None:
    verdict = verdict_of(*STATES)
    run = valid(to_sarif(verdict, lang))
    kinds = {one["properties"]["state"]: one["kind"] for one in run["results"]}
    assert kinds == {
        "failed": "fail", "unknown": "open", "waived": "fail", "passed": "pass",
        "not-applicable": "notApplicable",
    }  # fmt: skip
    by_state = {one["properties"]["state"]: one for one in run["results"]}
    assert [state for state, one in by_state.items() if "suppressions" in one] == ["waived"]
    assert by_state["failed"]["level"] == "warning"
    assert by_state["unknown"]["level"] == "none"  # SARIF allows a level with "fail" alone
    rules = run["tool"]["driver"]["rules"]
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
    assert all(one["help"]["text"] and one["fullDescription"]["text"] for one in rules)
    assert run["invocations"][0]["exitCode"] == 1
    words = json.dumps(run, ensure_ascii=False)
    assert ("看到" in words) is (lang == "zh")


def test_a_finding_keeps_its_fingerprint_when_figures_move() -> None:
    before, after = verdict_of("failed"), verdict_of("unknown")
    prints = [to_sarif(one)["runs"][0]["results"][0]["partialFingerprints"] for one in (before, after)]
    assert prints[0] == prints[1]
    others = to_sarif(verdict_of(*STATES))["runs"][0]["results"]
    assert len({json.dumps(one["partialFingerprints"]) for one in others}) == len(STATES)


def test_a_real_verdict_in_every_format(tmp_path: Path) -> None:
    made = make(tmp_path / "net")
    evaluation(made)
    for profile in ("low", "standard", "high"):
        verdict = judge(facts(made.path), load_policy(profile=profile))  # type: ignore[arg-type]
        run = valid(to_sarif(verdict))
        assert run["properties"]["passed"] is verdict.passed
        assert len(run["results"]) == len(verdict.findings)
        suites = parsed(to_junit(verdict))
        assert (suites.failures + suites.errors == 0) is verdict.passed


def parsed(data: bytes) -> Any:
    return junitparser.JUnitXml.fromroot(junitparser.junitparser.etree.parse(io.BytesIO(data)).getroot())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_junit_is_read_by_others_and_fails_when_the_verdict_does(lang: Any) -> None:
    suites = parsed(to_junit(verdict_of(*STATES), lang))
    assert (suites.tests, suites.failures, suites.errors, suites.skipped) == (5, 1, 1, 2)
    cases = [case for suite in suites for case in suite]
    results = [[type(one).__name__ for one in case.result] for case in cases]
    assert results == [["Failure"], ["Error"], ["Skipped"], [], ["Skipped"]]


def test_below_the_limit_a_build_goes_on() -> None:
    suites = parsed(to_junit(verdict_of("failed", "passed", fail_at="high")))
    assert (suites.failures, suites.skipped) == (0, 1)


def test_a_target_that_changed_is_an_error_everywhere() -> None:
    verdict = verdict_of("passed", changed=("model.json",))
    assert parsed(to_junit(verdict)).errors == 1
    run = valid(to_sarif(verdict))
    assert run["invocations"][0]["executionSuccessful"] is False
    assert "model.json" in to_text(verdict)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_text_has_what_is_open_with_what_to_do(lang: Any) -> None:
    text = to_text(verdict_of(*STATES), lang)
    for word in ("failed", "unknown", "waived", "fix", "gain"):
        assert WORDS[word](lang) in text
    assert "hauberk x --y 'z'" in text
    assert "x.json" in text
    assert ("NO: net" in text) is (lang == "en")
    assert WORDS["yes"].format(name="net", policy="p")(lang) in to_text(verdict_of("passed"), lang)
