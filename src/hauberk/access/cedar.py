"""Decisions by Cedar: rules become policies of its language, and its engine says which of them decided.

Only the rules that speak of one identity and one action are handed to it. Each policy names the identity and
the action all the same, so that a wrong choice of rules could refuse too much, and never allow too much.

Source: Cedar's language reference (https://docs.cedarpolicy.com): a request is allowed where a permit applies
and no forbid does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hauberk.access.words import ANY, Rule, check_name, expand, split_pattern
from hauberk.core.errors import IntegrityError

if TYPE_CHECKING:
    from cedarpy import PolicySet


@dataclass(frozen=True)
class Verdict:
    """An answer and its reasons.

    Args:
        why: the rules that allowed or refused, by name.
    """

    allowed: bool
    why: tuple[str, ...]


NO_RULE = "no rule allows it"


@dataclass(frozen=True)
class Named:
    """A rule as it applies to one identity.

    Args:
        name: by which the trail and ``explain`` call it.
        within: a further pattern, that of the grant through which the rule applies.
    """

    name: str
    rule: Rule
    within: str = ANY


def policies(
    identity: str, action: str, rules: Iterable[Named], scopes: Sequence[Rule] = (), scope_name: str = ""
) -> str:
    """The policies of one identity for one action, in Cedar's language.

    Args:
        scopes: what the key in his hand is for; empty where there is no such limit.
    """
    head = f'principal == Identity::"{check_name(identity)}", action == Action::"{action}", resource'
    made = [
        _policy(
            one.name, "permit" if one.rule.effect == "allow" else "forbid", head, [one.rule.pattern, one.within]
        )
        for one in rules
        if action in expand(one.rule.action)
    ]
    if scopes:
        inside = [f"({_matches([one.pattern])})" for one in scopes if action in expand(one.action)]
        made.append(f'@id("{scope_name}")\nforbid ({head})\nunless {{ {" || ".join(inside) or "false"} }};\n')
    return "\n".join(made)


def ask(compiled: PolicySet, identity: str, action: str, model: str, versions: Sequence[str]) -> Verdict:
    """What the policies say.

    Raises:
        IntegrityError: a policy could not be applied; nothing is allowed then.
    """
    from cedarpy import is_authorized

    resource = {"type": "Model", "id": model}
    asked = {
        "principal": {"type": "Identity", "id": identity},
        "action": {"type": "Action", "id": action},
        "resource": resource,
        "context": {},
    }
    attributes = {"name": model, "versions": list(versions)}
    entities = json.dumps([{"uid": resource, "attrs": attributes, "parents": []}])
    answer = is_authorized(asked, compiled, entities)
    if answer.diagnostics.errors:
        raise IntegrityError("a rule of access cannot be applied: the tables of access were changed")
    names = answer.diagnostics.id_annotations_by_reason
    why = tuple(sorted(names.get(one, one) for one in answer.diagnostics.reasons))
    return Verdict(answer.allowed, why or (NO_RULE,))


def compiled(text: str) -> PolicySet:
    """Policies ready to be asked. Cost: about 20 microseconds for each."""
    from cedarpy import PolicySet

    return PolicySet.from_str(text)


def _policy(name: str, effect: str, head: str, patterns: Sequence[str]) -> str:
    condition = _matches(patterns)
    when = f"\nwhen {{ {condition} }}" if condition != "true" else ""
    return f'@id("{name}")\n{effect} ({head}){when};\n'


def _matches(patterns: Sequence[str]) -> str:
    """The condition that a model fits all patterns."""
    conditions = []
    for one in dict.fromkeys(patterns):
        model, version = split_pattern(one)
        if model != ANY:
            conditions.append(f'resource.name like "{model}"')
        if version is not None:
            conditions.append(f'resource.versions.contains("{version}")')
    return " && ".join(conditions) or "true"
