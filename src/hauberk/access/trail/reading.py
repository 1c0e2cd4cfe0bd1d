"""Lines of the trail that somebody looks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, select

from hauberk.access import schema
from hauberk.access.changes import milliseconds
from hauberk.access.trail.line import Line
from hauberk.access.words import ANY
from hauberk.core.database import Database

_AT_ONCE = 1_000


@dataclass(frozen=True)
class Filter:
    """Which lines; None asks nothing.

    Args:
        model: its name, in which ``*`` stands for any characters.
        since: from then on; until: before then.
        below: of smaller numbers than this one, for whoever turns pages.
    """

    who: str | None = None
    model: str | None = None
    action: str | None = None
    allowed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    below: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for the database."""
        table = schema.trail.c
        found = [
            column == value
            for column, value in (
                (table.who, self.who),
                (table.action, self.action),
                (table.allowed, self.allowed),
            )
            if value is not None
        ]
        if self.model is not None:
            found.append(table.model.like(_like(self.model), escape="\\"))
        if self.since is not None:
            found.append(table.time_ms >= milliseconds(self.since))
        if self.until is not None:
            found.append(table.time_ms < milliseconds(self.until))
        if self.below is not None:
            found.append(table.number < self.below)
        return found


def lines(
    database: Database, wanted: Filter | None = None, *, newest: int | None = None
) -> Iterator[tuple[Line, bytes]]:
    """Lines in the order in which they were written, each with the chain's hash after it.

    Args:
        newest: only so many of the newest.
    """
    table, after = schema.trail, 0
    query = select(table).where(*(wanted or Filter()).conditions())
    if newest is not None:
        with database.read() as connection:
            rows = connection.execute(query.order_by(table.c.number.desc()).limit(newest)).all()
        yield from (_line(one) for one in reversed(rows))
        return
    while True:  # a page at a time, so that a slow reader holds nobody up
        with database.read() as connection:
            page = connection.execute(
                query.where(table.c.number > after).order_by(table.c.number).limit(_AT_ONCE)
            ).all()
        yield from (_line(one) for one in page)
        if len(page) < _AT_ONCE:
            return
        after = page[-1].number


def _line(row: Row[Any]) -> tuple[Line, bytes]:
    told = dict(row._mapping)
    digest = bytes(told.pop("hash"))
    return Line(**{**told, "allowed": bool(told["allowed"])}), digest


def _like(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace(ANY, "%")
