"""Where a package comes from, as an in-toto statement with SLSA's provenance predicate.

Everything in it is taken from ``model.json`` and the evidence: the same package gives the same statement, byte
for byte, and anybody can make it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hauberk.core.evidence import Evidence

if TYPE_CHECKING:
    from hauberk.models import Package

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:hauberk:evidence:1"
BUILDER = "urn:hauberk"


def statement(package: Package, digests: Mapping[str, str]) -> dict[str, Any]:
    """The statement about a package.

    Args:
        digests: SHA-256 of its files in hex, by name; the provenance itself is left out.
    """
    last = package.evidence[-1] if package.evidence else None
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "architecture": dict(package.manifest["architecture"]),
                    "steps": [_step(one) for one in package.evidence],
                },
                "resolvedDependencies": _inputs(package.evidence),
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": dict(last.versions) if last else {}},
                "metadata": {
                    "invocationId": package.digest,
                    **({"finishedOn": last.created} if last else {}),
                },
            },
        },
    }


def encoded(document: Mapping[str, Any]) -> bytes:
    """The statement as it stands in the package."""
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _step(one: Evidence) -> dict[str, Any]:
    """One step of the model's life: what was done, how, in which environment."""
    return {
        "kind": one.kind,
        "evidence": one.digest,
        "parents": list(one.parents),
        "parameters": dict(one.parameters),
        "seed": one.seed,
        "created": one.created,
        "versions": dict(one.versions),
    }


def _inputs(evidence: tuple[Evidence, ...]) -> list[dict[str, Any]]:
    """Data and models that went in, each once, and the code that ran."""
    found: dict[str, dict[str, Any]] = {}
    for one in evidence:
        for role, what in one.inputs.items():
            digest = what.get("digest") if isinstance(what, Mapping) else None
            if isinstance(digest, str):
                algorithm, _, value = digest.partition(":")
                name = f"{role}:{what.get('name', '')}"
                found[f"{name} {digest}"] = {"name": name, "digest": {algorithm: value}}
        for name in ("hauberk", "torch"):
            version = one.versions.get(name)
            if version:
                uri = f"pkg:pypi/{name}@{version}"
                found[uri] = {"name": name, "uri": uri}
    return [found[key] for key in sorted(found)]
