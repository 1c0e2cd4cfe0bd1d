"""The guard's memory in a database: kept across restarts, and shared between workers and machines.

Verdicts and the places of searches are news: every worker writes its own and reads those of the others. What
is remembered of callers is kept by whoever saw them last. A caller whose questions go to several workers is
judged by each of them on its share, until one of them finds him; the others act on it at their next ``sync``.

Who serves on an event loop lets a thread wait for the database: ``news`` and ``hear``, ``due`` and ``changes``,
touch the guard; ``exchange`` and ``write`` touch only the database, and hold it for a few rows at a time, since
the audit trail is written there too.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from hauberk.core.database import Database
from hauberk.core.errors import IntegrityError
from hauberk.serving.guard import alert_table, tables
from hauberk.serving.guard.alerts import Alert
from hauberk.serving.guard.guard import Caller, Guard, Verdict
from hauberk.serving.guard.lifting import FOR_EVER, KEPT_S, LIFT, PLACE, VERDICT, forget
from hauberk.serving.guard.memory import Memory, Place
from hauberk.serving.guard.policy import Action
from hauberk.serving.guard.usual import Usual

_AT_ONCE = 4  # callers in one transaction; each is some 70 KB
_FORGOTTEN_S = 90 * 86_400.0  # a caller who has not asked for so long
_State = tuple[Mapping[str, Any], Mapping[str, Any]]


@dataclass(frozen=True)
class News:
    """What one worker has to tell the others, and people."""

    verdicts: Sequence[tuple[str, Verdict]]
    places: Sequence[tuple[str, Place]]
    lifted: Sequence[str]
    alerts: Sequence[Alert]


@dataclass(frozen=True)
class Changes:
    """What a worker has learnt of callers and models, as arrays and JSON that nobody changes any more."""

    names: frozenset[tuple[str, str]]
    callers: Sequence[tuple[str, str, _State]]
    models: Sequence[tuple[str, _State]]


class GuardStore:
    """Keeps a guard's memory in tables of a database, which are made where they are not there.

    Args:
        alerts: those that the guard has told since the last time; taken out and kept in the table.
        worker: this process's name among those that share the database; None draws one.
    """

    def __init__(
        self,
        database: Database,
        guard: Guard,
        *,
        alerts: list[Alert] | None = None,
        worker: str | None = None,
    ) -> None:
        self._database, self._guard = database, guard
        self._alerts = [] if alerts is None else alerts
        self._worker = worker or secrets.token_hex(8)
        self._read = 0
        self._kept: set[str] = set()  # models of which what is usual was written; it does not change any more
        tables.make(database)

    def load(self) -> None:
        """Remember what was kept: at the start.

        Raises:
            IntegrityError: something there was not written by this version of the guard.
        """
        guard, kept = self._guard, tables.callers
        with self._database.read() as connection:
            models = connection.execute(select(tables.models.c.model, tables.models.c.body)).all()
            newest = select(kept).order_by(kept.c.at.desc()).limit(guard.policy.callers)
            callers = connection.execute(newest).all()
        for model, body in models:
            guard.usual[model] = Usual.from_state(*_unpack(body))
        for row in reversed(callers):
            arrays, facts = _unpack(row.body)
            memory = Memory.from_state(arrays, facts["memory"])
            if memory.size == guard.policy.memory:
                one = Caller(memory, unusual=facts["unusual"], hugging=facts["hugging"])
                guard.callers[row.caller, row.model] = one
        self.hear(self._new(), everything=True)

    def sync(self) -> None:
        """Tell the other workers, and hear from them: about once a second."""
        told = self.news()
        try:
            heard = self.exchange(told)
        except BaseException:
            self.put_back(told)
            raise
        self.hear(heard)

    def keep(self) -> None:
        """Write down what changed of callers and models since the last time; drop what is over."""
        changed = self.changes(self.due())
        try:
            self.write(changed)
        except BaseException:
            self.put_changes_back(changed)
            raise

    def news(self) -> News:
        """What there is to tell; the guard forgets that it has not been told."""
        guard = self._guard
        told = News(guard.fresh, guard.fresh_wanted, guard.lifted, tuple(self._alerts))
        guard.fresh, guard.fresh_wanted, guard.lifted = [], [], []
        self._alerts.clear()
        return told

    def put_back(self, told: News) -> None:
        """They could not be told."""
        guard = self._guard
        guard.fresh[:0], guard.fresh_wanted[:0], guard.lifted[:0] = told.verdicts, told.places, told.lifted
        self._alerts[:0] = told.alerts

    def exchange(self, told: News) -> Sequence[Row[Any]]:
        """Write news down, and read what is new since the last time."""
        now = self._guard.seconds()
        rows = [
            self._row(VERDICT, caller, min(verdict.until, FOR_EVER), verdict.action.value.encode())
            for caller, verdict in told.verdicts
        ]
        rows += [self._row(PLACE, model, now + KEPT_S, _packed_place(place)) for model, place in told.places]
        if rows or told.lifted or told.alerts:
            with self._writing() as connection:
                for caller in told.lifted:
                    forget(connection, caller, self._worker, now)
                if rows:
                    connection.execute(insert(tables.news), rows)
                if told.alerts:
                    alert_table.put(connection, told.alerts)
        return self._new()

    def hear(self, rows: Sequence[Row[Any]], *, everything: bool = False) -> None:
        """Act on what other workers, or an operator, have written.

        Args:
            everything: on what this worker wrote too; lifts are over then, with what they lifted.
        """
        guard = self._guard
        for row in rows:
            self._read = row.id
            if row.kind == LIFT:
                if not everything and row.worker != self._worker:
                    guard.lift(row.subject, tell=False)
            elif everything or row.worker != self._worker:
                if row.kind == VERDICT:
                    guard.hold(row.subject, Verdict(Action(bytes(row.body).decode()), row.until))
                else:
                    guard.want(row.subject, _place(row.body))

    def due(self) -> list[tuple[str, str]]:
        """Callers, with their models' digests, who changed since the last time; they count as kept now."""
        guard = self._guard
        guard.settle()
        changed, guard.changed = sorted(guard.changed), set()
        return changed

    def changes(self, names: Iterable[tuple[str, str]]) -> Changes:
        """Copies of what is remembered of these callers, and of what is usual at models.

        Cost: a quarter of a millisecond for each caller.
        """
        guard, callers = self._guard, []
        taken = list(names)
        for name in taken:
            one = guard.callers.get(name)
            if one is not None:
                arrays, facts = one.memory.state()
                told = {"memory": facts, "unusual": one.unusual, "hugging": one.hugging}
                callers.append((*name, _copied(arrays, told)))
        models = []
        for digest, model in guard.models.items():
            if model.usual.learnt and digest not in self._kept:
                self._kept.add(digest)
                models.append((digest, _copied(*model.usual.state())))
        return Changes(frozenset(taken), callers, models)

    def put_changes_back(self, changed: Changes) -> None:
        """They could not be written."""
        self._guard.changed |= changed.names
        self._kept -= {digest for digest, _state in changed.models}

    def write(self, changed: Changes) -> None:
        """Write changes down; drop verdicts that are over and callers who have not come for long."""
        now, kept = self._guard.seconds(), tables.callers
        packed = [(caller, model, _pack(*state)) for caller, model, state in changed.callers]
        with self._writing() as connection:
            connection.execute(delete(tables.news).where(tables.news.c.until < now))
            connection.execute(delete(kept).where(kept.c.at < now - _FORGOTTEN_S))
            for digest, state in changed.models:
                _put(connection, tables.models, {"model": digest}, {"body": _pack(*state)})
        for begin in range(0, len(packed), _AT_ONCE):
            with self._writing() as connection:
                for caller, model, body in packed[begin : begin + _AT_ONCE]:
                    _put(connection, kept, {"caller": caller, "model": model}, {"at": now, "body": body})

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._database.write() as connection:
            tables.alone(connection)
            yield connection

    def _new(self) -> Sequence[Row[Any]]:
        table = tables.news.c
        asked = select(tables.news).where(table.id > self._read, table.until >= self._guard.seconds())
        with self._database.read() as connection:
            return connection.execute(asked.order_by(table.id)).all()

    def _row(self, kind: str, subject: str, until: float, body: bytes) -> dict[str, Any]:
        return {"worker": self._worker, "kind": kind, "subject": subject, "until": until, "body": body}


def _put(connection: Connection, table: Table, key: Mapping[str, str], values: Mapping[str, Any]) -> None:
    own = [table.c[name] == value for name, value in key.items()]
    if connection.execute(update(table).where(*own).values(**values)).rowcount == 0:
        connection.execute(insert(table).values(**key, **values))


def _copied(arrays: Mapping[str, Any], facts: Mapping[str, Any]) -> _State:
    return {name: np.array(one) for name, one in arrays.items()}, facts


def _packed_place(place: Place) -> bytes:
    facts = {"count": place.count, "label": place.label, "gap": place.gap, "scene_label": place.scene_label}
    return _pack({"point": place.point, "steps": place.steps}, facts)


def _place(body: bytes) -> Place:
    arrays, facts = _unpack(body)
    return Place(point=arrays["point"], steps=arrays["steps"], **facts)


def _pack(arrays: Mapping[str, Any], facts: Mapping[str, Any]) -> bytes:
    out = io.BytesIO()
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    np.savez(out, allow_pickle=False, **arrays, facts=text)
    return out.getvalue()


def _unpack(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as opened:
            arrays = dict(opened)
        return arrays, json.loads(arrays.pop("facts").tobytes())
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise IntegrityError(
            "what the guard kept cannot be read", hint="remove its tables; it starts anew"
        ) from error
