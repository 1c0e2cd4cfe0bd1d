"""Decisions for an event loop: the same answers, the same chain, and nothing that a change does not reach."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from access_stores import START, Hands, connect
from sqlalchemy import event, text

from hauberk.access import granting, identities, key_store
from hauberk.access.deciding import Question
from hauberk.access.entering import Access, Circumstances
from hauberk.access.trail import checking
from hauberk.access.trail.line import Line
from hauberk.core.errors import TrailUnavailable
from hauberk.ledger.policy import Policy
from hauberk.ledger.store.log import Log

PULL = Question("model.pull", "face-1")
WHERE = Circumstances("192.0.2.1", "r")
WAIT_S = 30.0


class Told:
    """What was told, and when all of it was."""

    def __init__(self, count: int) -> None:
        self.answers: list[Callable[[], Line]] = []
        self._left = threading.Semaphore(0)
        self._count = count

    def __call__(self, answer: Callable[[], Line]) -> None:
        self.answers.append(answer)
        self._left.release()

    def lines(self) -> list[Line]:
        for _ in range(self._count):
            assert self._left.acquire(timeout=WAIT_S)
        return [one() for one in self.answers]


@pytest.fixture
def known(access: Access, clock: Hands) -> Iterator[str]:
    """A key whose right is remembered."""
    identities.add(access.database, "ada")
    granting.grant(access.database, "trainer", "ada", "face-*")
    key = key_store.new(access.database, "ada", lifetime=timedelta(days=1), clock=clock)
    assert access.decide(access.by_key(key.text), PULL).allowed
    yield key.text
    access.close()


def test_nothing_happens_where_something_must_be_read_first(access: Access, known: str, clock: Hands) -> None:
    told = Told(1)
    for words, question in (
        ("hbk_nothing", PULL),
        (known[:-1] + ("a" if known[-1] != "a" else "b"), PULL),
        (known, Question("model.pull", "face-2")),
    ):
        assert access.decide_at_once(words, question, WHERE, told) is None
    clock.move(days=2)
    assert access.decide_at_once(known, PULL, WHERE, told) is None, "the key has expired"
    assert told.answers == []


def test_threads_and_posts_share_one_chain(access: Access, known: str, log: Log) -> None:
    commits: list[int] = []
    event.listen(access.database._engine, "commit", lambda _: commits.append(1))
    told = Told(400)
    caller = access.by_key(known)
    threads = [
        threading.Thread(target=lambda: [access.decide(caller, PULL, WHERE) for _ in range(25)])
        for _ in range(4)
    ]
    for one in threads:
        one.start()
    for _ in range(400):
        found = access.decide_at_once(known, PULL, WHERE, told)
        assert found is not None
        assert found.name == "ada"
    lines = told.lines()
    for one in threads:
        one.join(WAIT_S)
    assert all(one.allowed and one.who == "ada" for one in lines)
    checked = checking.check(access.database, START, log, Policy.of_log(log.verifier))
    assert checked.last == 1 + 400 + 100
    assert len({one.number for one in lines}) == 400
    assert len(commits) < 500


def test_what_another_process_takes_away_counts_at_once(access: Access, known: str, url: str) -> None:
    other = connect(url)
    granting.take_back(other, "trainer", "ada", "face-*")
    told = Told(1)
    assert access.decide_at_once(known, PULL, WHERE, told) is not None, "it is remembered as allowed"
    (line,) = told.lines()
    assert not line.allowed
    other.close()


def test_a_key_that_another_process_revokes_is_refused_at_once(access: Access, known: str, url: str) -> None:
    other = connect(url)
    key_store.revoke(other, access.by_key(known).key or "")
    told = Told(1)
    access.decide_at_once(known, PULL, WHERE, told)
    (line,) = told.lines()
    assert (line.allowed, line.why) == (False, "the key is revoked")
    other.close()


def test_no_line_no_answer(access: Access, known: str) -> None:
    with access.database.write() as connection:
        connection.execute(text("DROP TABLE access_trail"))
    told = Told(3)
    for _ in range(3):
        access.decide_at_once(known, PULL, WHERE, told)
    with pytest.raises(TrailUnavailable):
        told.lines()
    for one in told.answers:
        with pytest.raises(TrailUnavailable):
            one()


def test_a_thousand_lines_are_published_without_waiting(access: Access, known: str, log: Log) -> None:
    told = Told(1100)
    for _ in range(1100):
        access.decide_at_once(known, PULL, WHERE, told)
    told.lines()
    access.close()
    checked = checking.check(access.database, START, log, Policy.of_log(log.verifier))
    assert checked.covered >= 1000
