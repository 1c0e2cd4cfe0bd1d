"""SARIF by its schema as others wrote it in classes, JUnit XML by another's reader, text in two languages."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import junitparser
import pytest
from audit_packages import NOW, evaluation, facts, make
from made_advisories import advisory, zipped
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Schema

from hauberk.assurance.auditing import judge
from hauberk.assurance.catalogue import CATALOGUE
from hauberk.assurance.environment import look
from hauberk.assurance.environment.packages import named
from hauberk.assurance.finding import STATES, Excuse, Finding, Subject
from hauberk.assurance.formats.junit import to_junit
from hauberk.assurance.formats.places import places_of
from hauberk.assurance.formats.sarif import to_sarif
from hauberk.assurance.formats.text import WORDS, to_text
from hauberk.assurance.gathering.gather import Sources, gather
from hauberk.assurance.policy import load_policy
from hauberk.assurance.target import Target
from hauberk.assurance.text import LANGUAGES, Text
from hauberk.assurance.trust import Trust
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


URI = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=@:/-]|%[0-9A-F]{2})+")  # RFC 3986, without query and fragment


@pytest.mark.parametrize(
    ("base", "uri"),
    [
        ("", "models/%E7%BD%91%20net%231%3A"),
        ("models", "%E7%BD%91%20net%231%3A"),
        ("models/网 net#1:", "."),
        ("elsewhere", None),
    ],
)
def test_a_location_is_the_path_as_a_checkout_has_it(tmp_path: Path, base: str, uri: str | None) -> None:
    made = make(tmp_path / "models" / "网 net#1:")
    target = facts(made.path)
    verdict = judge(target, load_policy(profile="low"))
    run = valid(to_sarif(verdict, places=places_of(target, base=tmp_path / base)))
    found = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert found == {uri or made.path.as_uri()}
    assert all(URI.fullmatch(one) for one in found)


def test_what_lies_within_a_repository_has_its_own_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named from the working folder, however the repository was named."""
    repository = tmp_path / "repo"
    make(repository / "a" / "net")
    (repository / "lib").mkdir()
    (repository / "lib" / "requirements.txt").write_text("torch>=2\n")
    (repository / "lib" / "settings.py").write_text("key = 'AKIA" + "Q3EGRYZ7K2LMNOP4'\n")
    monkeypatch.chdir(tmp_path)
    for place in ("repo", "./repo/", str(repository), "repo/../repo"):
        target = gather(place, Trust(), Sources(), at=NOW)
        verdict = judge(target, load_policy())
        places = places_of(target)
        found = {(one.rule, one.subject.kind): places.of(one) for one in verdict.findings}
        assert found["robustness.worst-case", "model"] == "repo/a/net"
        assert found["environment.pinned", "environment"] == "repo/lib/requirements.txt"
        assert found["environment.secrets-in-files", "environment"] == "repo/lib/settings.py"
        assert found["environment.hardening", "environment"] == "repo"
        assert found["data.encrypted", "repository"] == "repo"


def test_a_flawed_package_stands_in_the_file_that_asks_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "requirements.txt").write_text("torch==2.5.0\n")
    copy = zipped(tmp_path / "all.zip", advisory("GHSA-1"))
    target = replace(
        facts(folder), environment=look(folder, now=NOW, osv=copy, own=[named("numpy", "2", "installed")])
    )
    (flawed,) = [
        one for one in judge(target, load_policy()).findings
        if one.rule == "environment.vulnerable-packages"
    ]  # fmt: skip
    assert places_of(target, base=tmp_path).of(flawed) == "repo/requirements.txt"


def test_a_server_is_its_own_place() -> None:
    subject = Subject("deployment", "https://models.example:8443/a b", None)
    target = Target(kind="deployment", subject=subject, place=subject.name, at=NOW)
    finding = verdict_of("failed").findings[0]
    assert places_of(target).of(finding) == "https://models.example:8443/a%20b"


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
