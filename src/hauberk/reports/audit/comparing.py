"""What is different between two verdicts: the last release and this one, or two models side by side."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.reports.audit.views import STATES, Finding, Verdict

_ORDER = ("worse", "new", "better", "other")


@dataclass(frozen=True)
class Side:
    """What a verdict says of a rule: the worst state of its findings, and what was seen."""

    state: str
    seen: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A rule that the two say different things of; ``how`` is ``worse``, ``new``, ``better`` or ``other``."""

    rule: str
    title: str
    how: str
    before: Side | None
    after: Side | None


@dataclass(frozen=True)
class Comparison:
    """Two verdicts; ``same_target``: of one name, so that the other is an earlier release."""

    other: Verdict
    same_target: bool
    same_policy: bool
    changes: tuple[Change, ...]
    alike: int

    def count(self, how: str) -> int:
        return sum(one.how == how for one in self.changes)


def compare(verdict: Verdict, other: Verdict) -> Comparison:
    """Rule by rule; what is worse now stands first."""
    rules = {one.id: one.title for one in (*other.rules, *verdict.rules)}
    changes, alike = [], 0
    for name, title in rules.items():
        before, after = _side(other, name), _side(verdict, name)
        if {one.state for one in (before, after) if one is not None} <= {"not-applicable"} and None in (
            before,
            after,
        ):
            continue  # asked of one only, and about nothing there
        if before == after:
            alike += 1
        else:
            changes.append(Change(name, title, _how(before, after), before, after))
    changes.sort(key=lambda one: _ORDER.index(one.how))
    return Comparison(
        other=other,
        same_target=(other.target.kind, other.target.name) == (verdict.target.kind, verdict.target.name),
        same_policy=other.policy_digest == verdict.policy_digest,
        changes=tuple(changes),
        alike=alike,
    )


def _side(verdict: Verdict, rule: str) -> Side | None:
    found = [one for one in verdict.findings if one.rule == rule]
    if not found:
        return None
    worst = min((one.state for one in found), key=STATES.index)
    return Side(worst, tuple(dict.fromkeys(one.seen for one in _shown(found, worst))))


def _shown(found: list[Finding], worst: str) -> list[Finding]:
    return [one for one in found if one.state == worst]


def _how(before: Side | None, after: Side | None) -> str:
    if before is None or after is None:
        return "new"
    open_before, open_after = (one.state in ("failed", "unknown") for one in (before, after))
    if open_before == open_after:
        return "other"
    return "worse" if open_after else "better"
