"""The one way in: somebody is recognised, a decision is made, the trail is written, and only then is answered.

Whoever is not recognised is refused in the same words, whatever it was that was wrong, and the trail says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import Connection

from hauberk.access import keys
from hauberk.access.accounts import Accounts, Keeper
from hauberk.access.cedar import Verdict
from hauberk.access.certificates import names
from hauberk.access.changes import milliseconds, state_row
from hauberk.access.deciding import Caller, Question, View
from hauberk.access.identities import CERTIFICATE, linked
from hauberk.access.key_store import KeyRecord
from hauberk.access.throttle import Throttle
from hauberk.access.tokens import Bearer, TokenVerifier
from hauberk.access.trail.line import Line, plain
from hauberk.access.trail.ocsf import ALERT, ENTER
from hauberk.access.trail.publishing import Publisher
from hauberk.access.trail.writing import Done, Make, Trail
from hauberk.access.words import OWNER, check_action
from hauberk.core.clock import Clock, now
from hauberk.core.database import Database
from hauberk.core.errors import AccessDenied, DataError, IntegrityError
from hauberk.crypto.secret import Random
from hauberk.ledger.store.log import Log

_KEY, _TOKEN, _CERTIFICATE = (
    "the API key is not valid",
    "the token is not valid",
    "the certificate is not known",
)
_PASSWORD = "the name, the password or the code is wrong"  # noqa: S105 (a message)


class Circumstances(NamedTuple):
    """Where a request comes from, for the trail.

    Args:
        source: the caller's address, without a port; empty on this machine.
        request: its name, such as a header gives it [default: a new one].
        detail: what exactly is to be done, in a few words and without secrets.
    """

    source: str = ""
    request: str = ""
    detail: str = ""


HERE = Circumstances()
_same = lru_cache(maxsize=1024)(plain)  # for words that come again and again


class Access:
    """Who may enter a vault, and what he may do there. Threads can share it.

    Args:
        database: the vault's.
        keeper: the vault's keys, for secret columns.
        start: 32 secret bytes with which the trail begins, made from the vault's key.
        ledger: opens the one into which heads of the trail go; None where they are published by somebody else.
        throttle: how guessing is slowed down.
    """

    def __init__(
        self,
        database: Database,
        keeper: Keeper,
        start: bytes,
        *,
        ledger: Callable[[], Log] | None = None,
        throttle: Throttle | None = None,
        clock: Clock = now,
        random: Random = os.urandom,
    ) -> None:
        self.database, self._clock = database, clock
        self._keeper, self._random = keeper, random
        self.publisher = None if ledger is None else Publisher(database, start, ledger, clock=clock)
        self._throttle, self._view = throttle or Throttle(), View(-1)
        posted = None if self.publisher is None else self.publisher.written_aside
        self._trail = Trail(database, start, posted)

    @cached_property
    def accounts(self) -> Accounts:
        """Passwords and second factors."""
        return Accounts(self.database, self._keeper, clock=self._clock, random=self._random)

    # recognising

    def by_key(self, text: str, where: Circumstances = HERE) -> Caller:
        """Whoever has an API key.

        Raises:
            AccessDenied: it is none, is not known, is revoked, or has expired. Whether its owner may
                do anything is for ``decide``.
            TrailUnavailable: that could not be written down.
        """
        try:
            given = keys.parse(text)
        except DataError as error:
            raise self._turned_away("", "key", where, _KEY) from error
        record = self._view.known_key(given.id)
        if record is None:  # it may be newer than what is remembered
            with self.database.read() as connection:
                record = self._current(connection).key(connection, given.id)
        digest = record.digest if record else bytes(len(given.digest))
        if not given.has_digest(digest) or record is None:
            self._throttle.failed(self.database, f"address {where.source}", self._now_ms())
            raise self._turned_away("", "key", where, _KEY)
        refusal = record.refusal(self._now_ms())
        if refusal is not None:
            raise self._turned_away(record.identity, f"key {given.id}", where, _KEY, refusal)
        return _by_key(record)

    def by_password(
        self,
        name: str,
        password: str,
        code: str | None = None,
        where: Circumstances = HERE,
        *,
        both: bool = False,
    ) -> Caller:
        """Whoever has a password, and a code where a second factor was set up; for the console.

        Args:
            both: whoever has no second factor is refused too.

        Raises:
            AccessDenied: one of the three is wrong, or there were too many attempts; never which.
            TrailUnavailable: that could not be written down.
        """
        own, address = f"identity {name}", f"address {where.source}"
        waits_ms = self._throttle.attempt(self.database, (own, address), self._now_ms())
        if waits_ms:
            raise self._turned_away(
                "",
                "password",
                where,
                "too many attempts",
                hint=f"wait {waits_ms / 1000:.0f} s",
                wait_s=waits_ms / 1000,
            )
        if not self.accounts.check(name, password, code, both=both):
            raise self._turned_away("", "password", where, _PASSWORD)
        with self.database.write() as connection:
            self._throttle.passed(connection, own, (address,))
        return Caller(name, "password and code" if code else "password")

    def signed_in(self, caller: Caller, where: Circumstances = HERE) -> Line:
        """The line that says that somebody was recognised and let in; requests by key need none of their own.

        Raises:
            TrailUnavailable: it could not be written, so he is not.
        """
        return self._noted(caller.name, caller.how, Question(ENTER), Verdict(True, (caller.how,)), where)

    def by_token(
        self,
        token: str,
        verifier: TokenVerifier,
        where: Circumstances = HERE,
        *,
        first: Callable[[Bearer], bool] = lambda _bearer: True,
    ) -> Caller:
        """Whoever is linked to the subject of a valid token; raises as ``by_key``.

        Args:
            first: whether a valid token may still be used, for tokens that are good once.

        Raises:
            EnvironmentFailure: the issuer's keys cannot be had.
        """
        try:
            bearer = verifier.verify(token)
        except IntegrityError as error:
            raise self._turned_away("", "token", where, _TOKEN, f"{_TOKEN}: {error.facts['cause']}") from error
        if not first(bearer):
            raise self._turned_away("", "token", where, _TOKEN, f"{_TOKEN}: it was used before")
        return self._linked((bearer.issuer, bearer.subject), "token", where, _TOKEN)

    def by_certificate(self, certificate: bytes, where: Circumstances = HERE) -> Caller:
        """Whoever is linked to a name in a certificate that the server verified; raises as ``by_key``.

        A certificate whose names are linked to several identities is nobody's.
        """
        try:
            found = names(certificate)
        except IntegrityError as error:
            raise self._turned_away("", "certificate", where, _CERTIFICATE) from error
        return self._linked((CERTIFICATE, *found), "certificate", where, _CERTIFICATE)

    @staticmethod
    def owner() -> Caller:
        """Whoever could open the vault with its key: the rights of files have decided already."""
        return Caller(OWNER, "the folder's rights")

    # deciding

    def decide(self, caller: Caller, question: Question, where: Circumstances = HERE) -> Line:
        """The answer, which is in the trail when this returns.

        What was changed before the line was written counts, whatever this process remembers.

        Raises:
            UnknownName: no such action.
            TrailUnavailable: the line could not be written; the answer is no.

        Cost: one durable commit for all who ask at the same time.
        """
        check_action(question.action)
        present = self._now_ms()
        view = self._view
        verdict = view.remembered(caller, question, present)
        if verdict is None:
            view, verdict = self._fresh(caller, question, present)
        line = self._trail.write(self._making(view, verdict, caller, question, where, present))
        self._published(line)
        return line

    def decide_at_once(self, text: str, question: Question, where: Circumstances, done: Done) -> Caller | None:
        """As ``by_key`` and ``decide``, for an event loop: returns before the line is on disk.

        Args:
            done: told when it is, from another thread; only the line that it gets says what was decided.

        Returns:
            Whose key it is; None where something has to be read first, or the key is not good. Nothing has
            happened then: use ``by_key`` and ``decide``.

        Cost: about 10 microseconds, and one durable commit for all who ask at the same time.
        """
        view, present, given = self._view, self._now_ms(), keys.ApiKey(keys.id_in(text), text)
        record = view.known_key(given.id)
        if record is None or not given.has_digest(record.digest) or record.refusal(present) is not None:
            return None
        caller = _by_key(record)
        verdict = view.remembered(caller, question, present)
        if verdict is None:
            return None
        self._trail.post(self._making(view, verdict, caller, question, where, present), done)
        return caller

    def _making(
        self,
        view: View,
        verdict: Verdict,
        caller: Caller,
        question: Question,
        where: Circumstances,
        present: int,
    ) -> Make:
        """Makes the line of a decision, anew where something was changed since."""

        def make(connection: Connection, epoch: int, number: int) -> Line:
            answer = verdict
            if epoch != view.epoch:
                answer = self._at(epoch).decide(connection, caller, question, present)
            return self._line(number, present, caller.name, caller.how, question, answer, where)

        return make

    def require(self, caller: Caller, question: Question, where: Circumstances = HERE) -> Line:
        """As ``decide``, for those who go on only where they may.

        Raises:
            AccessDenied: he may not.
        """
        line = self.decide(caller, question, where)
        if not line.allowed:
            on = f" on {question.model}" if question.model else ""
            raise AccessDenied(
                f"'{caller.name}' is refused {question.action}{on}: {line.why}",
                hint="ask somebody who may grant it; hauberk access explain says more",
                request=line.request,
            )
        return line

    def alert(self, name: str, by: str, model: str, why: str, *, served: bool, detail: str) -> Line:
        """The line that says what was found about somebody; it decides nothing.

        Args:
            name: his, or empty where it is about nobody alone.
            by: who found it, in a few words.
            served: whether he is answered all the same.
            detail: what was found, in a few words.

        Raises:
            TrailUnavailable: it could not be written.
        """
        where = Circumstances(detail=detail)
        return self._noted(name, by, Question(ALERT, model), Verdict(served, (why,)), where)

    def refused(self, caller: Caller, question: Question, why: str, where: Circumstances = HERE) -> Line:
        """Write down that something was refused which the rules allow, such as a question past its budget.

        Raises:
            UnknownName: no such action.
            TrailUnavailable: the line could not be written.
        """
        check_action(question.action)
        return self._noted(caller.name, caller.how, question, Verdict(False, (plain(why),)), where)

    def preview(self, caller: Caller, question: Question) -> Verdict:
        """What the answer would be now; nothing is done and nothing is written."""
        check_action(question.action)
        return self._fresh(caller, question, self._now_ms())[1]

    def _fresh(self, caller: Caller, question: Question, present: int) -> tuple[View, Verdict]:
        with self.database.read() as connection:
            view = self._current(connection)
            return view, view.decide(connection, caller, question, present)

    def _current(self, connection: Connection) -> View:
        return self._at(state_row(connection, self.database.where).epoch)

    def _at(self, epoch: int) -> View:
        """What is remembered of an epoch; of an older one than the newest, nothing is kept."""
        view = self._view
        if view.epoch == epoch:
            return view
        fresh = View(epoch)
        if epoch > view.epoch:
            self._view = fresh
        return fresh

    def _linked(self, subject: tuple[str, ...], how: str, where: Circumstances, refusal: str) -> Caller:
        authority, *others = subject
        with self.database.read() as connection:
            found = {linked(connection, authority, one) for one in others} - {None}
        if len(found) != 1:
            raise self._turned_away("", how, where, refusal)
        return Caller(str(found.pop()), how)

    def _turned_away(
        self,
        name: str,
        how: str,
        where: Circumstances,
        told: str,
        why: str = "",
        *,
        hint: str | None = None,
        **facts: object,
    ) -> AccessDenied:
        """The error for somebody who was not recognised, after the trail says so.

        Args:
            why: for the trail alone, where it is more than what he is told.
        """
        line = self._noted(name, how, Question(ENTER), Verdict(False, (why or told,)), where)
        return AccessDenied(told, hint=hint, request=line.request, **facts)

    def close(self) -> None:
        """End the threads of what was posted."""
        self._trail.close()
        if self.publisher is not None:
            self.publisher.close()

    @staticmethod
    def _line(
        number: int, time_ms: int, who: str, how: str, question: Question, answer: Verdict, where: Circumstances
    ) -> Line:
        return Line(
            number=number,
            time_ms=time_ms,
            request=plain(where.request) or uuid4().hex,
            who=who,
            how=how,
            source=_same(where.source),
            action=question.action,
            model=_same(question.model),
            version=_same(" ".join(question.versions)),
            detail=_same(where.detail),
            allowed=answer.allowed,
            why="; ".join(answer.why),
        )

    def _noted(self, who: str, how: str, question: Question, answer: Verdict, where: Circumstances) -> Line:
        """A line about something that no rule decides any more."""
        present = self._now_ms()
        line = self._trail.write(
            lambda _connection, _epoch, number: self._line(number, present, who, how, question, answer, where)
        )
        self._published(line)
        return line

    def _published(self, line: Line) -> None:
        if self.publisher is not None:
            self.publisher.written(line.number, line.time_ms)

    def _now_ms(self) -> int:
        return milliseconds(self._clock())


def _by_key(record: KeyRecord) -> Caller:
    return Caller(record.identity, f"key {record.id}", record.id)
