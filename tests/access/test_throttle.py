"""Waiting times, written out a second time, for many attempts at many moments; and clocks that jump."""

from __future__ import annotations

import threading

import pytest
from access_stores import connect
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from hauberk.access import schema
from hauberk.access.throttle import Throttle
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError

NOW = 1_800_000_000_000
DAY = 86_400_000


class Reference:
    """What the page says: five are free, then 1 s, 2 s, 4 s … 900 s, each counted from the attempt before."""

    def __init__(self) -> None:
        self.count, self.last, self.until = 0, -DAY * 10, 0

    def attempt(self, now: int) -> int:
        if now - self.last > DAY:
            self.count, self.until = 0, 0
        if now < self.until:
            return self.until - now
        self.count += 1
        self.last = now
        wait = 0 if self.count < 5 else min(900_000, 1000 * 2 ** (self.count - 5))
        self.until = now + wait
        return 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from([0, 1, 500, 1000, 1001, 4000, 900_000, DAY, DAY + 1]), max_size=25))
def test_waits_are_those_of_the_reference(steps: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("t") / "v.sqlite"
    file.touch()
    database = connect(str(file))
    with database.write() as connection:
        schema.metadata.create_all(connection)
        row = {"id": 1, "epoch": 0, "number": 0, "hash": b"", "first": 1, "before": b""}
        connection.execute(insert(schema.state).values(row))
    throttle, reference, now = Throttle(), Reference(), NOW
    for step in steps:
        now += step
        assert throttle.attempt(database, ("identity ada",), now) == reference.attempt(now)
    database.close()


def test_the_longer_of_two_waits_counts_and_others_are_not_touched(database: Database) -> None:
    throttle = Throttle()
    for number in range(6):
        throttle.failed(database, "address a", NOW + number)
    assert throttle.attempt(database, ("identity ada", "address a"), NOW + 6) == 2000 - 1
    assert throttle.attempt(database, ("identity ada", "address b"), NOW + 6) == 0


def test_many_at_once_are_all_counted(url: str) -> None:
    """Eight threads, each with a connection of its own: no more than five guesses are judged."""
    passed: list[int] = []

    def guess() -> None:
        database = connect(url)
        for _ in range(4):
            if throttle.attempt(database, ("identity ada",), NOW) == 0:
                passed.append(1)
        database.close()

    throttle = Throttle()
    threads = [threading.Thread(target=guess) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(passed) == 5


def test_a_clock_that_jumps_never_locks_longer_than_the_longest_wait(database: Database) -> None:
    throttle = Throttle()
    for number in range(40):
        throttle.failed(database, "identity ada", NOW + number)
    assert throttle.attempt(database, ("identity ada",), NOW) <= 900_000
    assert throttle.attempt(database, ("identity ada",), NOW - 365 * DAY) <= 900_000
    assert throttle.attempt(database, ("identity ada",), NOW + 365 * DAY) == 0


def test_names_that_were_tried_are_not_stored(database: Database) -> None:
    Throttle().attempt(database, ("identity my password in the wrong field",), NOW)
    with database.read() as connection:
        stored = str(connection.execute(text("SELECT * FROM access_failures")).all())
    assert "password" not in stored


def test_what_is_old_is_forgotten(database: Database) -> None:
    throttle = Throttle()
    for number in range(50):
        throttle.attempt(database, (f"identity {number}",), NOW)
    throttle.attempt(database, ("identity x",), NOW + 2 * DAY)
    with database.read() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM access_failures")).scalar() == 1


@pytest.mark.parametrize("name", ["free", "first_ms", "longest_ms", "forget_ms"])
def test_settings_that_make_no_sense_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        Throttle(**{name: 0})
