"""Which rules speak of a question, and which of them decided it."""

from __future__ import annotations

from dataclasses import dataclass

from hauberk.access.cedar import Named, Verdict
from hauberk.access.changes import identity_row, milliseconds, state_row
from hauberk.access.deciding import Caller, Question, View
from hauberk.access.words import ANY, check_action, expand
from hauberk.core.clock import Clock, now
from hauberk.core.database import Database


@dataclass(frozen=True)
class Spoken:
    """A rule that speaks of the action.

    Args:
        decided: whether it is among the reasons of the answer.
    """

    named: Named
    decided: bool

    def __str__(self) -> str:
        rule, within = self.named.rule, self.named.within
        also = f" and within {within}" if within not in (ANY, rule.pattern) else ""
        return f"{self.named.name}: {rule.effect} {rule.action} on {rule.pattern}{also}"


@dataclass(frozen=True)
class Explanation:
    """Args:
    verdict: the answer and its reasons, by name.
    rules: all rules of this identity that speak of the action, those that decided first.
    """

    verdict: Verdict
    rules: tuple[Spoken, ...]


def explain(
    database: Database, name: str, question: Question, *, key: str | None = None, clock: Clock = now
) -> Explanation:
    """What an identity would be answered, and why; nothing is written.

    Args:
        key: the identifier of one of its API keys, whose scopes count too.

    Raises:
        ConfigError: no such identity, or no such action.
    """
    check_action(question.action)
    with database.read() as connection:
        identity_row(connection, name)
        view = View(state_row(connection, database.where).epoch)
        verdict = view.decide(connection, Caller(name, "", key), question, milliseconds(clock()))
        rules = view.rules(connection, name) or ()
    spoken = [
        Spoken(one, one.name in verdict.why) for one in rules if question.action in expand(one.rule.action)
    ]
    return Explanation(verdict, tuple(sorted(spoken, key=lambda one: not one.decided)))
