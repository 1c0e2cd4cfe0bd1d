"""A vault with something in it: versions that were measured, one revoked, one in production, one asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hauberk.core.evidence import Evidence
from hauberk.vault import Vault, promote, push, revoke
from hauberk.vault.gate import OwnerGate

SAMPLES = 200
THREAT = {"norm": "linf", "eps": 0.2, "targeted": False, "knowledge": "white-box", "queries": None}


class As(OwnerGate):
    """Everything is allowed, to somebody with a name."""

    def __init__(self, actor: str) -> None:
        self.actor = actor


def evaluated(package: Path, clean: float, robust: float, day: int, **more: Any) -> Evidence:
    """An evaluation of a package, as the schema has it."""
    result = {
        "samples": SAMPLES,
        "clean_accuracy": clean,
        "clean_interval": [clean - 0.02, min(1.0, clean + 0.02)],
        "robust_accuracy": robust,
        "robust_interval": [robust - 0.05, robust + 0.05],
        "attacks": [],
        "verdicts": [],
        "gallery": [],
        "flags": [],
    }
    return Evidence(
        kind="evaluation",
        subject={"name": "digits", "digest": json.loads((package / "model.json").read_text())["model"]},
        parameters={"threat": THREAT, "alone": [], "attacks": []},
        result={**result, **more},
        created=f"2026-03-{day:02}T09:30:00Z",
    )


def stock(vault: Vault, nets: Sequence[Path], folder: Path) -> None:
    """``digits@1`` in production, ``digits@2`` that withstands more, and ``flowers@1``, revoked."""
    vault.gate = As("tom")
    for number, (net, robust) in enumerate(zip(nets, (0.31, 0.74), strict=True), 1):
        own = folder / f"evidence-{number}"
        evaluated(net, 0.95, robust, number).save(own)
        push(vault, net, "digits", evidence=own)
    push(vault, nets[0], "flowers", evidence=folder / "none")
    revoke(vault, "flowers@1", "trained on pictures that nobody may use")
    promote(vault, "digits@1", "production")
