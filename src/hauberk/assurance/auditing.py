"""An audit: facts gathered once, every rule asked, waivers applied, and one answer.

It fails closed. What cannot be decided counts as failed does, a document that makes a rule stumble decides
nothing, and a target that changes while it is looked at gets no yes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hauberk.assurance.finding import Excuse, Finding
from hauberk.assurance.gathering.gather import Sources, fingerprint, gather
from hauberk.assurance.policy import Policy, Setting
from hauberk.assurance.rule import Observation
from hauberk.assurance.target import Refused, Target
from hauberk.assurance.text import Text
from hauberk.assurance.verdict import Verdict
from hauberk.assurance.waiver import Given, read_waivers
from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.errors import HauberkError

_STUMBLED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a document with a right digest and wrong kinds of values makes of a rule's arithmetic."""


def audit(
    place: str | Path,
    policy: Policy,
    sources: Sources | None = None,
    *,
    waivers: Sequence[str | Path] = (),
    clock: Clock = now,
) -> Verdict:
    """Yes or no.

    Args:
        place: a package, a vault (with ``sources.vault`` open), a server's address, or a repository.
        sources: where else facts come from.
        waivers: files that ``write_waiver`` wrote.

    Raises:
        DataError, ConfigError, AccessDenied, EnvironmentFailure: it could not be asked. That something is wrong
            with the target raises nothing.

    Cost: every file of the target is read three times: before, for its facts, and after.
    """
    return examine(place, policy, sources, waivers=waivers, clock=clock)[0]


def examine(
    place: str | Path,
    policy: Policy,
    sources: Sources | None = None,
    *,
    waivers: Sequence[str | Path] = (),
    clock: Clock = now,
) -> tuple[Verdict, Target]:
    """As ``audit``, with the facts that were judged, for whoever says more of the very same target."""
    started, given = time.monotonic(), sources or Sources()
    at = clock()
    excuses = read_waivers(
        waivers, policy.trust.waivers, at_most_days=policy.waivers_at_most_days, clock=lambda: at
    )
    before = fingerprint(place, given)
    target = gather(place, policy.trust, given, at=at)
    verdict = judge(target, policy, excuses)
    verdict = replace(
        verdict,
        changed=differing(before, fingerprint(place, given)),
        duration_s=round(time.monotonic() - started, 3),
    )
    return verdict, target


def judge(target: Target, policy: Policy, waivers: Iterable[Given] = ()) -> Verdict:
    """Every rule's answer about facts that are there already; nothing is read."""
    findings = [one for setting in policy.settings.values() for one in _asked(setting, target)]
    findings, used = _waived(findings, list(waivers))
    return Verdict(
        target=target.subject,
        policy={
            "name": policy.name,
            "digest": policy.digest,
            "profile": policy.profile,
            "fail_at": policy.fail_at,
            "waivers_at_most_days": policy.waivers_at_most_days,
        },
        findings=tuple(findings),
        rules={name: {**one.rule.to_json(), "setting": one.to_json()} for name, one in policy.settings.items()},
        waivers=tuple(one.to_json() for one in used),
        refused=tuple(one.to_json() for one in _refused(target)),
        models=tuple(one.subject for one in target.models),
        created=timestamp(lambda: target.at),
    )


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of what is another now, or is no longer or newly there."""
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _asked(setting: Setting, target: Target) -> list[Finding]:
    rule = setting.rule
    if setting.off is not None:
        seen = Text("switched off by the policy: {why}", "已被策略关闭：{why}").format(why=setting.off)
        return [rule.finding(Observation(state="not-applicable", subject=target.subject, seen=seen))]
    try:
        return rule.judge(target, setting.values, setting.severity)
    except HauberkError:
        raise
    except _STUMBLED as error:
        seen = Text(
            "a document says what cannot be read, so nothing is decided ({why})",
            "有文件内容无法解读，因此不作判定（{why}）",
        ).format(why=f"{type(error).__name__}: {error}"[:120])
        observed = Observation(state="unknown", subject=target.subject, seen=seen)
        return [rule.finding(observed, setting.severity)]


def _waived(findings: list[Finding], waivers: list[Given]) -> tuple[list[Finding], list[Given]]:
    """Findings with their excuses, and waivers of which none was asked for marked as unused."""
    found, used = [], set()
    for one in findings:
        place = next((place for place, each in enumerate(waivers) if _covers(each, one)), None)
        if place is None or one.state not in ("failed", "unknown"):
            found.append(one)
            continue
        used.add(place)
        given = waivers[place]
        assert given.waiver is not None
        excuse = Excuse(given.by, given.waiver.reason, given.waiver.until, given.digest, one.state)
        found.append(replace(one, state="waived", excuse=excuse))
    marked = [
        one
        if place in used or one.standing != "counts"
        else replace(one, standing="unused", why="no open finding of this rule is about this digest")
        for place, one in enumerate(waivers)
    ]
    return found, marked


def _covers(given: Given, finding: Finding) -> bool:
    waiver = given.waiver
    return (
        given.standing == "counts"
        and waiver is not None
        and waiver.rule == finding.rule
        and waiver.subject == finding.subject.digest
    )


def _refused(target: Target) -> list[Refused]:
    """Each file once, however many models it does not speak of; what one model counts is not refused."""
    counted = {one.digest for model in target.models for one in (*model.evidence, *model.related)}
    found: dict[tuple[str, str | None], Refused] = {}
    for one in (*target.refused, *(each for model in target.models for each in model.refused)):
        if one.reason != "foreign" or one.digest not in counted:
            found.setdefault((one.file.rpartition("/")[2], one.digest), one)
    return list(found.values())
