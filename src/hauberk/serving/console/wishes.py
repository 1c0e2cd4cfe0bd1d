"""Requests that an alias should name a version, as long as other people have yet to agree (four eyes)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from hauberk.vault import schema
from hauberk.vault.names import PRODUCTION
from hauberk.vault.place import Vault
from hauberk.vault.promoting import REQUEST_MS


@dataclass(frozen=True)
class Wish:
    """That an alias should name a version.

    Args:
        by: who has asked for it.
        lacking: how many further people must agree.
        mine: whether the viewer is one of those who asked.
        lapses_ms: when the first of the requests lapses; POSIX milliseconds.
    """

    model: str
    number: int
    alias: str
    by: tuple[str, ...]
    lacking: int
    mine: bool
    lapses_ms: int


def needed(vault: Vault, alias: str) -> int:
    """How many people must want it."""
    return 1 + (vault.policy.approvals if alias == PRODUCTION else 0)


def wishes(vault: Vault, viewer: str) -> tuple[Wish, ...]:
    """All requests that have not lapsed, the oldest first."""
    table, now_ms = schema.requests, vault.now_ms()
    query = select(table).where(table.c.at_ms >= now_ms - REQUEST_MS).order_by(table.c.at_ms, table.c.by)
    with vault.database.read() as connection:
        rows = connection.execute(query).all()
    asked: dict[tuple[str, int, str], list[tuple[str, int]]] = {}
    for row in rows:
        asked.setdefault((row.model, row.number, row.alias), []).append((row.by, row.at_ms))
    return tuple(
        Wish(
            *what,
            by=tuple(by for by, _ in people),
            lacking=max(0, needed(vault, what[2]) - len(people)),
            mine=viewer in [by for by, _ in people],
            lapses_ms=min(at for _, at in people) + REQUEST_MS,
        )
        for what, people in asked.items()
    )
