"""What the guard knows outlives the process, and reaches the other workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desks import Desk, Linear, natural
from sqlalchemy import text

from hauberk.core.database import Database, postgres_url, sqlite_url
from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError
from hauberk.serving.guard import Action, GuardStore, alert_table
from hauberk.serving.guard.alert_table import recent
from hauberk.serving.guard.lifting import Held, held, lift
from hauberk.serving.problems import Problem


@pytest.fixture
def database(tmp_path: Path) -> Any:
    file = tmp_path / "guard.sqlite"
    file.touch()
    made = Database(sqlite_url(file), str(file), noun="guard's memory", absent=DataError)
    yield made
    made.close()


def search(desk: Desk, caller: str, centre: np.ndarray, draw: np.random.Generator, looks: int) -> None:
    for _ in range(looks):
        desk.ask(caller, centre + draw.normal(0, 0.005, centre.shape).astype(np.float32))


def test_half_a_search_is_remembered_over_a_restart(
    database: Database, entry: Any, model: Linear, draw: np.random.Generator
) -> None:
    before, centre = Desk(entry, model, draw, patience=1), natural(draw, 1)
    before.ask("eve", centre)
    search(before, "eve", centre, draw, 8)
    assert before.found("eve") == set()
    GuardStore(database, before.guard).keep()

    after = Desk(entry, model, draw, patience=1)
    del after.guard.models[entry.digest]  # usual is remembered too
    GuardStore(database, after.guard).load()
    one = before.guard.callers["eve", entry.digest].memory
    again = after.guard.callers["eve", entry.digest].memory
    np.testing.assert_array_equal(one.prints, again.prints)
    assert one.scenes.keys() == again.scenes.keys()
    search(before, "eve", centre, np.random.default_rng(1), 30)
    search(after, "eve", centre, np.random.default_rng(1), 30)
    assert after.found("eve") == {"evasion"}
    assert [one.looks for one in before.sink] == [one.looks for one in after.sink]


def test_verdicts_and_places_reach_the_other_worker(
    database: Database, entry: Any, model: Linear, draw: np.random.Generator
) -> None:
    desks = [Desk(entry, model, draw) for _ in range(2)]
    stores = [GuardStore(database, one.guard) for one in desks]
    centre = natural(draw, 1)
    desks[0].ask("eve", centre)
    search(desks[0], "eve", centre, draw, 60)
    desks[1].guard.check("eve")
    for one in stores:
        one.sync()
    with pytest.raises(Problem):
        desks[1].guard.check("eve")
    desks[1].ask("eve again", centre)
    search(desks[1], "eve again", centre, draw, 14)
    assert "evasion" in desks[1].found("eve again")

    desks[1].guard.lift("eve")
    for one in reversed(stores):
        one.sync()
    desks[0].guard.check("eve")


def test_a_block_holds_over_a_restart_and_ends(
    database: Database, entry: Any, model: Linear, draw: np.random.Generator
) -> None:
    before = Desk(entry, model, draw, queries=10, budget="block")
    store = GuardStore(database, before.guard)
    before.ask("busy", natural(draw, 20))
    store.sync()
    after = Desk(entry, model, draw)
    GuardStore(database, after.guard).load()
    with pytest.raises(Problem):
        after.guard.check("busy")
    after.now[0] += 86_401
    after.guard.check("busy")


def test_what_cannot_be_read_is_said(database: Database, desk: Desk, draw: np.random.Generator) -> None:
    desk.ask("ann", natural(draw, 20))
    store = GuardStore(database, desk.guard)
    store.keep()
    with database.write() as connection:
        connection.execute(text("update guard_callers set body = x'00'"))
    with pytest.raises(IntegrityError, match="cannot be read"):
        store.load()


def test_alerts_are_kept_newest_first_and_bounded(
    database: Database, entry: Any, model: Linear, draw: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recent(database) == []  # no guard was ever at work here
    desk = Desk(entry, model, draw, queries=5, repeats=5)
    store = GuardStore(database, desk.guard, alerts=desk.sink)
    for caller in ("ann", "ben", "cid"):
        desk.ask(caller, natural(draw, 16))
    told = list(desk.sink)
    store.sync()
    assert desk.sink == []
    kept = recent(database)
    assert [one.alert for one in kept] == told[::-1]
    assert [one.alert.caller for one in recent(database, 1)] == ["cid"]
    assert [one.alert.caller for one in recent(database, before=kept[0].number)] == ["ben", "ann"]
    assert [one.alert for one in recent(database, caller="ann")] == told[:1]
    assert {one.alert.name for one in kept} == {"net"}

    monkeypatch.setattr(alert_table, "MOST", 2)
    desk.ask("dan", natural(draw, 16))
    store.sync()
    assert [one.alert.caller for one in recent(database)] == ["dan", "cid"]


def test_an_operator_forgives_without_a_server(
    database: Database, entry: Any, model: Linear, draw: np.random.Generator
) -> None:
    assert held(database) == []
    desks = [
        Desk(entry, model, draw, queries=10, budget="block", repeats=3, repetition="new-key") for _ in "ab"
    ]
    stores = [GuardStore(database, one.guard) for one in desks]
    desks[0].ask("busy", natural(draw, 20))
    image = natural(draw, 1)
    for _ in range(5):
        desks[0].ask("again", image)
        desks[0].guard.settle()
    for one in stores:
        one.sync()
    assert held(database, now=1000.0) == [
        Held("again", Action.NEW_KEY, None),
        Held("busy", Action.BLOCK, 1000.0 + 86_400),
    ]
    for desk in desks:
        for caller in ("busy", "again"):
            with pytest.raises(Problem):
                desk.guard.check(caller)
    assert lift(database, "busy", now=1000.0)
    assert not lift(database, "busy", now=1000.0)
    assert [one.caller for one in held(database, now=1000.0)] == ["again"]
    for one in stores:
        one.sync()
    for desk in desks:
        desk.guard.check("busy")
    after = Desk(entry, model, draw)
    GuardStore(database, after.guard).load()
    after.guard.check("busy")
    with pytest.raises(Problem):
        after.guard.check("again")


def test_what_could_not_be_told_is_told_later(
    database: Database, entry: Any, model: Linear, draw: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(entry, model, draw, queries=10, budget="block")
    store = GuardStore(database, desk.guard, alerts=desk.sink)
    desk.ask("busy", natural(draw, 20))
    changed = set(desk.guard.changed)

    def away(*_given: object) -> None:
        raise EnvironmentFailure("the database does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(store, "exchange", away)
        patched.setattr(store, "write", away)
        for one in (store.sync, store.keep):
            with pytest.raises(EnvironmentFailure):
                one()
    assert len(desk.sink) == 1
    assert desk.guard.changed == changed
    store.sync()
    assert [one.alert.caller for one in recent(database)] == ["busy"]
    assert [one.caller for one in held(database, now=1000.0)] == ["busy"]


def test_workers_on_postgresql_miss_nothing(
    postgres: Any, entry: Any, model: Linear, draw: np.random.Generator
) -> None:
    """Numbers become visible in their order, whoever commits first."""
    url = postgres_url(postgres.database("guard"))
    database = Database(url, "postgres", noun="guard's memory", absent=DataError)
    try:
        desks = [Desk(entry, model, draw, queries=1, budget="block") for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:  # tables are made by several at once, too
            stores = list(pool.map(lambda one: GuardStore(database, one.guard, alerts=one.sink), desks))

            def work(number: int) -> None:
                for turn in range(10):
                    desks[number].ask(f"caller {number} {turn}", natural(np.random.default_rng(turn), 16))
                    stores[number].sync()

            list(pool.map(work, range(4)))
        for one in stores:
            one.sync()
        expected = {f"caller {number} {turn}" for number in range(4) for turn in range(10)}
        for desk in desks:
            assert desk.guard.verdicts.keys() == expected
        assert {one.alert.caller for one in recent(database)} == expected
    finally:
        database.close()
