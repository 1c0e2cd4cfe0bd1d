"""Packages and documents to audit, made from the specifications alone: no torch, no training."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hauberk.assurance.auditing import judge
from hauberk.assurance.finding import Finding
from hauberk.assurance.gathering.gather import Sources, gather
from hauberk.assurance.layer import Layer
from hauberk.assurance.policy import resolve
from hauberk.assurance.rule import Profile
from hauberk.assurance.target import Target
from hauberk.assurance.trust import Trust
from hauberk.core.canonical import canonical_bytes, digest
from hauberk.core.evidence import Evidence

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BORN, LATER = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
DATA = {"name": "digits/test", "samples": 500, "digest": "sha256:" + "d" * 64}
THREAT = {"norm": "linf", "eps": 0.1, "targeted": False, "knowledge": "white-box", "queries": None}


@dataclass(frozen=True)
class Made:
    """A package in its folder, with an empty folder of evidence beside it."""

    path: Path
    model: str
    package: str

    @property
    def evidence(self) -> Path:
        return self.path.parent / "evidence"

    def add(self, kind: str, result: Mapping[str, Any], *, name: str = "", **fields: Any) -> Evidence:
        """Write a document about this model, later than it; any field can be another one."""
        own: dict[str, Any] = {
            "subject": {"name": self.path.name, "digest": self.model},
            "inputs": {"dataset": DATA},
            "created": LATER,
        }
        one = Evidence(kind=kind, result=result, **{**own, **fields})
        one.save(self.evidence, name or None)
        return one


def make(
    path: Path, *, seed: int = 0, born: Mapping[str, Any] | None = None, before: tuple[Evidence, ...] = ()
) -> Made:
    """A package with one tensor of random bytes, and the record of its training.

    Args:
        born: fields of that record in place of the usual ones; ``before`` are records of earlier steps.
    """
    body = hashlib.shake_256(f"{seed}".encode()).digest(400)
    header = json.dumps({"weight": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}})
    header += " " * (-len(header) % 8)
    weights = struct.pack("<Q", len(header)) + header.encode() + body
    contract = {
        "architecture": {"name": "cnn", "args": {}},
        "input": {"shape": [1, 8, 8], "bounds": [0.0, 1.0], "normalization": None},
        "outputs": "logits",
        "labels": ["0", "1"],
    }
    model = digest({**contract, "weights": f"sha256:{hashlib.sha256(weights).hexdigest()}"})
    own: dict[str, Any] = {
        "kind": "training",
        "subject": {"name": path.name, "digest": model},
        "inputs": {"dataset": {**DATA, "name": "digits/train"}},
        "created": BORN,
    }
    steps = (*before, Evidence(**{**own, **(born or {})}))
    listed = {"weights.safetensors": weights} | {
        f"evidence/{place:02d}-{one.kind}.json": canonical_bytes(one.to_json())
        for place, one in enumerate(steps)
    }
    manifest: dict[str, Any] = {
        "format": "hauberk-model/1",
        **contract,
        "model": model,
        "provenance": [one.digest for one in steps],
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            for name, data in listed.items()
        },
    }
    manifest["digest"] = digest(manifest)
    for name, data in {**listed, "model.json": json.dumps(manifest, indent=1).encode()}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    (path.parent / "evidence").mkdir(exist_ok=True)
    return Made(path, model, manifest["digest"])


def evaluation(made: Made, **changes: Any) -> Evidence:
    """A worst case that the standard profile accepts; ``changes`` of its result, ``parameters`` and fields."""
    fields = {name: changes.pop(name) for name in ("subject", "created", "name") if name in changes}
    parameters = {"threat": THREAT, "attacks": "standard", **changes.pop("parameters", {})}
    result = {
        "samples": 500,
        "clean_accuracy": 0.95,
        "clean_interval": [0.93, 0.97],
        "robust_accuracy": 0.6,
        "robust_interval": [0.55, 0.65],
        "attacks": [],
        "flags": [],
        **changes,
    }
    return made.add("evaluation", result, parameters=parameters, **fields)


def facts(place: Path | str, *, trust: Trust | None = None, **sources: Any) -> Target:
    """What is gathered of a target, without this machine's environment."""
    return gather(place, trust or Trust(), Sources(environment=False, **sources), at=NOW)


def ask(target: Target, rule: str, profile: Profile = "standard", **values: Any) -> list[Finding]:
    """One rule's findings, with the figures of a profile but for ``values``."""
    policy = resolve(Layer(plain={"profile": profile}, rules={rule: values}))
    kept = {rule: policy.settings[rule]}
    return list(judge(target, replace(policy, settings=kept)).findings)


def states(target: Target, rule: str, profile: Profile = "standard", **values: Any) -> list[str]:
    """The same, states alone."""
    return [one.state for one in ask(target, rule, profile, **values)]
