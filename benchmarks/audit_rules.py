"""Writes the tables of docs/audit.md from the rules themselves: python benchmarks/audit_rules.py

No benchmark: the pages' tables are all put in place from here. A test fails where the page is stale.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from pages import put

from hauberk.assurance.catalogue import CATALOGUE
from hauberk.assurance.rule import PROFILES, Parameter, Rule, Value

PAGE = Path(__file__).parent.parent / "docs" / "audit.md"


def table() -> str:
    """All rules by area: what must hold, why, the figures in each profile, and the names of the threat."""
    parts = []
    for area, rules in groupby(CATALOGUE, key=lambda one: one.area):
        parts.append(f"### {area}\n")
        parts += [_rule(one) for one in rules]
    return "\n" + "\n".join(parts) + "\n"


def _rule(rule: Rule) -> str:
    since = "" if rule.since == "low" else f", from profile {rule.since} on"
    lines = [
        f"**`{rule.id}`** {rule.title.en} ({rule.severity}{since}). {rule.explanation.en}",
        f"An attacker {rule.gain.en}.",
    ]
    if rule.parameters:
        lines += ["", "| parameter | " + " | ".join(PROFILES) + " | unit | |", "| --- " * 6 + "|"]
        lines += [_row(one) for one in rule.parameters]
    names = [one for each in rule.names.to_json().values() for one in each]
    return "\n".join([*lines, "", "*" + "; ".join(names) + "*", ""])


def _row(one: Parameter) -> str:
    values = " | ".join(_shown(one.values[profile]) for profile in PROFILES)
    return f"| `{one.name}` | {values} | {one.unit or '–'} | {one.title.en} |"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    put(PAGE, "audit rules", table())
