"""Many processes append at once: no gap, no duplicate, no lost entry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hauberk.cli.app import run
from hauberk.ledger.auditing import audit
from hauberk.ledger.opening import create_ledger, open_log
from hauberk.ledger.policy import Policy

WRITER = """
import sys
from hauberk.ledger.opening import open_log
where, key, name, count, batch = sys.argv[1:]
with open_log(where, key=key) as log:
    print("ready", flush=True)
    sys.stdin.readline()
    for step in range(int(count)):
        texts = [f"{name} {step} {one}" for one in range(int(batch))] + ["shared by all"]
        for text, number in zip(texts, log.append([one.encode() for one in texts])):
            print(number, text)
"""


def append_at_once(where: str, key: Path, processes: int, count: int, batch: int) -> None:
    with create_ledger(where, key=key) as log:
        log.append([b"shared by all"])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, where, str(key), str(name), str(count), str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in range(processes)
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:  # all are there: now go
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    told: dict[int, str] = {}
    for one in started:
        said, _ = one.communicate(timeout=120)
        assert one.returncode == 0
        pairs = [line.split(" ", 1) for line in said.splitlines()]
        assert len(pairs) == count * (batch + 1)
        numbers = [int(number) for number, text in pairs if text != "shared by all"]
        assert numbers == sorted(numbers), "a process' own entries are in its own order"
        for number, text in pairs:
            assert told.setdefault(int(number), text) == text, "one number for two entries"
    assert sorted(told) == list(range(1 + processes * count * batch)), "a gap, or a lost entry"
    with open_log(where) as log:
        found = audit(log, Policy.of_log(log.verifier))
        assert found.head.size == len(told)
        assert [one.decode() for one in log.entries(0, len(told))] == [told[one] for one in sorted(told)]


def test_two_processes_on_sqlite(tmp_path: Path) -> None:
    append_at_once(str(tmp_path / "log"), tmp_path / "signing", processes=2, count=40, batch=3)


def test_twenty_processes_on_postgres(database: str, tmp_path: Path) -> None:
    append_at_once(database, tmp_path / "signing", processes=20, count=12, batch=4)


def test_the_commands_take_a_database(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, document, out = tmp_path / "key", tmp_path / "a.json", tmp_path / "public"
    document.write_text("[1]")
    place = ["--ledger", database]
    for words, code in (
        (["append", str(document), *place, "--key", str(key)], 2),  # there is no ledger yet
        (["init", *place, "--key", str(key)], 0),
        (["append", str(document), *place], 2),
        (["append", str(document), *place, "--key", str(key)], 0),
        (["head", *place], 0),
        (["export", *place, "--tiles", str(out)], 0),
    ):
        assert run(["ledger", *words]) == code, capsys.readouterr()
    assert (out / "checkpoint").read_text() in capsys.readouterr().out


@pytest.mark.parametrize("where", ["sqlite", "postgres"])
def test_readers_are_not_kept_out_by_a_writer(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = str(tmp_path / "log") if where == "sqlite" else request.getfixturevalue("database")
    with create_ledger(place, key=tmp_path / "signing") as log, open_log(place) as reader:
        log.append([b"a"])
        with log._database.write() as connection:
            connection.exec_driver_sql("UPDATE ledger_log SET size = size")
            assert reader.entry(0) == b"a"
