"""Live traffic: how much, how fast, who asks, and what the guard holds against whom.

Figures of all workers come from the metrics; callers from the audit trail, which counts them over all machines
that serve this vault; alerts and verdicts from the guard's tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select

from hauberk.access import schema
from hauberk.core.database import Database
from hauberk.serving.console.drawing import Drawn, drawn
from hauberk.serving.console.history import History
from hauberk.serving.console.history import Point as Look
from hauberk.serving.console.moments import milliseconds
from hauberk.serving.console.pages import Act, Asked, Concern, Done, Form, Page
from hauberk.serving.console.traffic_charts import latency_chart, rate_chart
from hauberk.serving.console.viewer import Viewer
from hauberk.serving.figures import Figures
from hauberk.serving.guard.alert_table import KeptAlert, recent
from hauberk.serving.guard.lifting import Held, held, lift
from hauberk.serving.watch import NoWatch

ALERTS = 30
CALLERS = 50
WINDOW_MS = 15 * 60 * 1000
_LINES = 100_000  # of the trail that are counted at most; a busy server writes that many in a minute
_PREDICT = "model.predict"


@dataclass(frozen=True)
class CallerRow:
    """One caller of the last minutes.

    Args:
        asked, refused: questions to models, and how many of them access refused.
        last_ms: POSIX milliseconds of the newest.
        held: what the guard does about him; None where nothing.
    """

    name: str
    asked: int
    refused: int
    last_ms: int
    held: Held | None


@dataclass(frozen=True)
class TrafficView:
    """The server now, and in the last quarter of an hour.

    Args:
        looks: oldest first; ``now`` the figures of the newest, None in the first seconds.
        guarded: whether a guard watches.
        callers: by how much they asked; ``since_ms`` says from when on they are counted.
        held: everybody under a verdict, also who has not asked lately.
    """

    looks: tuple[Look, ...]
    guarded: bool
    alerts: tuple[KeptAlert, ...]
    callers: tuple[CallerRow, ...]
    since_ms: int
    held: tuple[Held, ...]

    @property
    def now(self) -> Figures | None:
        return self.looks[-1].figures if self.looks else None

    @property
    def latest(self) -> Look | None:
        return self.looks[-1] if self.looks else None


@dataclass(frozen=True)
class AlertRow:
    """An alert; ``at_ms`` is when."""

    kept: KeptAlert
    at_ms: int | None


@dataclass(frozen=True)
class Traffic:
    """What the page shows.

    Args:
        lifts: whether the viewer may let somebody go.
    """

    now: TrafficView
    rates: Drawn
    latency: Drawn
    alerts: tuple[AlertRow, ...]
    lifts: bool


def traffic(database: Database, history: History, now_ms: int, *, guarded: bool) -> TrafficView:
    """Everything that the page shows."""
    verdicts = held(database, now=now_ms / 1000)
    callers, since_ms = callers_of(database, now_ms, {one.caller: one for one in verdicts})
    alerts = recent(database, ALERTS)
    return TrafficView(history.points(), guarded, tuple(alerts), callers, since_ms, tuple(verdicts))


def callers_of(
    database: Database, now_ms: int, verdicts: Mapping[str, Held]
) -> tuple[tuple[CallerRow, ...], int]:
    """Who asked models in the last quarter of an hour, and from when on that was counted.

    Cost: reads at most 100,000 lines of the trail.
    """
    table, since_ms = schema.trail, now_ms - WINDOW_MS
    with database.read() as connection:
        newest = connection.execute(select(schema.state.c.number)).scalar_one()
        first = select(table.c.time_ms).where(table.c.number == max(1, newest - _LINES))
        oldest = connection.execute(first).scalar()
        if newest > _LINES and oldest is not None:
            since_ms = max(since_ms, oldest)
        asked = func.count()
        query = (
            select(
                table.c.who,
                asked.label("asked"),
                func.sum(case((table.c.allowed, 0), else_=1)).label("refused"),
                func.max(table.c.time_ms).label("last_ms"),
            )
            .where(table.c.number > newest - _LINES, table.c.time_ms >= since_ms, table.c.action == _PREDICT)
            .group_by(table.c.who)
            .order_by(asked.desc(), table.c.who)
            .limit(CALLERS)
        )
        rows = connection.execute(query).all()
    found = [
        CallerRow(one.who, one.asked, int(one.refused), one.last_ms, verdicts.get(one.who)) for one in rows
    ]
    return tuple(found), since_ms


def _view(viewer: Viewer, _asked: Asked) -> Traffic:
    inside = viewer.inside
    guarded = not isinstance(inside.server.watch, NoWatch)
    found = traffic(inside.vault.database, inside.kept.history, viewer.now_ms, guarded=guarded)
    return Traffic(
        now=found,
        rates=drawn(rate_chart(found.looks, viewer.words), height=260),
        latency=drawn(latency_chart(found.looks, viewer.words), height=260),
        alerts=tuple(AlertRow(one, milliseconds(one.alert.at)) for one in found.alerts),
        lifts=viewer.may("access.manage"),
    )


def _lift(viewer: Viewer, _asked: Asked, form: Form) -> Done:
    lift(viewer.inside.vault.database, form["caller"])
    return Done("lifted")


def _concerns(viewer: Viewer) -> Sequence[Concern]:
    found = []
    verdicts = held(viewer.inside.vault.database, now=viewer.now_ms / 1000)
    if verdicts:
        found.append(Concern("warn", "traffic.concern.held", "/traffic", {"count": len(verdicts)}))
    points = viewer.inside.kept.history.points()
    if any(one.failed for one in points):
        found.append(Concern("bad", "traffic.concern.failed", "/traffic"))
    return found


PAGES = (
    Page(
        name="traffic",
        path="/traffic",
        view=_view,
        action="audit.read",
        acts={
            "lift": Act(_lift, "access.manage", lambda _asked, form: f"guard: let '{form['caller'][:64]}' go"),
        },
        concerns=_concerns,
    ),
)
