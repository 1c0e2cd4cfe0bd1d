"""Yes or no: what must hold of a model, its data and its environment, and whether it does.

    from hauberk.assurance import Sources, audit, load_policy

    verdict = audit("models/mine", load_policy(["policy.toml"]), Sources(ledger="ledger"))
    verdict.passed, verdict.failing
    verdict.to_evidence().save("audit")

    finding, verdict, waiver, rule, policy, target   the words
    gathering/                                       reads packages, vaults, servers, repositories
    rules/                                           the rules, by area
    environment/                                     vulnerable packages, hardening, secrets in files
    auditing                                         facts, rules, waivers, one answer
    formats/                                         text, SARIF, JUnit XML, the page
    checking                                         a verdict that somebody shows, checked again

What gathers does not judge, and what judges opens no file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hauberk.assurance.auditing import audit
    from hauberk.assurance.finding import Finding, Subject
    from hauberk.assurance.gathering.gather import Sources
    from hauberk.assurance.policy import Policy, load_policy
    from hauberk.assurance.target import Target
    from hauberk.assurance.verdict import Verdict
    from hauberk.assurance.waiver import Waiver

_WHERE = {
    "Finding": "finding",
    "Policy": "policy",
    "Sources": "gathering.gather",
    "Subject": "finding",
    "Target": "target",
    "Verdict": "verdict",
    "Waiver": "waiver",
    "audit": "auditing",
    "load_policy": "policy",
}

__all__ = ["Finding", "Policy", "Sources", "Subject", "Target", "Verdict", "Waiver", "audit", "load_policy"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'hauberk.assurance' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
