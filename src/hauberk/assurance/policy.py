"""The policy: which rules hold here, with which figures, and whose word counts.

A policy is a profile (``low``, ``standard``, ``high``, by what is at stake) and changes to it. Without a file
it is ``standard``, which asks what a careful bank would ask of a model that its customers depend on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from hauberk.assurance.finding import SEVERITIES, Severity
from hauberk.assurance.layer import FORMAT, OWN, Layer, read_layer
from hauberk.assurance.rule import PROFILES, Profile, Rule, Value
from hauberk.assurance.trust import Trust, read_trust
from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError, check_known

DEFAULT: Profile = "standard"
_WAIVER_DAYS: dict[Profile, int] = {"low": 180, "standard": 90, "high": 30}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One rule as a policy wants it.

    Args:
        values: the rule's parameters, all of them.
        off: why the rule does not count, in the policy's words; None where it does.
    """

    rule: Rule
    severity: Severity
    values: Mapping[str, Value] = field(default_factory=dict)
    off: str | None = None

    def to_json(self) -> dict[str, Any]:
        if self.off is not None:
            return {"off": self.off}
        values = {name: list(one) if isinstance(one, tuple) else one for name, one in self.values.items()}
        return {"severity": self.severity, "values": values}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What must hold.

    Args:
        settings: every rule that the policy asks for or switches off by name, by id.
        fail_at: the least severity whose open findings fail the whole.
        waivers_at_most_days: a waiver that was given for longer does not count; 0: none counts.
    """

    name: str
    profile: Profile
    settings: Mapping[str, Setting]
    fail_at: Severity = "low"
    waivers_at_most_days: int = 90
    trust: Trust = field(default_factory=Trust)

    @cached_property
    def digest(self) -> str:
        """Names every figure and every trusted key, and no wording."""
        return digest(
            {
                "format": FORMAT,
                "profile": self.profile,
                "fail_at": self.fail_at,
                "waivers_at_most_days": self.waivers_at_most_days,
                "trust": self.trust.to_json(),
                "rules": {name: one.to_json() for name, one in self.settings.items()},
            }
        )

    def counts(self, severity: Severity) -> bool:
        """Whether an open finding of this severity fails the whole."""
        return SEVERITIES.index(severity) <= SEVERITIES.index(self.fail_at)


def load_policy(
    paths: Iterable[str | Path] = (), *, profile: Profile | None = None, rules: Iterable[Rule] | None = None
) -> Policy:
    """The policy of some files, each over the ones before.

    Args:
        profile: in place of the one that the files name.
        rules: all there are [default: Hauberk's catalogue].

    Raises:
        DataError, UnknownName, ConfigError: as ``read_layer``, and for a policy that contradicts itself.
    """
    layer, paths = Layer(), list(paths)
    for path in paths:
        layer = layer.merge(read_layer(path))
    if profile is not None:
        layer = layer.merge(Layer(plain={"profile": profile}))
    return resolve(layer, rules, where=", ".join(str(one) for one in paths) or "the policy")


def resolve(layer: Layer, rules: Iterable[Rule] | None = None, *, where: str = "the policy") -> Policy:
    """The policy that a layer makes of its profile; raises as ``load_policy``, with ``where`` in its words."""
    from hauberk.assurance.catalogue import CATALOGUE, contradictions

    known = {one.id: one for one in (CATALOGUE if rules is None else rules)}
    check_known(layer.rules, known, what="rule", where=where)
    profile = layer.plain.get("profile", DEFAULT)
    check_known([profile], PROFILES, what="profile", where=where)
    settings = {
        name: setting
        for name, rule in known.items()
        if (setting := _setting(rule, profile, layer.rules.get(name), where)) is not None
    }
    against = contradictions({name: one.values for name, one in settings.items() if one.off is None})
    if against:
        raise ConfigError(f"{where} contradicts itself: {against[0]}")
    return Policy(
        name=layer.plain.get("name", f"Hauberk {profile}"),
        profile=profile,
        settings=settings,
        fail_at=layer.plain.get("fail_at", "low"),
        waivers_at_most_days=layer.plain.get("waivers_at_most_days", _WAIVER_DAYS[profile]),
        trust=read_trust(dict(layer.trust)),
    )


def _setting(rule: Rule, profile: Profile, changes: Mapping[str, Any] | None, policy: str) -> Setting | None:
    """None where neither profile nor policy asks for the rule; a rule that is changed is asked for."""
    if changes is None:
        if not rule.asked_in(profile):
            return None
        return Setting(rule=rule, severity=rule.severity, values=rule.defaults(profile))
    if changes.get("use") is False:
        return Setting(rule=rule, severity=rule.severity, off=str(changes["because"]))
    where = f"{policy}, [rules.{rule.id}]"
    known = {one.name: one for one in rule.parameters}
    given = {name: value for name, value in changes.items() if name not in OWN}
    check_known(given, known, what="parameter", where=where)
    values = rule.defaults(profile) | {name: known[name].check(value, where) for name, value in given.items()}
    severity = cast(Severity, changes.get("severity", rule.severity))
    return Setting(rule=rule, severity=severity, values=values)
