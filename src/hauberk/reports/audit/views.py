"""What a report of an assessment is made of; every text is in the page's language already."""

from __future__ import annotations

from dataclasses import dataclass

STATES = ("failed", "unknown", "waived", "passed", "not-applicable")
SEVERITIES = ("critical", "high", "medium", "low")


@dataclass(frozen=True)
class Subject:
    """What something is about; ``digest`` is empty where it has none."""

    kind: str
    name: str
    digest: str


@dataclass(frozen=True)
class Excuse:
    """Under which waiver something passes."""

    by: str
    reason: str
    until: str
    digest: str


@dataclass(frozen=True)
class Finding:
    """One rule's answer about one subject."""

    rule: str
    state: str
    severity: str
    subject: Subject
    seen: str
    needed: str
    gain: str
    evidence: tuple[str, ...]
    fix: tuple[str, ...]
    names: tuple[tuple[str, tuple[str, ...]], ...]
    excuse: Excuse | None

    @property
    def open(self) -> bool:
        return self.state in ("failed", "unknown")


@dataclass(frozen=True)
class Rule:
    """A rule in words; ``off`` is the policy's reason where it does not count, else empty."""

    id: str
    area: str
    title: str
    explanation: str
    asked: tuple[tuple[str, str], ...]
    off: str


@dataclass(frozen=True)
class Waiver:
    """One waiver that was handed in, whether or not it counts."""

    file: str
    digest: str
    standing: str
    by: str
    rule: str
    reason: str
    until: str
    why: str


@dataclass(frozen=True)
class Refused:
    """One document that did not count."""

    file: str
    digest: str
    reason: str
    why: str


@dataclass(frozen=True)
class Verdict:
    """One assessment."""

    target: Subject
    passed: bool
    policy: str
    profile: str
    fail_at: str
    policy_digest: str
    findings: tuple[Finding, ...]
    rules: tuple[Rule, ...]
    waivers: tuple[Waiver, ...]
    refused: tuple[Refused, ...]
    models: tuple[Subject, ...]
    changed: tuple[str, ...]
    created: str
    digest: str
    versions: tuple[tuple[str, str], ...]

    def of(self, *states: str) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.state in states)

    @property
    def failing(self) -> tuple[Finding, ...]:
        """Open findings that fail the whole, the worst first."""
        found = [one for one in self.findings if one.open and counts(one.severity, self.fail_at)]
        return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))

    @property
    def areas(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.area for one in self.rules))

    def rule(self, name: str) -> Rule:
        return next(one for one in self.rules if one.id == name)


def counts(severity: str, fail_at: str) -> bool:
    """Whether an open finding of this severity fails the whole."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(fail_at)
