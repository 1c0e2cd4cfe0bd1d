"""A verdict's document in, views out: every value checked, and the answer computed anew.

Written from the specification (docs/spec/audit.md) alone: who made the verdict shares no code with this.
"""

from __future__ import annotations

from typing import Any

from hauberk.core.errors import IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.reports.audit.views import (
    SEVERITIES,
    STATES,
    Excuse,
    Finding,
    Refused,
    Rule,
    Subject,
    Verdict,
    Waiver,
)
from hauberk.reports.fields import Fields, visible
from hauberk.reports.words import Lang, Words

_NAMES = ("owasp", "atlas", "nist", "eu", "china")


def read_verdict(evidence: Evidence, lang: Lang) -> Verdict:
    """A document of the kind ``audit``.

    Raises:
        DataError: of another kind, or one that does not fit the specification.
        IntegrityError: its answer is not what its findings give.
    """
    document = Fields.of(evidence)
    if evidence.kind != "audit":
        document.fail("kind", "audit", evidence.kind)
    result, policy = document.section("result"), document.section("parameters").section("policy")
    findings = tuple(_finding(one, lang) for one in result.sections("findings"))
    subject, versions = document.section("subject"), document.section("versions")
    verdict = Verdict(
        target=_subject(subject),
        passed=result.flag("passed"),
        policy=policy.text("name"),
        profile=policy.text("profile"),
        fail_at=_one_of(policy, "fail_at", SEVERITIES),
        policy_digest=policy.text("digest"),
        findings=findings,
        rules=_rules(result.section("rules"), findings, lang),
        waivers=tuple(_waiver(one, Words(lang)) for one in result.sections("waivers")),
        refused=tuple(_refused(one, lang) for one in result.sections("refused")),
        models=tuple(_subject(one) for one in result.sections("models")),
        changed=result.texts("changed"),
        created=document.text("created"),
        digest=evidence.digest,
        versions=tuple((visible(name), versions.text(name)) for name in versions.names()),
    )
    if verdict.passed != (bool(verdict.of("passed")) and not verdict.failing and not verdict.changed):
        raise IntegrityError(f"the verdict {evidence.digest} says another answer than its own findings give")
    return verdict


def _finding(one: Fields, lang: Lang) -> Finding:
    names = one.section("names")
    return Finding(
        rule=one.text("rule"),
        state=_one_of(one, "state", STATES),
        severity=_one_of(one, "severity", SEVERITIES),
        subject=_subject(one.section("subject")),
        seen=one.section("seen").text(lang),
        needed=one.section("needed").text(lang),
        gain=one.section("gain").text(lang),
        evidence=one.texts("evidence"),
        fix=one.texts("fix"),
        names=tuple((name, names.texts(name)) for name in _NAMES),
        excuse=None if one.absent("excuse") else _excuse(one.section("excuse")),
    )


def _excuse(one: Fields) -> Excuse:
    return Excuse(one.text("by"), one.text("reason"), one.text("until"), one.text("digest"))


def _subject(one: Fields) -> Subject:
    return Subject(one.text("kind"), one.text("name"), one.maybe_text("digest") or "")


def _rules(section: Fields, findings: tuple[Finding, ...], lang: Lang) -> tuple[Rule, ...]:
    """Rules in the order of the findings; one that nothing was found of stands at the end."""
    known = {name: _rule(name, section.section(name), lang) for name in section.names()}
    for one in findings:
        if one.rule not in known:
            section.fail(one.rule, "the words of a rule that is in the findings", None)
    order = dict.fromkeys([*(one.rule for one in findings), *known])
    return tuple(known[name] for name in order)


def _rule(name: str, one: Fields, lang: Lang) -> Rule:
    setting, parameters = one.section("setting"), one.section("parameters")
    off = setting.maybe_text("off") or ""
    values = () if off else _asked(setting.section("values"), parameters, lang)
    return Rule(
        id=visible(name),
        area=one.text("area"),
        title=one.section("title").text(lang),
        explanation=one.section("explanation").text(lang),
        asked=values,
        off=off,
    )


def _asked(values: Fields, parameters: Fields, lang: Lang) -> tuple[tuple[str, str], ...]:
    """What the policy set, as (title, value with its unit)."""
    found = []
    for name in values.names():
        words = parameters.section(name)
        found.append(
            (words.section("title").text(lang), _written(values.raw(name), words.text("unit"), Words(lang)))
        )
    return tuple(found)


def _written(value: Any, unit: str, words: Words) -> str:
    if unit == "share" and isinstance(value, int | float):
        return f"{100 * value:g} %"
    if isinstance(value, bool):
        return words("audit.yes" if value else "audit.no")
    told = ", ".join(map(str, value)) if isinstance(value, list | tuple) else visible(str(value))
    if isinstance(value, float):
        told = f"{value:.4g}"
    return f"{told} {_unit(value, unit, words)}".strip() or "–"


def _unit(value: Any, unit: str, words: Words) -> str:
    """A unit in the page's language; one that nobody knows here reads as the rule says it."""
    name = unit.replace(" ", "-")
    keys = [f"audit.unit.one.{name}"] * (value == 1) + [f"audit.unit.{name}"]
    return next((words(key) for key in keys if key in words), unit)


def _waiver(one: Fields, words: Words) -> Waiver:
    key = f"audit.why.{one.text('standing').replace(' ', '-')}"
    dated = {name: one.maybe_text(name) or "" for name in ("issued", "until")}
    return Waiver(
        file=one.text("file"),
        digest=one.maybe_text("digest") or "",
        standing=one.text("standing"),
        by=one.maybe_text("by") or "",
        rule=one.maybe_text("rule") or "",
        reason=one.maybe_text("reason") or "",
        until=one.maybe_text("until") or "",
        why=words(key, **dated) if key in words else one.maybe_text("why") or "",
    )


def _refused(one: Fields, lang: Lang) -> Refused:
    why = one.section("why").text(lang)
    return Refused(one.text("file"), one.maybe_text("digest") or "", one.text("reason"), why)


def _one_of(fields: Fields, key: str, known: tuple[str, ...]) -> str:
    value = fields.text(key)
    if value not in known:
        fields.fail(key, f"one of {', '.join(known)}", value)
    return value
