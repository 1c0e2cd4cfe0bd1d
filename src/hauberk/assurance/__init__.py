"""Yes or no: what must hold of a model, its data and its environment, and whether it does.

    target = gather("models/mine", policy.trust)          facts, read once, nothing judged
    verdict = audit("models/mine", load_policy())         a finding for each rule, and one answer
    verdict.to_evidence().save("evidence")                the verdict is evidence itself

    finding, verdict, waiver, rule, policy, target   the words
    gathering/                                       reads packages, vaults, servers, repositories
    rules/                                           the rules, by area
    environment/                                     vulnerable packages, hardening, secrets in files
    formats/                                         text, SARIF, JUnit

What gathers does not judge, and what judges opens no file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hauberk.assurance.finding import Finding, Subject
    from hauberk.assurance.policy import Policy, load_policy
    from hauberk.assurance.target import Target
    from hauberk.assurance.verdict import Verdict
    from hauberk.assurance.waiver import Waiver

_WHERE = {
    "Finding": "finding",
    "Policy": "policy",
    "Subject": "finding",
    "Target": "target",
    "Verdict": "verdict",
    "Waiver": "waiver",
    "load_policy": "policy",
}

__all__ = ["Finding", "Policy", "Subject", "Target", "Verdict", "Waiver", "load_policy"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'hauberk.assurance' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
