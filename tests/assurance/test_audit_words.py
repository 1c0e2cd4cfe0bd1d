"""Findings, verdicts and waivers come back from JSON as they went, and refuse what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.assurance.finding import SEVERITIES, STATES, Excuse, Finding, Subject
from hauberk.assurance.names import EVASION, Names
from hauberk.assurance.text import Text
from hauberk.assurance.verdict import Verdict
from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError, IntegrityError, UnknownName
from hauberk.core.evidence import Evidence

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
TEXTS = st.builds(Text, WORDS, WORDS)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64).map(lambda one: f"sha256:{one}")
SUBJECTS = st.builds(Subject, st.sampled_from(["model", "vault"]), WORDS, st.none() | DIGESTS)
EXCUSES = st.builds(
    Excuse, WORDS, WORDS, st.just("2026-01-01T00:00:00Z"), DIGESTS, st.sampled_from(["failed", "unknown"])
)
FIGURES = st.dictionaries(WORDS, st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | WORDS)
POLICY = {
    "name": "p",
    "digest": "sha256:" + "0" * 64,
    "profile": "low",
    "fail_at": "low",
    "waivers_at_most_days": 1,
}


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    state = draw(st.sampled_from(STATES))
    return Finding(
        rule=draw(WORDS),
        state=state,
        severity=draw(st.sampled_from(SEVERITIES)),
        subject=draw(SUBJECTS),
        seen=draw(TEXTS),
        needed=draw(TEXTS),
        gain=draw(TEXTS),
        evidence=tuple(draw(st.lists(DIGESTS, max_size=3))),
        fix=tuple(draw(st.lists(WORDS, max_size=2))),
        names=draw(st.sampled_from([Names(), EVASION])),
        figures=draw(FIGURES),
        excuse=draw(EXCUSES) if state == "waived" else None,
    )


def through_json(value: Any) -> Any:
    return parse_json(json.dumps(value, ensure_ascii=False).encode(), where="test")


@given(findings())
def test_a_finding_comes_back(one: Finding) -> None:
    assert Finding.from_json(through_json(one.to_json())) == one


@given(st.lists(findings(), max_size=6), st.sampled_from(SEVERITIES), st.lists(WORDS, max_size=1))
def test_a_verdict_comes_back_with_the_answer_that_its_findings_give(
    found: list[Finding], fail_at: str, changed: list[str]
) -> None:
    verdict = Verdict(
        target=Subject("package", "net", "sha256:" + "1" * 64),
        policy={**POLICY, "fail_at": fail_at},
        findings=tuple(found),
        changed=tuple(changed),
        created="2026-01-01T00:00:00Z",
    )
    evidence = Evidence.from_json(through_json(verdict.to_evidence().to_json()))
    back = Verdict.from_evidence(evidence)
    assert back == verdict
    worst = SEVERITIES.index(fail_at)  # type: ignore[arg-type]
    bad = [
        one for one in found if one.state in ("failed", "unknown") and SEVERITIES.index(one.severity) <= worst
    ]
    good = any(one.state == "passed" for one in found)
    assert evidence.result["passed"] is (good and not bad and not changed)
    assert set(evidence.parents) == {digest for one in found for digest in one.evidence}


def one_finding(**changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "rule": "robustness.clean",
        "state": "failed",
        "severity": "high",
        "subject": Subject("model", "net", None),
        "seen": Text("a", "甲"),
        "needed": Text("b", "乙"),
        "gain": Text("c", "丙"),
    }
    return Finding(**{**fields, **changes})


def test_a_verdict_that_was_written_anew_with_another_answer_is_refused() -> None:
    verdict = Verdict(target=Subject("package", "net", None), policy=POLICY, findings=(one_finding(),))
    told = verdict.to_evidence()
    forged = Evidence(
        kind="audit",
        subject=told.subject,
        inputs=told.inputs,
        parameters=told.parameters,
        result={**told.result, "passed": True},
        created=told.created,
        versions=told.versions,
    )
    with pytest.raises(IntegrityError, match="another answer"):
        Verdict.from_evidence(forged)
    with pytest.raises(IntegrityError, match="changed"):
        Evidence.from_json({**told.to_json(), "kind": "scan"})


def test_nothing_asked_is_no_yes() -> None:
    nothing = Verdict(target=Subject("package", "net", None), policy=POLICY, findings=())
    assert not nothing.passed
    beside = one_finding(state="not-applicable")
    assert not Verdict(target=nothing.target, policy=POLICY, findings=(beside,)).passed
    fine = one_finding(state="passed")
    assert Verdict(target=nothing.target, policy=POLICY, findings=(beside, fine)).passed
    assert not Verdict(target=nothing.target, policy=POLICY, findings=(fine,), changed=("model.json",)).passed


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"state": "fine"}, UnknownName),
        ({"severity": "serious"}, UnknownName),
        ({"state": "waived"}, DataError),
        ({"excuse": Excuse("a", "b", "c", "d", "failed")}, DataError),
    ],
)
def test_what_no_finding_can_be(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        one_finding(**changes)


@pytest.mark.parametrize("spoil", [
    lambda one: one.pop("gain"),
    lambda one: one.update(more=1),
    lambda one: one.update(seen="words"),
    lambda one: one.update(seen={"en": "only"}),
    lambda one: one.update(evidence="sha256:1"),
    lambda one: one.update(subject={"kind": "model"}),
    lambda one: one.update(subject={"kind": "model", "name": 3, "digest": None}),
    lambda one: one.update(names={"owasp": []}),
    lambda one: one.update(figures=[]),
    lambda one: one.update(state="waived", excuse={"by": "me"}),
])  # fmt: skip
def test_malformed_findings_are_refused(spoil: Any) -> None:
    document = one_finding().to_json()
    spoil(document)
    with pytest.raises(DataError):
        Finding.from_json(document)


def test_evidence_of_another_kind_is_no_verdict() -> None:
    with pytest.raises(DataError, match="not a verdict"):
        Verdict.from_evidence(Evidence(kind="scan", subject={"name": "x", "digest": None}))
    with pytest.raises(DataError, match="malformed"):
        Verdict.from_evidence(Evidence(kind="audit", subject={"name": "x", "digest": None}))
