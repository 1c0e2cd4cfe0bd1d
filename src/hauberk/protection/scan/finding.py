"""What a scan found, as plain frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hauberk.core.errors import check_known
from hauberk.protection.scan.rules import RULES, SEVERITIES

SCHEMA = "hauberk-scan/1"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong with one file.

    Args:
        rule: the rule's id, one of ``RULES``.
        path: the file, relative to what was scanned.
        where: the place within it, such as ``archive/data.pkl at byte 112``; "" for the file as a whole.
        message: what stands there.
        by: who saw it: ``hauberk``, ``picklescan``, ``fickling``.
    """

    rule: str
    path: str
    where: str
    message: str
    by: tuple[str, ...] = ("hauberk",)

    def __post_init__(self) -> None:
        check_known([self.rule], RULES, what="rule", where="Finding(rule=…)")

    @property
    def severity(self) -> str:
        """``high``, ``medium`` or ``low``."""
        return RULES[self.rule].severity

    @property
    def gains(self) -> str:
        """What an attacker gets from it."""
        return RULES[self.rule].gains

    @property
    def remedy(self) -> str:
        """What to do."""
        return RULES[self.rule].remedy

    @property
    def line(self) -> str:
        """The finding as one line, without its path."""
        return f"{self.where}: {self.message}" if self.where else self.message

    def to_json(self) -> dict[str, Any]:
        words = {"severity": self.severity, "gains": self.gains, "remedy": self.remedy}
        return {**asdict(self), "by": list(self.by), **words}


@dataclass(frozen=True, kw_only=True)
class Looked:
    """One file that was looked at.

    Args:
        kind: what its content says it is, such as ``torch``, ``pickle``, ``safetensors``.
        digest: ``sha256:…`` of the bytes that were looked at.
    """

    path: str
    kind: str
    size_bytes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Unread:
    """One file that could not be looked at, and why."""

    path: str
    reason: str
    hint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The outcome of one scan.

    Args:
        path: what was scanned.
        files: all that was looked at, in order of their paths.
        findings: the worst first.
        unread: what could not be looked at; a scan with any of these is not clean.
        scanners: versions of the scanners that took part; None for one that is not installed.
    """

    path: str
    files: tuple[Looked, ...]
    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...] = ()
    scanners: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Everything was looked at, and nothing was found."""
        return not self.findings and not self.unread

    @property
    def counts(self) -> dict[str, int]:
        """Findings by severity."""
        return {one: sum(found.severity == one for found in self.findings) for one in SEVERITIES}

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "path": self.path,
            "clean": self.clean,
            "counts": self.counts,
            "findings": [one.to_json() for one in self.findings],
            "unread": [asdict(one) for one in self.unread],
            "files": [asdict(one) for one in self.files],
            "scanners": dict(self.scanners),
        }
