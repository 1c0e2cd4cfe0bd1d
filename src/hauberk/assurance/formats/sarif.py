"""A verdict as SARIF 2.1.0: rules with help, a result for each finding, fingerprints that outlive a figure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import metadata
from typing import Any
from urllib.parse import quote

from hauberk.assurance.finding import Excuse, Finding, Severity, State
from hauberk.assurance.formats.places import Places
from hauberk.assurance.formats.text import WORDS
from hauberk.assurance.text import Lang, Text
from hauberk.assurance.verdict import Verdict

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL: Mapping[Severity, str] = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
_SCORE: Mapping[Severity, str] = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""What code hosts sort by (``security-severity``); the middle of each band of CVSS."""
_KIND: Mapping[State, str] = {
    "failed": "fail",
    "unknown": "open",
    "waived": "fail",
    "passed": "pass",
    "not-applicable": "notApplicable",
}


def to_sarif(verdict: Verdict, lang: Lang = "en", *, places: Places | None = None) -> dict[str, Any]:
    """One run. A waived finding is a suppressed result.

    Args:
        places: where what was audited lies. A verdict itself holds no paths, which differ from machine to
            machine; without places the target's name stands for its path.
    """
    places = places or Places(quote(verdict.target.name))
    order = {name: place for place, name in enumerate(verdict.rules)}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hauberk audit",
                        "version": metadata.version("hauberk"),
                        "rules": [_rule(name, one, lang) for name, one in verdict.rules.items()],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": not verdict.changed,
                        "endTimeUtc": verdict.created,
                        "exitCode": 0 if verdict.passed else 1,
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": WORDS["changed"].format(names=name)(lang)}}
                            for name in verdict.changed
                        ]
                        + [
                            {
                                "level": "warning",
                                "message": {"text": f"{one['file']}: {_text(one['why'], lang)}"},
                            }
                            for one in verdict.refused
                        ],
                    }
                ],
                "columnKind": "unicodeCodePoints",
                "language": "zh-Hans" if lang == "zh" else "en",
                "results": [_result(one, order, lang, places) for one in verdict.findings],
                "properties": {
                    "passed": verdict.passed,
                    "verdict": verdict.to_evidence().digest,
                    "policy": verdict.policy["digest"],
                },
            }
        ],
    }


def _text(value: Mapping[str, str], lang: Lang) -> str:
    return Text.from_json(dict(value), where="text")(lang)


def _rule(name: str, rule: Mapping[str, Any], lang: Lang) -> dict[str, Any]:
    setting = rule["setting"]
    severity: Severity = setting.get("severity", "low")
    title, gain = _text(rule["title"], lang), _text(rule["gain"], lang)
    explanation = _text(rule["explanation"], lang)
    names = [one for each in rule["names"].values() for one in each]
    settings = [f"{key} = {value}" for key, value in setting.get("values", {}).items()]
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in name.replace(".", "-").split("-")),
        "shortDescription": {"text": title},
        "fullDescription": {"text": explanation},
        "help": {
            "text": "\n".join([explanation, gain, *settings, *names]),
            "markdown": "\n\n".join(
                [
                    explanation,
                    f"**{gain}**",
                    *(f"`{one}`" for one in settings),
                    "\n".join(f"- {one}" for one in names),
                ]
            ),
        },
        "defaultConfiguration": {"level": _LEVEL[severity], "enabled": "off" not in setting},
        "properties": {"tags": ["security", rule["area"]], "security-severity": _SCORE[severity]},
    }


def _result(one: Finding, order: Mapping[str, int], lang: Lang, places: Places) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": order[one.rule],
        "kind": _KIND[one.state],
        "level": _LEVEL[one.severity] if _KIND[one.state] == "fail" else "none",
        "message": {"text": _message(one, lang)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": places.of(one)}},
                "logicalLocations": [
                    {"name": one.subject.name, "kind": one.subject.kind, "fullyQualifiedName": _full(one)}
                ],
            }
        ],
        "partialFingerprints": {"hauberkAudit/v1": _fingerprint(one)},
        "properties": {
            "severity": one.severity,
            "state": one.state,
            "evidence": list(one.evidence),
            "fix": list(one.fix),
            "figures": dict(one.figures),
        },
    }
    if one.excuse is not None:
        result["suppressions"] = [
            {
                "kind": "external",
                "justification": _justified(one.excuse, lang),
            }
        ]
    return result


def _justified(excuse: Excuse, lang: Lang) -> str:
    return WORDS["by"].format(by=excuse.by, until=excuse.until, reason=excuse.reason)(lang)


def _message(one: Finding, lang: Lang) -> str:
    parts = [one.seen(lang), one.needed(lang), *one.fix] if one.state != "passed" else [one.seen(lang)]
    return "\n".join(parts)


def _full(one: Finding) -> str:
    return one.subject.name if one.subject.digest is None else f"{one.subject.name}@{one.subject.digest}"


def _fingerprint(one: Finding) -> str:
    """Of rule and subject's name: the same finding about the next version is the same finding."""
    return hashlib.sha256("\n".join((one.rule, one.subject.kind, one.subject.name)).encode()).hexdigest()
