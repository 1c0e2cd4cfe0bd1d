"""The verdict: all findings of one audit, and the one answer. It is evidence itself, of the kind ``audit``.

It carries the rules' own words, so that whoever reads it later needs neither this version nor this policy, and
the digest of every document it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hauberk.assurance.finding import SEVERITIES, STATES, Finding, State, Subject, worst_first
from hauberk.core.display import Card, brief, render
from hauberk.core.errors import DataError, IntegrityError, check_known
from hauberk.core.evidence import Evidence, software_versions

KIND = "audit"
_RESULT = ("passed", "counts", "findings", "rules", "waivers", "refused", "models", "changed")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Yes or no, and why.

    Args:
        target: what was audited; ``digest`` names everything of it that was read.
        policy: ``{"name", "digest", "profile", "fail_at", "waivers_at_most_days"}``.
        findings: in the order of the catalogue.
        rules: the rules in words and figures, by id.
        waivers: every waiver that was handed in, with its standing.
        refused: evidence that did not count: ``{"file", "digest", "why": text in both languages}``.
        models: the models among the target, ``Subject`` of each.
        changed: what changed while it was looked at; not empty: no verdict but no.
        created: RFC 3339.
    """

    target: Subject
    policy: Mapping[str, Any]
    findings: tuple[Finding, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)
    waivers: tuple[Mapping[str, Any], ...] = ()
    refused: tuple[Mapping[str, Any], ...] = ()
    models: tuple[Subject, ...] = ()
    changed: tuple[str, ...] = ()
    created: str = ""
    duration_s: float = 0.0
    versions: Mapping[str, str] = field(default_factory=software_versions)

    @property
    def passed(self) -> bool:
        """Something was asked and holds, nothing that counts is open, and nothing moved meanwhile."""
        return bool(self.of("passed")) and not self.failing and not self.changed

    @property
    def failing(self) -> tuple[Finding, ...]:
        """Open findings that fail the whole, the worst first."""
        least = SEVERITIES.index(self.policy["fail_at"])
        return worst_first(one for one in self.findings if one.open and SEVERITIES.index(one.severity) <= least)

    def of(self, state: State) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.state == state)

    @property
    def counts(self) -> dict[str, int]:
        """Findings by state."""
        return {state: len(self.of(state)) for state in STATES}

    def _repr_html_(self) -> str:
        """A card for notebooks: the answer, and what is open."""
        rows = tuple((one.rule, one.severity, one.subject.name, brief(one.seen("en"))) for one in self.failing)
        answer = "meets the policy" if self.passed else "does not meet the policy"
        card = Card(
            f"{self.target.kind} {self.target.name}",
            "YES" if self.passed else "NO",
            f"{answer} '{self.policy['name']}'",
            facts=tuple((state, str(count)) for state, count in self.counts.items()),
            tables=(("", ("rule", "severity", "of", "seen"), rows),) if rows else (),
            warnings=tuple(f"changed while it was looked at: {name}" for name in self.changed),
        )
        return render(card)

    def to_evidence(self) -> Evidence:
        """The verdict as a document; its parents are all documents that findings rest on."""
        parents = dict.fromkeys(digest for one in self.findings for digest in one.evidence)
        return Evidence(
            kind=KIND,
            subject={"name": self.target.name, "digest": self.target.digest, "kind": self.target.kind},
            inputs={"policy": {"name": self.policy["name"], "digest": self.policy["digest"]}},
            parameters={"policy": dict(self.policy)},
            result={
                "passed": self.passed,
                "counts": self.counts,
                "findings": [one.to_json() for one in self.findings],
                "rules": dict(self.rules),
                "waivers": [dict(one) for one in self.waivers],
                "refused": [dict(one) for one in self.refused],
                "models": [one.to_json() for one in self.models],
                "changed": list(self.changed),
            },
            parents=tuple(parents),
            duration_s=self.duration_s,
            created=self.created,
            versions=dict(self.versions),
        )

    @classmethod
    def from_evidence(cls, evidence: Evidence, *, where: str = "verdict") -> Verdict:
        """Read a verdict back.

        Raises:
            DataError: evidence of another kind, or malformed.
            IntegrityError: it says another answer than its findings give.
        """
        if evidence.kind != KIND:
            raise DataError(f"{where} is evidence of the kind '{evidence.kind}', not a verdict")
        result, policy = evidence.result, evidence.parameters.get("policy")
        if result.keys() != set(_RESULT) or not isinstance(policy, dict):
            raise DataError(f"{where} is a malformed verdict: it lacks keys, or has others")
        try:
            check_known([policy["fail_at"]], SEVERITIES, what="severity", where=where)
            subject = evidence.subject
            verdict = cls(
                target=Subject(subject["kind"], subject["name"], subject["digest"]),
                policy=policy,
                findings=tuple(
                    Finding.from_json(one, where=f"{where}, finding {place}")
                    for place, one in enumerate(result["findings"])
                ),
                rules=result["rules"],
                waivers=tuple(result["waivers"]),
                refused=tuple(result["refused"]),
                models=tuple(Subject.from_json(one, where=f"{where}, models") for one in result["models"]),
                changed=tuple(result["changed"]),
                created=evidence.created,
                duration_s=evidence.duration_s,
                versions=evidence.versions,
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"{where} is a malformed verdict: {error!r}") from error
        if verdict.to_evidence().digest != evidence.digest:
            raise IntegrityError(f"{where} says another answer than its own findings give")
        return verdict
