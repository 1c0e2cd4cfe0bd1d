"""What one rule says of one thing, as plain frozen records that come back from JSON as they went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from hauberk.assurance.names import Names
from hauberk.assurance.text import Text
from hauberk.core.errors import DataError, check_known

State = Literal["passed", "failed", "waived", "unknown", "not-applicable"]
Severity = Literal["critical", "high", "medium", "low"]

STATES: tuple[State, ...] = ("failed", "unknown", "waived", "passed", "not-applicable")
"""The worst first. ``unknown``: what would decide it is not there, so it counts as failed does."""

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


@dataclass(frozen=True)
class Subject:
    """What a finding is about.

    Args:
        kind: ``model``, ``package``, ``vault``, ``deployment``, ``repository``, ``data``, ``environment``.
        name: as its owner calls it.
        digest: ``sha256:…``, or None for what has none (a running server).
    """

    kind: str
    name: str
    digest: str | None = None

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_json(cls, value: Any, *, where: str) -> Subject:
        """Raises ``DataError``: not a subject."""
        if not isinstance(value, dict) or value.keys() != {"kind", "name", "digest"}:
            raise DataError(f"{where} must have 'kind', 'name' and 'digest'")
        texts = isinstance(value["kind"], str) and isinstance(value["name"], str)
        if not texts or not isinstance(value["digest"], str | None):
            raise DataError(f"{where}: 'kind', 'name' and 'digest' are texts")
        return cls(**value)


@dataclass(frozen=True)
class Excuse:
    """The waiver under which a failed finding is let pass, as it is shown beside it.

    Args:
        by: the name of the key that signed it.
        reason: in its signer's words.
        until: RFC 3339, when it ends.
        digest: of the waiver's file.
        was: the finding's state without it.
    """

    by: str
    reason: str
    until: str
    digest: str
    was: Literal["failed", "unknown"]

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule's answer about one subject.

    Args:
        rule: its id, such as ``robustness.worst-case``.
        seen: what there is; ``needed`` is what the policy asks for.
        gain: what an attacker gets where this fails.
        evidence: digests of the documents the answer rests on; ``hauberk verify`` checks each.
        fix: commands that mend it; empty where no command does.
        names: what others call the threat.
        figures: what was measured and what was asked for, for machines: JSON values.
        excuse: with the state ``waived``, and only then.

    Raises:
        UnknownName: a state or severity that does not exist.
        DataError: ``waived`` without an excuse, or an excuse without being ``waived``.
    """

    rule: str
    state: State
    severity: Severity
    subject: Subject
    seen: Text
    needed: Text
    gain: Text
    evidence: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    names: Names = field(default_factory=Names)
    figures: Mapping[str, Any] = field(default_factory=dict)
    excuse: Excuse | None = None

    def __post_init__(self) -> None:
        check_known([self.state], STATES, what="state", where=f"the finding of {self.rule}")
        check_known([self.severity], SEVERITIES, what="severity", where=f"the finding of {self.rule}")
        if (self.state == "waived") != (self.excuse is not None):
            raise DataError(f"the finding of {self.rule}: what is waived has an excuse, and nothing else has")

    @property
    def open(self) -> bool:
        """Whether somebody has to act: it failed, or nobody can say that it did not."""
        return self.state in ("failed", "unknown")

    def to_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "state": self.state,
            "severity": self.severity,
            "subject": self.subject.to_json(),
            "seen": self.seen.to_json(),
            "needed": self.needed.to_json(),
            "gain": self.gain.to_json(),
            "evidence": list(self.evidence),
            "fix": list(self.fix),
            "names": self.names.to_json(),
            "figures": dict(self.figures),
            "excuse": None if self.excuse is None else self.excuse.to_json(),
        }

    @classmethod
    def from_json(cls, value: Any, *, where: str = "finding") -> Finding:
        """Read one back.

        Raises:
            DataError: not a finding.
        """
        if not isinstance(value, dict) or value.keys() != {one.name for one in fields(cls)}:
            raise DataError(f"{where} is no finding: it lacks keys, or has others")
        for name in ("evidence", "fix"):
            if not isinstance(value[name], list) or not all(isinstance(one, str) for one in value[name]):
                raise DataError(f"{where}: '{name}' must be a list of texts")
        if not isinstance(value["rule"], str) or not isinstance(value["figures"], dict):
            raise DataError(f"{where}: 'rule' is a text and 'figures' an object")
        excuse = value["excuse"]
        try:
            return cls(
                rule=value["rule"],
                state=value["state"],
                severity=value["severity"],
                subject=Subject.from_json(value["subject"], where=f"{where}, subject"),
                **{
                    name: Text.from_json(value[name], where=f"{where}, {name}")
                    for name in ("seen", "needed", "gain")
                },
                evidence=tuple(value["evidence"]),
                fix=tuple(value["fix"]),
                names=Names.from_json(value["names"], where=f"{where}, names"),
                figures=value["figures"],
                excuse=None if excuse is None else Excuse(**excuse),
            )
        except TypeError as error:
            raise DataError(f"{where}: the excuse is malformed: {error}") from error


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity; those of one severity in the order in which they came."""
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))
