"""May somebody do something? What is remembered of one epoch answers again without the database.

A ``View`` holds what was read in one epoch: identities with their rules, keys, compiled policies, verdicts.
When the epoch has moved on it is thrown away whole, so that nothing remembered outlives a change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, bindparam, select

from hauberk.access import cedar, granting, schema
from hauberk.access.cedar import Named, Verdict
from hauberk.access.key_store import KeyRecord, find
from hauberk.access.roles import BUILT_IN
from hauberk.access.trail.line import plain
from hauberk.access.words import OWNER, Rule
from hauberk.vault.schema import versions

if TYPE_CHECKING:
    from cedarpy import PolicySet

REVOKED = re.compile(r"version [0-9]+ was revoked: .*")
"""Why a question is refused that the rules allow."""

_PREDICT = "model.predict"
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_MOST_REMEMBERED = 100_000  # verdicts of one epoch; a caller could invent model names for ever

_REVOKED = select(versions.c.revoked_reason).where(
    versions.c.model == bindparam("model"),
    versions.c.number == bindparam("number"),
    versions.c.revoked_ms.is_not(None),
)
_DISABLED = select(schema.identities.c.disabled).where(schema.identities.c.name == bindparam("name"))


class Caller(NamedTuple):  # made for every request, as a question is: a dataclass takes ten times as long
    """Who asks, as far as he was recognised.

    Args:
        name: of an identity, or ``words.OWNER`` for who holds the vault's folder.
        how: by what he was recognised, in a few words for the trail.
        key: the identifier of the API key, whose scopes and end then count too.
    """

    name: str
    how: str
    key: str | None = None


class Question(NamedTuple):
    """What he wants to do.

    Args:
        action: one of ``words.ACTIONS``.
        model: its name; empty for what is done to no model.
        versions: all names of the version, such as ``("3", "production")``: an allowing rule applies where it
            names one of them, and so does a denying one. Empty where no version is meant.
    """

    action: str
    model: str = ""
    versions: tuple[str, ...] = ()


class View:
    """What is known of one epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self._rules: dict[str, tuple[Named, ...] | None] = {}
        self._roles: dict[str, tuple[Rule, ...]] = dict(BUILT_IN)
        self._keys: dict[str, KeyRecord | None] = {}
        self._compiled: dict[tuple[Caller, str], PolicySet] = {}
        self._verdicts: dict[tuple[Caller, Question], tuple[Verdict, KeyRecord | None]] = {}

    def remembered(self, caller: Caller, question: Question, now_ms: int) -> Verdict | None:
        """The answer, if this was asked before."""
        found = self._verdicts.get((caller, question))
        if found is None:
            return None
        verdict, key = found
        return _in_time(verdict, key, now_ms)

    def decide(self, connection: Connection, caller: Caller, question: Question, now_ms: int) -> Verdict:
        """The answer.

        Args:
            connection: in a transaction in which the epoch is this one's.

        Raises:
            IntegrityError: the tables hold what no rule of access can be.

        Cost: up to three questions to the database for an identity that was not seen in this epoch, about 20
        microseconds for each of its rules that speaks of the action, and 40 for Cedar's answer.
        """
        known = self.remembered(caller, question, now_ms)
        if known is not None:
            return known
        if caller.name == OWNER:
            return Verdict(True, ("the owner of the vault's folder",))
        if any(plain(one) != one for one in (question.model, *question.versions)):
            return Verdict(False, ("no model can be called that",))
        key = self.key(connection, caller.key) if caller.key is not None else None
        verdict = self._verdict(connection, caller, key, question)
        if len(self._verdicts) >= _MOST_REMEMBERED:
            self._verdicts.clear()
        self._verdicts[caller, question] = verdict, key
        return _in_time(verdict, key, now_ms)

    def known_key(self, id_: str) -> KeyRecord | None:
        """An API key's record, if it was read before."""
        return self._keys.get(id_)

    def key(self, connection: Connection, id_: str) -> KeyRecord | None:
        """An API key's record."""
        if id_ not in self._keys:
            if len(self._keys) >= _MOST_REMEMBERED:
                self._keys.clear()
            self._keys[id_] = find(connection, id_)
        return self._keys[id_]

    def rules(self, connection: Connection, name: str) -> tuple[Named, ...] | None:
        """All rules that apply to an identity; None where it is disabled or not there."""
        if name not in self._rules:
            self._rules[name] = self._read(connection, name)
        return self._rules[name]

    def _verdict(
        self, connection: Connection, caller: Caller, key: KeyRecord | None, question: Question
    ) -> Verdict:
        rules = self.rules(connection, caller.name)
        if rules is None:
            return Verdict(False, ("the identity is disabled or not there",))
        if caller.key is not None and (key is None or key.identity != caller.name):
            return Verdict(False, ("the key is not there",))
        policies = self._compiled.get((caller, question.action))
        if policies is None:
            scopes: Sequence[Rule] = key.scopes if key else ()
            text = cedar.policies(caller.name, question.action, rules, scopes, f"scope of key {caller.key}")
            policies = self._compiled[caller, question.action] = cedar.compiled(text)
        verdict = cedar.ask(policies, caller.name, question.action, question.model, question.versions)
        if verdict.allowed and question.action == _PREDICT:
            return _revoked(connection, question) or verdict
        return verdict

    def _read(self, connection: Connection, name: str) -> tuple[Named, ...] | None:
        disabled = connection.execute(_DISABLED, {"name": name}).scalar()
        if disabled is None or disabled:
            return None
        grants = granting.granted(connection, name)
        unknown = {one.what for one in grants if not granting.is_action(one.what)} - self._roles.keys()
        if unknown:
            found = granting.own_roles(connection, sorted(unknown))
            self._roles.update({one: found.get(one, ()) for one in unknown})
        return tuple(rule for one in grants for rule in one.rules(self._roles.get(one.what, ())))


def _revoked(connection: Connection, question: Question) -> Verdict | None:
    """No, where the version was taken out of use, by its number; servers learn it here first."""
    for number in (int(one) for one in question.versions if _NUMBER.fullmatch(one)):
        found = connection.execute(_REVOKED, {"model": question.model, "number": number}).first()
        if found is not None:
            return Verdict(False, (f"version {number} was revoked: {found.revoked_reason}",))
    return None


def _in_time(verdict: Verdict, key: KeyRecord | None, now_ms: int) -> Verdict:
    refusal = key.refusal(now_ms) if key is not None else None
    return verdict if refusal is None else Verdict(False, (refusal,))
