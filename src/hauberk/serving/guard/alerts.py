"""Alerts: what was found, about whom, and why; and where they go."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter

from hauberk.serving.guard.policy import Action, Finding
from hauberk.serving.logs import tell

_LOGGED = ("finding", "action", "name", "model", "score", "looks", "reason", "facts")


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One finding.

    Args:
        caller: None where it is about a model's traffic as a whole.
        name: what the model is called here.
        model: the package's digest.
        at: RFC 3339.
        score: nats of evidence, or what ``reason`` says.
        looks: the caller's questions to this model when it was found.
        facts: counts behind it; never an input.
    """

    finding: Finding
    action: Action
    caller: str | None
    name: str
    model: str
    at: str
    score: float
    looks: int
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class AlertSink(Protocol):
    """Whoever wants to know; must be quick and must not raise."""

    def alert(self, alert: Alert) -> None: ...


class LogSink:
    """Writes alerts to the log, one line each; about whom they are is for the trail to say."""

    def alert(self, alert: Alert) -> None:
        told = alert.to_json()
        tell("guard-alert", level=logging.WARNING, **{name: told[name] for name in _LOGGED})


class ListSink:
    """Keeps alerts until somebody takes them."""

    def __init__(self, found: list[Alert]) -> None:
        self._found = found

    def alert(self, alert: Alert) -> None:
        self._found.append(alert)


class CountSink:
    """Counts alerts by finding and action, for metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter(
            "hauberk_guard_alerts", "Alerts of the guard.", ("finding", "action"), registry=registry
        )

    def alert(self, alert: Alert) -> None:
        self._counter.labels(alert.finding.value, alert.action.value).inc()


class Sinks:
    """Tells several."""

    def __init__(self, sinks: Sequence[AlertSink]) -> None:
        self._sinks = tuple(sinks)

    def alert(self, alert: Alert) -> None:
        for one in self._sinks:
            one.alert(alert)
