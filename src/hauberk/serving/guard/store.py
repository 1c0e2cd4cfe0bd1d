"""The guard's memory in a database: kept across restarts, and shared between workers and machines.

Verdicts and the places of searches are news: every worker writes its own and reads those of the others. What
is remembered of callers is kept by whoever saw them last. A caller whose questions go to several workers is
judged by each of them on its share, until one of them finds him; the others act on it at their next ``sync``.

What lies here are prints and counts, never an input.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, Table, Text, delete, insert, select

from hauberk.core.database import Database
from hauberk.core.errors import IntegrityError
from hauberk.serving.guard.guard import Caller, Guard, Verdict
from hauberk.serving.guard.memory import Memory, Place
from hauberk.serving.guard.policy import Action
from hauberk.serving.guard.usual import Usual

_TABLES = MetaData()
_NEWS = Table(
    "guard_news", _TABLES,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("worker", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # a caller, or a model's digest
    Column("until", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
)  # fmt: skip
_CALLERS = Table(
    "guard_callers", _TABLES,
    Column("caller", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
)  # fmt: skip
_MODELS = Table(
    "guard_models", _TABLES,
    Column("model", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)  # fmt: skip
_VERDICT, _PLACE, _LIFT = "verdict", "place", "lift"
_FOR_EVER = 1e300  # PostgreSQL and JSON both know it, which is not so of infinity
_PLACE_S = 7 * 86_400.0


class GuardStore:
    """Keeps a guard's memory in tables of a database, which are made where they are not there.

    Args:
        worker: this process's name among those that share the database; None draws one.
    """

    def __init__(self, database: Database, guard: Guard, *, worker: str | None = None) -> None:
        self._database, self._guard = database, guard
        self._worker = worker or secrets.token_hex(8)
        self._read = 0
        with database.write() as connection:
            _TABLES.create_all(connection)

    def load(self) -> None:
        """Remember what was kept: at the start.

        Raises:
            IntegrityError: something there was not written by this version of the guard.
        """
        guard = self._guard
        with self._database.read() as connection:
            models = connection.execute(select(_MODELS.c.model, _MODELS.c.body)).all()
            newest = select(_CALLERS).order_by(_CALLERS.c.at.desc()).limit(guard.policy.callers)
            callers = connection.execute(newest).all()
        for model, body in models:
            guard.usual[model] = Usual.from_state(*_unpack(body))
        for row in reversed(callers):
            arrays, facts = _unpack(row.body)
            memory = Memory.from_state(arrays, facts["memory"])
            if memory.size == guard.policy.memory:
                one = Caller(memory, unusual=facts["unusual"], hugging=facts["hugging"])
                guard.callers[row.caller, row.model] = one
        self._hear(everything=True)

    def sync(self) -> None:
        """Tell the other workers, and hear from them: about once a second."""
        guard = self._guard
        fresh, guard.fresh = guard.fresh, []
        wanted, guard.fresh_wanted = guard.fresh_wanted, []
        lifted, guard.lifted = guard.lifted, []
        now = guard.seconds()
        rows = [_news(self._worker, _LIFT, caller, now + _PLACE_S, b"") for caller in lifted]
        for caller, verdict in fresh:
            until = min(verdict.until, _FOR_EVER)
            rows.append(_news(self._worker, _VERDICT, caller, until, verdict.action.value.encode()))
        for model, place in wanted:
            rows.append(_news(self._worker, _PLACE, model, now + _PLACE_S, _packed_place(place)))
        if rows:
            with self._database.write() as connection:
                for caller in lifted:
                    mine = (_NEWS.c.kind == _VERDICT) & (_NEWS.c.subject == caller)
                    connection.execute(delete(_NEWS).where(mine))
                connection.execute(insert(_NEWS), rows)
        self._hear(everything=False)

    def keep(self) -> None:
        """Write down what changed of callers and models since the last time; drop what is over."""
        guard = self._guard
        guard.settle()
        changed, guard.changed = guard.changed, set()
        now = guard.seconds()
        with self._database.write() as connection:
            connection.execute(delete(_NEWS).where(_NEWS.c.until < now))
            for name in sorted(changed & guard.callers.keys()):
                one = guard.callers[name]
                arrays, facts = one.memory.state()
                body = _pack(arrays, {"memory": facts, "unusual": one.unusual, "hugging": one.hugging})
                connection.execute(
                    delete(_CALLERS).where(_CALLERS.c.caller == name[0], _CALLERS.c.model == name[1])
                )
                connection.execute(insert(_CALLERS).values(caller=name[0], model=name[1], at=now, body=body))
            for digest, model in guard.models.items():
                if model.usual.learnt:
                    connection.execute(delete(_MODELS).where(_MODELS.c.model == digest))
                    connection.execute(insert(_MODELS).values(model=digest, body=_pack(*model.usual.state())))

    def _hear(self, *, everything: bool) -> None:
        guard = self._guard
        asked = (
            select(_NEWS).where(_NEWS.c.id > self._read, _NEWS.c.until >= guard.seconds()).order_by(_NEWS.c.id)
        )
        with self._database.read() as connection:
            news = connection.execute(asked).all()
        for row in news:
            self._read = row.id
            if row.worker == self._worker and not everything:
                continue
            if row.kind == _VERDICT:
                guard.hold(row.subject, Verdict(Action(row.body.decode()), row.until))
            elif row.kind == _LIFT:
                guard.lift(row.subject, tell=False)
            else:
                guard.want(row.subject, _place(row.body))


def _news(worker: str, kind: str, subject: str, until: float, body: bytes) -> dict[str, Any]:
    return {"worker": worker, "kind": kind, "subject": subject, "until": until, "body": body}


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
