"""A rule: what is asked, why, of what, with which figures, and the code that looks.

The code gets what was gathered and the figures the policy sets, and says what it saw. It opens no file, asks no
server and knows no waiver, so that the same facts always get the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hauberk.assurance.finding import Finding, Severity, State, Subject
from hauberk.assurance.names import Names
from hauberk.assurance.text import Text
from hauberk.core.errors import ConfigError
from hauberk.core.settings import is_number

if TYPE_CHECKING:
    from hauberk.assurance.target import Target

Profile = Literal["low", "standard", "high"]
PROFILES: tuple[Profile, ...] = ("low", "standard", "high")
"""By what is at stake. low: an experiment inside of the house. standard: customers depend on it. high: it
decides about people or money."""

Value = float | int | bool | str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One figure of a rule.

    Args:
        unit: such as ``share``, ``days``, ``input scale``; ``""`` for none.
        values: the default in each profile; all of one kind (bool, int, float, str, tuple of str).
        interval: where a number must lie, as in mathematics; None for any.
    """

    name: str
    unit: str
    title: Text
    values: Mapping[Profile, Value]
    interval: str | None = None

    def check(self, value: Any, where: str) -> Value:
        """The value as this parameter keeps it.

        Raises:
            ConfigError: of another kind, or outside of the interval.
        """
        example = self.values["low"]
        if isinstance(example, tuple):
            if isinstance(value, list | tuple) and all(isinstance(one, str) and one for one in value):
                return tuple(value)
            raise ConfigError(f"{where}: {self.name} must be a list of texts, got {value!r}")
        if isinstance(example, bool | str):
            if isinstance(value, type(example)):
                return value
            words = "true or false" if isinstance(example, bool) else "a text"
            raise ConfigError(f"{where}: {self.name} must be {words}, got {value!r}")
        whole = isinstance(example, int)
        if is_number(value) and self._inside(value) and (not whole or value == int(value)):
            return int(value) if whole else float(value)
        noun = "a whole number" if whole else "a number"
        within = f" in {self.interval}" if self.interval else ""
        unit = f" ({self.unit})" if self.unit else ""
        raise ConfigError(f"{where}: {self.name} must be {noun}{within}{unit}, got {value!r}")

    def _inside(self, value: float) -> bool:
        if self.interval is None:
            return True
        low, high = (float(one) for one in self.interval[1:-1].split(","))
        above = value > low or (value == low and self.interval[0] == "[")
        return above and (value < high or (value == high and self.interval[-1] == "]"))


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a rule's code saw of one subject; with the rule's own words it becomes a finding.

    Args:
        needed: None for the rule's title.
    """

    state: State
    subject: Subject
    seen: Text
    needed: Text | None = None
    evidence: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None


class Check(Protocol):
    """The code of a rule: nothing to say means that the rule does not apply."""

    def __call__(self, target: Target, settings: Mapping[str, Any], /) -> Iterable[Observation]: ...


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that must hold.

    Args:
        id: ``area.what``; stable, policies and waivers refer to it.
        title: what must hold, as one sentence.
        explanation: why, and how the figures were chosen.
        gain: what an attacker gets where it does not hold.
        since: the lowest profile that asks for it.
        check: the code.
    """

    id: str
    title: Text
    explanation: Text
    gain: Text
    severity: Severity
    names: Names
    check: Check
    parameters: tuple[Parameter, ...] = ()
    since: Profile = "low"

    @property
    def area(self) -> str:
        return self.id.partition(".")[0]

    def defaults(self, profile: Profile) -> dict[str, Value]:
        """The figures of a profile."""
        return {one.name: one.values[profile] for one in self.parameters}

    def asked_in(self, profile: Profile) -> bool:
        return PROFILES.index(profile) >= PROFILES.index(self.since)

    def judge(
        self, target: Target, settings: Mapping[str, Any], severity: Severity | None = None
    ) -> list[Finding]:
        """The findings of this rule; one ``not-applicable`` where it has nothing to say."""
        seen = list(self.check(target, settings)) or [_nothing(target)]
        return [self.finding(one, severity) for one in seen]

    def finding(self, one: Observation, severity: Severity | None = None) -> Finding:
        """An observation in this rule's words.

        Args:
            severity: the policy's, in place of the rule's; an observation's own goes before both.
        """
        return Finding(
            rule=self.id,
            state=one.state,
            severity=one.severity or severity or self.severity,
            subject=one.subject,
            seen=one.seen,
            needed=one.needed or self.title,
            gain=self.gain,
            evidence=one.evidence,
            fix=one.fix if one.state in ("failed", "unknown") else (),
            names=self.names,
            figures=one.figures,
        )

    def to_json(self) -> dict[str, Any]:
        """The rule in words, for whoever reads a verdict without this version of Hauberk."""
        return {
            "area": self.area,
            "title": self.title.to_json(),
            "explanation": self.explanation.to_json(),
            "gain": self.gain.to_json(),
            "names": self.names.to_json(),
            "parameters": {
                one.name: {"unit": one.unit, "title": one.title.to_json()} for one in self.parameters
            },
        }


def _nothing(target: Target) -> Observation:
    return Observation(
        state="not-applicable",
        subject=target.subject,
        seen=Text("nothing here that this rule is about", "此处没有该规则所涉及的对象"),
    )
