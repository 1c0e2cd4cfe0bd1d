"""The trail: every way to change it is found, one chain whoever writes, and no answer that is not on disk."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import rfc8785
from access_stores import START, Hands, connect
from hypothesis import given
from hypothesis import strategies as st
from postgres_server import Server
from sqlalchemy import Connection, event, text

from hauberk.access import granting, identities
from hauberk.access.deciding import Caller, Question
from hauberk.access.entering import Access, Circumstances
from hauberk.access.trail import checking, retention
from hauberk.access.trail.line import UNPRINTED, Line, plain
from hauberk.access.trail.publishing import Publisher, trail_id
from hauberk.access.trail.reading import Filter, lines
from hauberk.access.trail.writing import Trail
from hauberk.core.database import Database
from hauberk.core.errors import EnvironmentFailure, HauberkError, IntegrityError, TrailUnavailable
from hauberk.ledger.policy import Policy
from hauberk.ledger.store.log import Log

ADA = Caller("ada", "key 0Ab")
LINE = Line(1, 2, "r", "ada", "key 0Ab", "192.0.2.1", "model.pull", "face", "3 production", "", True, "grant 1")
texts = st.text(st.characters(codec="utf-8"), max_size=20)


@pytest.fixture
def granted(access: Access) -> Access:
    identities.add(access.database, "ada")
    granting.grant(access.database, "trainer", "ada", "face-*")
    return access


def ask(access: Access, count: int, *, model: str = "face-1", caller: Caller = ADA) -> list[Line]:
    return [
        access.decide(caller, Question("model.pull", model), Circumstances("192.0.2.1", f"request {number}"))
        for number in range(count)
    ]


def checked(database: Database, log: Log) -> checking.Checked:
    return checking.check(database, START, log, Policy.of_log(log.verifier))


@given(who=texts, why=texts, number=st.integers(0, 2**53 - 1), allowed=st.booleans())
def test_a_line_has_the_bytes_of_rfc_8785(who: str, why: str, number: int, allowed: bool) -> None:
    line = LINE._replace(who=who, why=why, number=number, allowed=allowed)
    assert bytes(line) == rfc8785.dumps(list(line))
    assert line.hash(START) == hashlib.sha256(START + rfc8785.dumps(list(line))).digest()


@pytest.mark.parametrize("said", ["a\nb", "\x1b[2J", "é", '"', "\\", "a" * 201, "\x00"])
def test_what_could_forge_a_line_is_not_shown(said: str) -> None:
    assert plain(said) == UNPRINTED
    assert plain("promote face@3 to production, 192.0.2.1") == "promote face@3 to production, 192.0.2.1"


def test_a_decision_is_written_with_all_that_is_asked_for(granted: Access, clock: Hands) -> None:
    where = Circumstances("192.0.2.1", "r-1", "for the release")
    line = granted.decide(ADA, Question("model.pull", "face-1", ("3", "production")), where)
    assert line == Line(
        1, clock.ms, "r-1", "ada", "key 0Ab", "192.0.2.1", "model.pull", "face-1", "3 production",
        "for the release", True, "grant 1: trainer 2",
    )  # fmt: skip
    refused = granted.decide(ADA, Question("model.pull", "text"), where)
    assert (refused.allowed, refused.why) == (False, "no rule allows it")
    assert [one for one, _ in lines(granted.database)] == [line, refused]


def test_the_trail_and_its_ledger_agree(granted: Access, log: Log) -> None:
    ask(granted, 5)
    assert granted.publisher is not None
    assert granted.publisher.publish() == 5
    assert granted.publisher.publish() == 0
    ask(granted, 3)
    found = checked(granted.database, log)
    assert (found.first, found.last, found.covered, found.batches) == (1, 8, 5, 1)
    said = json.loads(log.entry(0))
    assert said["kind"] == "access-batch"
    assert said["facts"] == {"count": 5, "first": 1, "trail": trail_id(START)}
    assert b"ada" not in log.entry(0)


RENUMBER = """
    UPDATE access_trail SET number = -number WHERE number IN (3, 4);
    UPDATE access_trail SET number = 4 WHERE number = -3;
    UPDATE access_trail SET number = 3 WHERE number = -4
"""
TAMPERING = {
    **{
        f"{column} changed": f"UPDATE access_trail SET {column} = {value} WHERE number = 3"
        for column, value in {
            "who": "'bob'", "how": "'password'", "source": "'203.0.113.9'", "action": "'model.view'",
            "model": "'face-2'", "version": "'9'", "detail": "'x'", "why": "'grant 2'", "request": "'x'",
            "time_ms": "time_ms + 1", "allowed": "NOT allowed",
        }.items()
    },
    "a line removed": "DELETE FROM access_trail WHERE number = 3",
    "the first removed": "DELETE FROM access_trail WHERE number = 1",
    "the last removed": "DELETE FROM access_trail WHERE number = 6",
    "all removed": "DELETE FROM access_trail",
    "two exchanged": RENUMBER,
    "one put in at the end": "INSERT INTO access_trail SELECT 7, time_ms, request, who, how, source, action, "
    "model, version, detail, allowed, why, hash FROM access_trail WHERE number = 6",
    "the hash changed": "UPDATE access_trail SET hash = (SELECT hash FROM access_trail WHERE number = 4) "
    "WHERE number = 3",
    "the end moved": "UPDATE access_state SET number = 5",
    "the last cut off, the end moved": "UPDATE access_state SET number = 5, hash = (SELECT hash "
    "FROM access_trail WHERE number = 5); DELETE FROM access_trail WHERE number = 6",
    "the beginning moved": "UPDATE access_state SET first = 3, before = (SELECT hash FROM access_trail "
    "WHERE number = 2); DELETE FROM access_trail WHERE number < 3",
    "all gone as if nothing had been": "DELETE FROM access_trail; DELETE FROM access_batches; "
    "UPDATE access_state SET number = 0, first = 1",
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERING)
def test_every_change_of_the_tables_is_found(granted: Access, log: Log, how: str) -> None:
    ask(granted, 6)
    assert granted.publisher is not None
    granted.publisher.publish()
    checked(granted.database, log)
    with granted.database.write() as connection:
        for one in TAMPERING[how].split(";"):
            connection.execute(text(one))
    with pytest.raises(IntegrityError):
        checked(granted.database, log)


@pytest.mark.parametrize("line", [1, 3, 6])
def test_an_administrator_who_chains_everything_anew_is_found(granted: Access, log: Log, line: int) -> None:
    """He has the vault's key, knows the form, and makes the trail whole again: only the ledger tells."""
    ask(granted, 6)
    assert granted.publisher is not None
    granted.publisher.publish()
    rewritten = [one._replace(who="bob") if one.number == line else one for one, _ in lines(granted.database)]
    with granted.database.write() as connection:
        rechain(connection, rewritten)
    with pytest.raises(IntegrityError, match="says otherwise"):
        checked(granted.database, log)


def rechain(connection: Connection, written: list[Line]) -> None:
    before = START
    for one in written:
        before = hashlib.sha256(before + rfc8785.dumps(list(one))).digest()
        connection.execute(
            text("UPDATE access_trail SET who = :who, hash = :hash WHERE number = :number"),
            {"who": one.who, "hash": before, "number": one.number},
        )
    connection.execute(text("UPDATE access_state SET hash = :hash"), {"hash": before})


def test_a_trail_of_another_vault_is_none_of_ours(granted: Access, log: Log) -> None:
    ask(granted, 2)
    Publisher(granted.database, bytes(32), lambda: log).publish()  # the same ledger, another start
    assert checked(granted.database, log).covered == 0


class TestRetention:
    def test_old_lines_go_and_the_rest_is_still_checked(self, granted: Access, log: Log, clock: Hands) -> None:
        publisher = granted.publisher
        assert publisher is not None
        ask(granted, 4)
        publisher.publish()
        clock.move(days=400)
        ask(granted, 3)
        publisher.publish()
        ask(granted, 1)
        database = granted.database
        before = clock().replace(month=1)
        last = retention.removable(database, before)
        assert last == 4
        granted.require(Access.owner(), Question("vault.admin"), Circumstances(detail=retention.reason(last)))
        assert retention.remove(database, last) == 4
        found = checked(database, log)
        assert (found.first, found.last, found.covered) == (5, 9, 7)
        assert retention.removable(database, before) == 0
        with database.write() as connection:
            connection.execute(text("UPDATE access_trail SET who = 'bob' WHERE number = 6"))
        with pytest.raises(IntegrityError, match="line 6"):
            checked(database, log)

    def test_lines_that_the_ledger_does_not_cover_stay(self, granted: Access, clock: Hands) -> None:
        ask(granted, 4)
        clock.move(days=400)
        assert retention.removable(granted.database, clock()) == 0
        with pytest.raises(IntegrityError):
            retention.remove(granted.database, 3)

    def test_a_removal_that_nobody_was_allowed_is_found(self, granted: Access, log: Log, clock: Hands) -> None:
        assert granted.publisher is not None
        ask(granted, 4)
        granted.publisher.publish()
        clock.move(days=400)
        ask(granted, 1)
        retention.remove(granted.database, 4)
        with pytest.raises(IntegrityError, match="nobody who may"):
            checked(granted.database, log)


class TestPublishing:
    def test_a_thousand_lines_or_a_minute_make_a_batch(
        self, granted: Access, log: Log, clock: Hands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def covered() -> int:
            return checked(granted.database, log).covered

        monkeypatch.setattr("hauberk.access.trail.publishing.DUE_LINES", 10)
        ask(granted, 9)
        assert covered() == 0
        ask(granted, 1)
        assert covered() == 10
        ask(granted, 1)
        clock.move(seconds=59)
        ask(granted, 1)
        assert covered() == 10
        clock.move(seconds=1)
        ask(granted, 1)
        assert covered() == 13
        ask(granted, 1)
        clock.move(seconds=-3600)
        ask(granted, 1)
        assert covered() == 15, "a clock that is set back makes nobody wait"

    def test_a_ledger_that_is_away_stops_nobody_and_is_told(self, granted: Access, clock: Hands) -> None:
        def away() -> Log:
            raise EnvironmentFailure("nobody answers")

        publisher = granted.publisher = Publisher(granted.database, START, away, clock=clock)
        ask(granted, 1)
        clock.move(minutes=2)
        assert ask(granted, 1)[0].allowed
        assert "nobody answers" in str(publisher.failure)
        with pytest.raises(EnvironmentFailure):
            publisher.publish()

    def test_one_that_was_stopped_between_ledger_and_database_is_repeated(
        self, granted: Access, log: Log, clock: Hands
    ) -> None:
        assert granted.publisher is not None
        ask(granted, 3)
        granted.publisher.publish()
        with granted.database.write() as connection:
            connection.execute(text("DELETE FROM access_batches"))
        ask(granted, 2)
        Publisher(granted.database, START, lambda: log, clock=clock).publish()
        found = checked(granted.database, log)
        assert (found.covered, found.batches) == (5, 2)


class TestFailingClosed:
    """If the trail cannot be written, the answer is no."""

    def test_on_a_full_disk(self, granted: Access, url: str, log: Log) -> None:
        if url.startswith("postgresql"):
            pytest.skip("the disk of a server is not ours to fill")
        assert ask(granted, 1)[0].allowed
        engine = granted.database._engine

        def full(connection: sqlite3.Connection, *_: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

        event.listen(engine, "checkout", full)
        refused = 0
        for _ in range(200):  # there may be room on the last page
            try:
                ask(granted, 1)
            except TrailUnavailable as error:
                assert "the disk is full" in str(error)  # noqa: PT017
                refused += 1
        assert refused
        event.remove(engine, "checkout", full)
        with granted.database.write() as connection:
            connection.execute(text("PRAGMA max_page_count = 1000000")).all()
        assert ask(granted, 1)[0].allowed
        checked(granted.database, log)

    def test_on_a_locked_database(self, granted: Access, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if url.startswith("postgresql"):
            pytest.skip("a server waits as long as it is told to")
        monkeypatch.setattr("hauberk.core.database.BUSY_TIMEOUT_S", 0.2)
        impatient = connect(url)
        other = sqlite3.connect(url, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        trail = Trail(impatient, START)
        with pytest.raises(TrailUnavailable, match="cannot be written"):
            trail.write(lambda _connection, _epoch, number: LINE._replace(number=number))
        other.execute("ROLLBACK")
        other.close()
        assert trail.write(lambda _connection, _epoch, number: LINE._replace(number=number)).number == 1
        impatient.close()

    @pytest.mark.parametrize("table", ["access_trail", "access_state"])
    def test_without_its_tables(self, granted: Access, table: str) -> None:
        ask(granted, 1)
        with granted.database.write() as connection:
            connection.execute(text(f"DROP TABLE {table}"))
        with pytest.raises(HauberkError):
            ask(granted, 1)

    def test_for_all_who_wait_for_the_same_commit(
        self, granted: Access, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with granted.database.write() as connection:
            connection.execute(text("DROP TABLE access_trail"))
        errors = in_threads(8, lambda _: raised(lambda: ask(granted, 1)))
        assert [type(one) for one in errors] == [TrailUnavailable] * 8


def test_a_server_that_crashes_loses_no_answer(postgres: Server, granted: Access, url: str, log: Log) -> None:
    if not url.startswith("postgresql"):
        pytest.skip("SQLite has no server")
    assert [one.number for one in ask(granted, 2)] == [1, 2]
    postgres.stop(how="immediate")
    try:
        for _ in range(2):
            with pytest.raises(TrailUnavailable, match="does not answer"):
                ask(granted, 1)
    finally:
        postgres.start()
    assert ask(granted, 1)[0].number == 3
    assert checked(granted.database, log).last == 3


def raised(step: Callable[[], object]) -> BaseException | None:
    try:
        step()
    except HauberkError as error:
        return error
    return None


def in_threads(count: int, step: Callable[[int], object]) -> list[object]:
    found: list[object] = []
    threads = [threading.Thread(target=lambda one=one: found.append(step(one))) for one in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


def test_many_threads_share_commits_and_one_chain(granted: Access, log: Log) -> None:
    commits = []
    event.listen(granted.database._engine, "commit", lambda _: commits.append(1))
    numbers = [
        number
        for found in in_threads(16, lambda _: [one.number for one in ask(granted, 20)])
        for number in found  # type: ignore[attr-defined]
    ]
    assert sorted(numbers) == list(range(1, 321))
    assert len(commits) < 320
    assert checked(granted.database, log).last == 320


WRITER = """
import sys
from access_stores import START, connect
from hauberk.access.trail.line import Line
from hauberk.access.trail.writing import Trail
url, name, count = sys.argv[1:]
database = connect(url)
trail = Trail(database, START)
print("ready", flush=True)
sys.stdin.readline()
for step in range(int(count)):
    line = trail.write(
        lambda _c, _e, number: Line(number, 1, str(step), name, "", "", "model.view", "", "", "", True, "")
    )
    print(line.number, flush=True)
database.close()
"""


def test_many_processes_write_one_chain(url: str, database: Database, log: Log) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, f"w{number}", "15"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
        )
        for number in range(4)
    ]  # fmt: skip
    for one in writers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in writers:
        one.communicate("\n", timeout=120)
        assert one.returncode == 0
    found = [one for one, _ in lines(database)]
    assert checked(database, log).last == 60
    for number in range(4):
        assert [one.request for one in found if one.who == f"w{number}"] == [str(step) for step in range(15)]


def test_a_writer_that_is_killed_leaves_every_answer_that_it_gave(
    url: str, database: Database, log: Log
) -> None:
    chance = random.Random(5)
    acknowledged = 0
    for number in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, f"w{number}", "100000"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
        )  # fmt: skip
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        writer.stdin.write("\n")
        writer.stdin.flush()
        first = int(writer.stdout.readline())
        assert first == acknowledged + 1, "no line of the one before is missing"
        time.sleep(chance.uniform(0.0, 0.2))
        writer.kill()
        rest = writer.stdout.read().split("\n")[:-1]
        writer.communicate()
        acknowledged = checked(database, log).last
        assert acknowledged - int((rest or [str(first)])[-1]) in (0, 1)


def test_filters_find_what_a_reader_would(granted: Access, clock: Hands) -> None:
    began = clock()
    ask(granted, 2)
    clock.move(hours=1)
    ask(granted, 1, model="text_1")
    granted.decide(Access.owner(), Question("audit.read"))
    clock.move(hours=1)
    everything = [one for one, _ in lines(granted.database)]

    def found(**asked: object) -> list[int]:
        return [one.number for one, _ in lines(granted.database, Filter(**asked))]  # type: ignore[arg-type]

    assert found() == [1, 2, 3, 4]
    assert found(who="ada") == [1, 2, 3]
    assert found(who="a%") == []
    assert found(model="face-*") == [1, 2]
    assert found(model="text_*") == [3]
    assert found(model="text-*") == []
    assert found(action="audit.read") == [4]
    assert found(allowed=False) == [3]
    assert found(since=began.replace(hour=13)) == [3, 4]
    assert found(until=began.replace(hour=13), allowed=True) == [1, 2]
    assert [one.number for one, _ in lines(granted.database, newest=3)] == [2, 3, 4]
    assert everything[0].who == "ada"
