"""Edited, older, future, foreign and malformed documents of every kind count for nothing, and it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from audit_packages import THREAT, Made, ask, evaluation, facts, make, states

from hauberk.assurance.auditing import judge
from hauberk.assurance.policy import load_policy
from hauberk.core.errors import DataError
from hauberk.core.evidence import Evidence

INTERVAL = [0.8, 0.9]
GOOD: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "robustness.worst-case": (
        "evaluation",
        {"samples": 500, "robust_accuracy": 0.85, "robust_interval": INTERVAL, "flags": []},
        {"threat": THREAT, "attacks": "standard"},
    ),
    "robustness.clean": (
        "evaluation",
        {"samples": 500, "clean_accuracy": 0.85, "clean_interval": INTERVAL},
        {},
    ),
    "robustness.certified": (
        "certificates",
        {"certified_accuracy": 0.85, "certified_interval": INTERVAL, "confidence": None},
        {"threat": THREAT},
    ),
    "robustness.corruptions": ("corruptions", {"samples": 500, "mean_accuracy": 0.85}, {}),
    "robustness.fresh": ("evaluation", {"samples": 500}, {}),
    "privacy.membership": ("membership", {"attacks": [{"advantage": 0.01, "tpr_at_0.01": 0.01}]}, {}),
}
"""A document of each kind that decides a rule for a model, with what makes it good."""


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path / "net")


def put(made: Made, rule: str, **fields: Any) -> Evidence:
    kind, result, parameters = GOOD[rule]
    return made.add(kind, result, parameters=parameters, **fields)


@pytest.mark.parametrize("rule", GOOD)
def test_a_document_that_counts_decides_its_rule(made: Made, rule: str) -> None:
    assert states(facts(made.path), rule) == ["unknown"]
    one = put(made, rule)
    (finding,) = ask(facts(made.path), rule)
    assert (finding.state, finding.evidence) == ("passed", (one.digest,))


@pytest.mark.parametrize("rule", GOOD)
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"created": "2025-12-31T23:59:59Z"}, "older"),
        ({"created": "2026-03-01T12:06:00Z"}, "future"),
        ({"created": "yesterday"}, "future"),
        ({"subject": {"name": "net", "digest": "sha256:" + "9" * 64}}, "foreign"),
        ({"subject": {"name": "net", "digest": None}}, "foreign"),
    ],
)
def test_what_cannot_be_about_this_model_counts_for_nothing(
    made: Made, rule: str, fields: dict[str, Any], reason: str
) -> None:
    put(made, rule, **fields)
    target = facts(made.path)
    assert states(target, rule) == ["unknown"]
    (refused,) = target.models[0].refused
    assert refused.reason == reason
    verdict = judge(target, load_policy())
    assert [one["reason"] for one in verdict.refused] == [reason]
    state = "passed" if reason == "foreign" else "failed"
    assert states(target, "integrity.evidence") == [state]


@pytest.mark.parametrize("rule", GOOD)
def test_an_edited_document_counts_for_nothing_and_fails(made: Made, rule: str) -> None:
    put(made, rule, name="x")
    file = made.evidence / "x.json"
    document = json.loads(file.read_text())
    document["result"]["samples"] = 10_000
    file.write_text(json.dumps(document))
    target = facts(made.path)
    assert states(target, rule) == ["unknown"]
    assert [one.reason for one in target.models[0].refused] == ["edited"]
    (finding,) = ask(target, "integrity.evidence")
    assert finding.state == "failed"
    assert "x.json" in finding.seen.en
    assert "摘要" in finding.seen.zh


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b'{"schema": "hauberk-evidence/1"}',
        b'{"schema": "hauberk-evidence/2", "digest": "sha256:0"}',
    ],
)
def test_what_cannot_be_read_is_told(made: Made, content: bytes) -> None:
    (made.evidence / "x.json").write_bytes(content)
    target = facts(made.path)
    assert [one.reason for one in target.models[0].refused] == ["malformed"]
    assert states(target, "integrity.evidence") == ["failed"]


def test_json_of_another_kind_is_nobody_s_evidence(made: Made) -> None:
    (made.evidence / "notes.json").write_text('{"todo": "call the bank"}')
    assert facts(made.path).models[0].refused == ()


def test_a_document_with_wrong_kinds_of_values_decides_nothing(made: Made) -> None:
    for result in (
        {"attacks": 3},
        {"attacks": [3]},
        {"attacks": [{"advantage": "small"}]},
    ):
        made.add("membership", result)
        assert states(facts(made.path), "privacy.membership") != ["passed"]
    evaluation(made, robust_interval="high", name="odd")
    assert states(facts(made.path), "robustness.worst-case") == ["unknown"]
    evaluation(made, flags=3)
    assert states(facts(made.path), "robustness.flags") == ["unknown"]


def test_the_same_time_and_a_clock_a_little_ahead_will_do(made: Made) -> None:
    evaluation(made, created="2026-01-01T00:00:00Z", name="a")
    evaluation(made, created="2026-03-01T12:04:00Z", name="b", robust_accuracy=0.61)
    assert facts(made.path).models[0].refused == ()


def test_evidence_of_the_package_itself_counts_for_its_provenance_only(tmp_path: Path) -> None:
    parent = Evidence(
        kind="training",
        subject={"name": "before", "digest": "sha256:" + "8" * 64},
        inputs={"dataset": {"name": "d/train", "digest": "sha256:" + "d" * 64}},
        created="2025-06-01T00:00:00Z",
    )
    born = {"kind": "hardening", "parents": (parent.digest,)}
    made = make(tmp_path / "net", born=born, before=(parent,))
    target = facts(made.path)
    assert [one.kind for one in target.models[0].evidence] == ["training", "hardening"]
    assert states(target, "integrity.provenance") == ["passed"]


def test_a_package_that_was_changed_is_believed_nothing(made: Made) -> None:
    evaluation(made)
    weights = made.path / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    target = facts(made.path)
    (finding,) = ask(target, "integrity.package")
    assert (finding.state, finding.severity) == ("failed", "critical")
    assert states(target, "robustness.worst-case") == ["not-applicable"]
    assert not judge(target, load_policy(profile="low")).passed


def test_a_manifest_that_was_rewritten_names_another_model(made: Made) -> None:
    """Whoever rewrites weights, manifest and digests makes another model, of which no evidence speaks."""
    evaluation(made)
    other = make(made.path.parent / "other" / "net", seed=1)
    for name in ("weights.safetensors", "model.json"):
        (made.path / name).write_bytes((other.path / name).read_bytes())
    for one in (made.path / "evidence").iterdir():
        one.unlink()
    for one in (other.path / "evidence").iterdir():
        (made.path / "evidence" / one.name).write_bytes(one.read_bytes())
    target = facts(made.path)
    assert states(target, "integrity.package") == ["passed"]
    assert states(target, "robustness.worst-case") == ["unknown"]
    assert [one.reason for one in target.models[0].refused] == ["foreign"]


def test_no_package_is_no_target(tmp_path: Path) -> None:
    for place in (tmp_path / "none", tmp_path / "file"):
        (tmp_path / "file").write_text("x")
        with pytest.raises(DataError):
            facts(place)
    (tmp_path / "file").write_bytes(b"age-encryption.org/v1\n")
    with pytest.raises(DataError) as caught:
        facts(tmp_path / "file")
    assert "sealed" in str(caught.value.hint)
