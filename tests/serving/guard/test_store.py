"""What the guard knows outlives the process, and reaches the other workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from desks import Desk, Linear, natural
from sqlalchemy import text

from hauberk.core.database import Database, sqlite_url
from hauberk.core.errors import DataError, IntegrityError
from hauberk.serving.guard import GuardStore
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
