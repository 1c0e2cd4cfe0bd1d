"""Findings as SARIF 2.1.0, which code hosts and CI systems show beside the file."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hauberk.protection.scan.finding import Finding, Scan
from hauberk.protection.scan.rules import RULES

_LEVEL = {"high": "error", "medium": "warning", "low": "note"}
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def to_sarif(found: Scan) -> dict[str, Any]:
    """One run, with all rules and a result for each finding."""
    order = {rule: place for place, rule in enumerate(RULES)}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hauberk scan",
                        "version": metadata.version("hauberk"),
                        "rules": [_rule(rule) for rule in RULES],
                    },
                    "extensions": [
                        {"name": name, "version": version}
                        for name, version in found.scanners.items()
                        if version is not None
                    ],
                },
                "invocations": [
                    {
                        "executionSuccessful": not found.unread,
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": f"{one.path}: {one.reason}"}}
                            for one in found.unread
                        ],
                    }
                ],
                "artifacts": [
                    {
                        "location": {"uri": _uri(found, one.path)},
                        "length": one.size_bytes,
                        "hashes": {"sha-256": one.digest.removeprefix("sha256:")},
                    }
                    for one in found.files
                ],
                "results": [_result(found, one, order[one.rule]) for one in found.findings],
            }
        ],
    }


def _rule(name: str) -> dict[str, Any]:
    rule = RULES[name]
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"An attacker {rule.gains}."},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
    }


def _result(found: Scan, one: Finding, index: int) -> dict[str, Any]:
    place: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": _uri(found, one.path)}}}
    if one.where:
        place["logicalLocations"] = [{"fullyQualifiedName": one.where}]
    identity = "\n".join((one.rule, one.path, one.where, one.message))
    return {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": _LEVEL[one.severity],
        "message": {"text": f"{one.line}. An attacker {one.gains}. {one.remedy[0].upper()}{one.remedy[1:]}."},
        "locations": [place],
        "partialFingerprints": {"hauberkFinding/v1": hashlib.sha256(identity.encode()).hexdigest()},
    }


def _uri(found: Scan, path: str) -> str:
    """Relative to where the scan was started, as code hosts expect it."""
    root = Path(found.path)
    return quote((root / path if root.is_dir() else root).as_posix())
