"""Appending and reading: what is acknowledged is there, numbered in order, under a head that its key signed."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, IntegrityError
from hauberk.crypto.notes import Note, generate, verify, write_signers
from hauberk.ledger.auditing import audit
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.opening import create_ledger, open_ledger, open_log
from hauberk.ledger.policy import Policy
from hauberk.ledger.store.log import Log

ORIGIN = "example.com/log"
NOBODY = 65534
UNPRIVILEGED = """
import os, sys
from hauberk.core.errors import EnvironmentFailure
from hauberk.ledger.opening import create_ledger, open_log
create_ledger(sys.argv[1] + ".other").close()  # everything is imported before the rights go
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with open_log(sys.argv[1], key=sys.argv[2]) as log:
    print(log.entry(0))
    try:
        log.append([b"b"])
    except EnvironmentFailure as error:
        print(error.exit_code, error)
"""


def tree_hash(entries: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + tree_hash(entries[:k]) + tree_hash(entries[k:])).digest()


@pytest.fixture(params=["sqlite", "postgres"])
def any_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    where = tmp_path / "log" if request.param == "sqlite" else request.getfixturevalue("database")
    with create_ledger(where, origin=ORIGIN, key=tmp_path / "signing") as made:
        yield made


def test_entries_are_numbered_and_read_back(any_log: Log) -> None:
    documents = [b"one", b"\n", b"\x00\xff" * 9, "中文".encode(), b"x" * 65_535]
    assert any_log.append(documents[:2]) == [0, 1]
    assert any_log.append(documents[2:]) == [2, 3, 4]
    assert list(any_log.entries(0, 5)) == documents
    assert [any_log.find(leaf_hash(one)) for one in documents] == [0, 1, 2, 3, 4]
    assert any_log.find(leaf_hash(b"other")) is None
    head = peek(any_log.head())
    assert (head.origin, head.size, head.root) == (ORIGIN, 5, tree_hash(documents))
    verify(Note.parse(any_log.head()), [any_log.verifier])
    assert audit(any_log, Policy.of_log(any_log.verifier)).head == head


def test_the_same_bytes_keep_their_first_number(any_log: Log) -> None:
    assert any_log.append([b"a", b"b", b"a"]) == [0, 1, 0]
    before = any_log.head()
    assert any_log.append([b"b", b"b"]) == [1, 1]
    assert any_log.append([]) == []
    assert any_log.head() == before
    assert any_log.append([b"c", b"a"]) == [2, 0]


def test_many_entries_fill_tiles_of_three_levels_in_every_step(any_log: Log) -> None:
    documents = [b"%d" % one for one in range(66_000)]
    at = 0
    for step in (1, 254, 1, 1, 255, 256, 512, 64_000, 719, 1):
        assert any_log.append(documents[at : at + step]) == list(range(at, at + step))
        at += step
        assert peek(any_log.head()).root == tree_hash(documents[:at])
    assert audit(any_log, Policy.of_log(any_log.verifier)).tiles == 258 + 2 + 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.binary(min_size=1, max_size=3), max_size=40), max_size=12))
def test_any_batches_give_the_tree_of_their_first_occurrences(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[bytes]]
) -> None:
    with create_ledger(tmp_path_factory.mktemp("any") / "log") as log:
        seen: list[bytes] = []
        for batch in batches:
            seen += [one for one in dict.fromkeys(batch) if one not in seen]
            assert log.append(batch) == [seen.index(one) for one in batch]
        head = peek(log.head())
        assert (head.size, list(log.entries(0, head.size))) == (len(seen), seen)
        if seen:
            assert head.root == tree_hash(seen)


def test_another_process_reads_what_was_appended(folder: Path, log: Log) -> None:
    log.append([b"a"])
    code = (
        "import sys\nfrom hauberk.ledger.opening import open_ledger\n"
        f"log = open_ledger({str(folder)!r})\nprint(log.entry(0), log.append([b'b']))\nlog.close()\n"
        "assert 'torch' not in sys.modules"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert said.stdout == "b'a' [1]\n", said.stderr
    assert log.append([b"c"]) == [2]


def test_readers_see_no_entry_beyond_the_head(log: Log) -> None:
    log.append([b"a"])
    for start, stop in ((0, 2), (1, 2), (-1, 1)):
        with pytest.raises(ConfigError, match="in a log of 1"):
            list(log.entries(start, stop))
    with pytest.raises(ConfigError, match="no entry 1 in a log of 1"):
        log.entry(1)
    with pytest.raises(ConfigError):
        log.hashes(1, 0)


def test_an_entry_that_is_too_long_stops_the_whole_batch(log: Log) -> None:
    with pytest.raises(DataError, match="65536"):
        log.append([b"a", b"x" * 65_536])
    with pytest.raises(DataError, match="not empty"):
        log.append([b"a", b""])
    assert peek(log.head()).size == 0


def test_the_time_of_a_head_never_falls(folder: Path) -> None:
    moments = [datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=one) for one in (0, 2, 1, 3)]
    now = moments[0]
    with create_ledger(folder, clock=lambda: now) as log:
        found = [log.signed_ms()]
        for number, now in enumerate(moments[1:]):  # noqa: B007 (the clock reads it)
            log.append([b"%d" % number])
            found.append(log.signed_ms())
    hours = [(one - found[0]) / 3_600_000 for one in found]
    assert hours == [0, 2, 2, 3]


class TestKeys:
    def test_the_key_is_for_its_owner_alone(self, folder: Path, log: Log) -> None:
        assert (folder / "key").stat().st_mode & 0o777 == 0o600
        assert (folder / "key.pub").read_text().strip() == str(log.verifier)
        assert Policy.load(folder / "policy").check(log.head()).size == 0

    def test_another_key_signs_nothing(self, folder: Path, log: Log, tmp_path: Path) -> None:
        write_signers(tmp_path / "other", [generate(ORIGIN)])
        with open_log(folder, key=tmp_path / "other") as wrong, pytest.raises(ConfigError, match="another key"):
            wrong.append([b"a"])
        assert peek(log.head()).size == 0

    def test_a_key_that_others_may_read_is_refused(self, folder: Path, log: Log) -> None:
        (folder / "key").chmod(0o644)
        with pytest.raises(ConfigError, match="others may read"):
            log.append([b"a"])

    def test_reading_needs_no_key(self, folder: Path, log: Log) -> None:
        log.append([b"a"])
        (folder / "key").unlink()
        with open_log(folder) as other:
            assert other.entry(0) == b"a"
            with pytest.raises(DataError, match="no key file"):
                other.append([b"b"])

    def test_a_database_has_no_key(self, database: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="needs a place for its key"):
            create_ledger(database)
        create_ledger(database, key=tmp_path / "key").close()
        with pytest.raises(ConfigError, match="holds a ledger already"):
            create_ledger(database, key=tmp_path / "second")
        assert not (tmp_path / "second").exists()
        with open_log(database) as log, pytest.raises(ConfigError, match="say where it lies") as caught:
            log.append([b"a"])
        assert "--key" in str(caught.value.hint)

    def test_names_that_are_none_leave_nothing_behind(self, folder: Path) -> None:
        with pytest.raises(ConfigError, match="no spaces"):
            create_ledger(folder, origin="two words")
        assert not folder.exists()
        assert list(folder.parent.iterdir()) == []


class TestPlaces:
    def test_a_ledger_is_never_replaced(self, folder: Path, log: Log) -> None:
        with pytest.raises(ConfigError, match="holds a ledger already"):
            create_ledger(folder)

    def test_nor_is_another_folder(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "precious").write_text("x")
        with pytest.raises(ConfigError, match="not empty"):
            create_ledger(folder)
        assert (folder / "precious").read_text() == "x"

    def test_a_folder_that_is_none(self, tmp_path: Path) -> None:
        for where in (tmp_path, tmp_path / "missing"):
            with pytest.raises(DataError, match="is no ledger") as caught:
                open_ledger(where)
            assert "ledger init" in str(caught.value.hint)

    @pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(500), b"not a database at all" * 90])
    def test_a_file_that_is_no_ledger(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "ledger.sqlite").write_bytes(content)
        with pytest.raises((DataError, IntegrityError), match=r"no ledger|no database|damaged"):
            open_ledger(tmp_path)

    def test_tables_of_a_newer_version(self, folder: Path, log: Log) -> None:
        log.close()
        with sqlite3.connect(folder / "ledger.sqlite") as raw:
            raw.execute("UPDATE ledger_log SET version = 7")
        raw.close()
        with pytest.raises(DataError, match=r"tables of version 7; this Hauberk knows version 1"):
            open_ledger(folder)

    def test_urls_that_cannot_be_read(self) -> None:
        with pytest.raises(ConfigError, match="cannot be read"):
            open_ledger("postgresql://user@host:port/x")
        with pytest.raises(ConfigError, match="made in a folder or in PostgreSQL"):
            create_ledger("memory://somewhere")

    def test_a_password_is_never_shown(self) -> None:
        with pytest.raises(EnvironmentFailure) as caught:
            open_ledger("postgresql://me:sesame@127.0.0.1:1/x?connect_timeout=2")
        assert "sesame" not in str(caught.value)
        assert "does not answer" in str(caught.value)


class TestMachine:
    def test_a_full_disk_loses_nothing_and_is_said_in_one_line(self, folder: Path, log: Log) -> None:
        log.append([b"kept"])
        engine = log._database._engine

        from sqlalchemy import event

        @event.listens_for(engine, "checkout")
        def full(connection: sqlite3.Connection, *_: object) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone()

        with pytest.raises(EnvironmentFailure, match="the disk is full") as caught:
            log.append([os.urandom(60_000) for _ in range(20)])
        assert "\n" not in str(caught.value)
        event.remove(engine, "checkout", full)
        log.close()
        with open_log(folder) as again:
            assert audit(again, Policy.of_log(again.verifier)).head.size == 1
            assert again.append([b"next"]) == [1]

    def test_a_folder_that_may_not_be_written_can_be_read(self) -> None:
        """As an ordinary user: root may write everywhere."""
        with tempfile.TemporaryDirectory(dir="/tmp") as place:
            shared, key = Path(place) / "shared", Path(place) / "key"
            with create_ledger(shared, origin=ORIGIN, key=key) as log:
                log.append([b"a"])
            if os.geteuid() == 0:
                os.chmod(place, 0o755)
                os.chown(key, NOBODY, NOBODY)
            shared.chmod(0o555)
            try:
                said = subprocess.run(
                    [sys.executable, "-c", UNPRIVILEGED, shared, key],
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
            finally:
                shared.chmod(0o755)
        assert said.stdout.splitlines() == [
            "b'a'",
            f"3 could not use the ledger {shared}: it may not be written",
        ], said.stderr
