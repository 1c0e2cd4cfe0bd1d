"""All rules in the order in which they are read, and what cannot be asked at once."""

from __future__ import annotations

from collections.abc import Mapping

from hauberk.assurance.rule import Rule, Value

CATALOGUE: tuple[Rule, ...] = ()


def contradictions(values: Mapping[str, Mapping[str, Value]]) -> list[str]:
    """What no target can meet, in words.

    Args:
        values: parameters by rule, of the rules that are asked for.
    """
    return []
