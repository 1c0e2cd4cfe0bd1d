"""All rules in the order in which they are read, and what cannot be asked at once."""

from __future__ import annotations

from collections.abc import Mapping

from hauberk.assurance.environment.rules import RULES as ENVIRONMENT
from hauberk.assurance.rule import Rule, Value
from hauberk.assurance.rules import access, integrity, keeping, privacy, property, robustness, serving

CATALOGUE: tuple[Rule, ...] = (
    *integrity.RULES,
    *robustness.RULES,
    *privacy.RULES,
    *property.RULES,
    *access.RULES,
    *serving.RULES,
    *keeping.RULES,
    *ENVIRONMENT,
)


def contradictions(values: Mapping[str, Mapping[str, Value]]) -> list[str]:
    """What no target can meet, or what asks for one thing under two names, in words.

    Args:
        values: parameters by rule, of the rules that are asked for.
    """
    found = []
    worst, certified = values.get("robustness.worst-case"), values.get("robustness.certified")
    if worst and certified and certified["norm"] == worst["norm"]:
        larger = _number(certified["eps"]) >= _number(worst["eps"])
        if larger and _number(certified["least"]) > _number(worst["least"]):
            found.append(
                f"robustness.certified asks for {certified['least']} proven at a radius of "
                f"{certified['eps']:.4g}, "
                f"robustness.worst-case for only {worst['least']} at {worst['eps']:.4g}: what is proven is "
                "also "
                "right in the worst case"
            )
    keys = values.get("access.stale-keys")
    if keys and _number(keys["unused_days"]) > _number(keys["age_days"]):
        found.append(
            f"access.stale-keys lets a key be unused for {keys['unused_days']} days, and be no older than "
            f"{keys['age_days']}"
        )
    membership = values.get("privacy.membership")
    if membership and _number(membership["tpr"]) > _number(membership["advantage"]) + 0.01:
        found.append(
            f"privacy.membership allows {membership['tpr']} of members to be found at one false alarm in a "
            "hundred, "
            f"and an advantage of {membership['advantage']}: the first alone is a larger advantage"
        )
    return found


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
