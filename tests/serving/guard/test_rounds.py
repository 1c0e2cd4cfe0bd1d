"""The guard's memory on an event loop: shared, kept in shares, and nothing lost while the database is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desks import Desk, Linear, natural

from hauberk.core.database import Database, sqlite_url
from hauberk.core.errors import DataError, EnvironmentFailure
from hauberk.serving.guard import Alert, GuardStore
from hauberk.serving.guard.alert_table import recent
from hauberk.serving.guard.rounds import Rounds


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    file = tmp_path / "guard.sqlite"
    file.touch()
    made = Database(sqlite_url(file), str(file), noun="guard's memory", absent=DataError)
    yield made
    made.close()


@pytest.fixture
def watched(
    database: Database, entry: Any, model: Linear, draw: np.random.Generator
) -> tuple[Desk, GuardStore]:
    desk = Desk(entry, model, draw, queries=10)
    return desk, GuardStore(database, desk.guard, alerts=desk.sink)


def test_alerts_are_recorded_once_in_their_order(
    watched: tuple[Desk, GuardStore], database: Database, draw: np.random.Generator
) -> None:
    desk, store = watched
    recorded: list[Alert] = []
    rounds = Rounds(store, recorded.append)

    async def main() -> None:
        await rounds.begin()
        for caller in ("ann", "ben"):
            desk.ask(caller, natural(draw, 20))
            await rounds.turn()
        await rounds.end()

    asyncio.run(main())
    assert [one.caller for one in recorded] == ["ann", "ben"]
    assert [one.alert for one in recent(database)] == recorded[::-1]


def test_callers_are_kept_in_shares_within_a_minute_and_at_the_end(
    watched: tuple[Desk, GuardStore],
    database: Database,
    entry: Any,
    model: Linear,
    draw: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, store = watched
    sizes: list[int] = []
    written = store.write
    monkeypatch.setattr(store, "write", lambda changed: (sizes.append(len(changed.callers)), written(changed)))
    rounds = Rounds(store, lambda _alert: None)

    async def main() -> None:
        for number in range(120):
            desk.ask(f"caller {number}", natural(draw, 8))
        for _second in range(60 + 50):
            await rounds.turn()
        assert sum(sizes) == 120
        assert max(sizes) == 3
        desk.ask("late", natural(draw, 8))
        await rounds.end()

    asyncio.run(main())
    after = Desk(entry, model, draw)
    GuardStore(database, after.guard).load()
    assert {caller for caller, _model in after.guard.callers} == {f"caller {one}" for one in range(120)} | {
        "late"
    }


def test_while_the_database_is_away_the_guard_goes_on_and_tells_afterwards(
    watched: tuple[Desk, GuardStore],
    database: Database,
    draw: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk, store = watched
    recorded: list[Alert] = []
    away = {"exchange": True, "trail": False}

    def exchange(told: Any) -> Any:
        if away["exchange"]:
            raise EnvironmentFailure("the database does not answer")
        return GuardStore.exchange(store, told)

    def record(alert: Alert) -> None:
        if away["trail"]:
            raise EnvironmentFailure("the trail cannot be written")
        recorded.append(alert)

    monkeypatch.setattr(store, "exchange", exchange)
    caplog.set_level(logging.INFO, "hauberk.serving")
    rounds = Rounds(store, record)

    async def main() -> None:
        desk.ask("ann", natural(draw, 20))
        for _second in range(3):
            await rounds.turn()
        assert (recorded, recent(database)) == ([], [])
        away.update(exchange=False, trail=True)
        await rounds.turn()
        assert (recorded, len(recent(database))) == ([], 1)
        away["trail"] = False
        await rounds.turn()
        await rounds.end()

    asyncio.run(main())
    assert [one.caller for one in recorded] == ["ann"]
    assert len(recent(database)) == 1
    assert [one.msg for one in caplog.records] == ["guard-alone"]  # said once
