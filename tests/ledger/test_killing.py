"""``kill -9`` at any moment of an append: what was acknowledged is there, and the log verifies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import Server

from hauberk.core.errors import EnvironmentFailure
from hauberk.ledger.auditing import audit
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.opening import create_ledger, open_log
from hauberk.ledger.policy import Policy

WRITER = Path(__file__).parent / "killing.py"


class Writers:
    """The helper process, and what its writers have acknowledged."""

    def __init__(self, where: str, key: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(WRITER), where, str(key)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.acknowledged: dict[int, bytes] = {}

    def run(self, batch: int, seconds: float) -> None:
        """Start a writer and kill it after a while."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(batch, file=self._process.stdin, flush=True)
        pid = None
        for line in self._process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "pid":
                pid = int(rest)
                time.sleep(seconds)
                os.kill(pid, signal.SIGKILL)
            elif word == "gone":
                return
            else:
                assert int(word) not in self.acknowledged, "a number was given twice"
                self.acknowledged[int(word)] = rest.encode()
        raise AssertionError("the writers' process has ended")

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


@pytest.fixture
def writers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Writers]]:
    where = request.getfixturevalue("database") if request.param == "postgres" else str(tmp_path / "log")
    create_ledger(where, key=tmp_path / "signing").close()
    made = Writers(where, tmp_path / "signing")
    yield where, made
    made.close()


def kill_and_check(where: str, writers: Writers, times: int, seed: int) -> None:
    chance = random.Random(seed)
    kept, done = b"", 0
    for _ in range(times):
        writers.run(chance.choice((1, 1, 3, 400)), chance.uniform(0.0, 0.12))
        with open_log(where) as log:
            found = audit(log, Policy.of_log(log.verifier), kept or None)
            entries = list(log.entries(0, found.head.size))
            kept = log.head()
        for number, text in writers.acknowledged.items():
            assert entries[number] == text
        assert len(set(entries)) == len(entries)
        done = found.head.size
    assert len(writers.acknowledged) > times, "nothing was killed while it worked"
    assert peek(kept).size == done >= len(writers.acknowledged)


@pytest.mark.parametrize("writers", ["sqlite"], indirect=True)
def test_a_dozen_kills(writers: tuple[str, Writers]) -> None:
    kill_and_check(*writers, times=12, seed=1)


@pytest.mark.parametrize("writers", ["postgres"], indirect=True)
def test_kills_of_writers_to_postgres(writers: tuple[str, Writers]) -> None:
    kill_and_check(*writers, times=6, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("writers", ["sqlite"], indirect=True)
def test_two_hundred_kills(writers: tuple[str, Writers]) -> None:
    kill_and_check(*writers, times=200, seed=3)


def test_a_server_that_crashes_loses_nothing(postgres: Server, database: str, tmp_path: Path) -> None:
    key = tmp_path / "signing"
    with create_ledger(database, key=key) as log:
        assert log.append([b"a", b"b"]) == [0, 1]
        postgres.stop(how="immediate")
        try:
            for _ in range(2):
                with pytest.raises(EnvironmentFailure, match="does not answer") as caught:
                    log.append([b"c"])
                assert "\n" not in str(caught.value)
        finally:
            postgres.start()
        assert log.append([b"c", b"a"]) == [2, 0]
        assert audit(log, Policy.of_log(log.verifier)).head.size == 3
