"""Published tiles: the form of the specification, written once, readable from everywhere, never from a fork."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, IntegrityError
from hauberk.ledger import merkle
from hauberk.ledger.auditing import audit
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.opening import create_ledger, open_ledger
from hauberk.ledger.places import place
from hauberk.ledger.policy import Policy
from hauberk.ledger.proving import prove_inclusion
from hauberk.ledger.published import PublishedLog, export
from hauberk.ledger.store.log import Log


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file's inode and content, by its path."""
    return {
        str(one.relative_to(folder)): (one.stat().st_ino, one.read_bytes())
        for one in folder.rglob("*")
        if one.is_file()
    }


def texts(first: int, last: int) -> list[bytes]:
    return [b"entry %d" % one for one in range(first, last)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "public"


def test_the_files_are_those_that_the_specification_names(log: Log, out: Path) -> None:
    log.append(texts(0, 70_000))
    assert export(log, out).size == 70_000
    names = set(files(out))
    # the specification's own example: 273 full tiles and one of 112, one full and one of 17, one of 1
    assert {one for one in names if one.startswith("tile/0/")} == {
        *(f"tile/0/{one:03d}" for one in range(273)),
        "tile/0/273.p/112",
    }
    assert {one for one in names if one.startswith("tile/1/")} == {"tile/1/000", "tile/1/001.p/17"}
    assert {one for one in names if one.startswith("tile/2/")} == {"tile/2/000.p/1"}
    assert len([one for one in names if one.startswith("tile/entries/")]) == 274
    assert (out / "checkpoint").read_bytes() == log.head()


def test_only_what_is_new_is_written(log: Log, out: Path) -> None:
    log.append(texts(0, 600))
    assert export(log, out).files == 3 + 3 + 1
    before = files(out)
    assert export(log, out).files == 0
    assert files(out) == before
    log.append(texts(600, 1100))
    done = export(log, out)
    assert (done.before, done.size) == (600, 1100)
    after = files(out)
    for name, what in before.items():
        if name != "checkpoint":
            assert after[name] == what, "a published file was written again"
    assert audit(PublishedLog(place(out)), Policy.of_log(log.verifier)).head.size == 1100


def test_an_export_that_was_killed_goes_on(log: Log, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(texts(0, 300))
    export(log, out)
    log.append(texts(300, 1000))
    from hauberk.ledger import places

    real, left = places.Folder.write, [3]

    def dying(self: places.Folder, path: str, data: bytes) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(self, path, data)

    monkeypatch.setattr(places.Folder, "write", dying)
    with pytest.raises(KeyboardInterrupt):
        export(log, out)
    monkeypatch.undo()
    reader = open_ledger(out)
    assert audit(reader, Policy.of_log(log.verifier)).head.size == 300  # as it was before
    done = export(log, out)
    assert done.files < 11
    assert audit(open_ledger(out), Policy.of_log(log.verifier)).head.size == 1000


@pytest.fixture
def served(out: Path) -> Iterator[str]:
    """The folder behind an HTTP server."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    out.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(out)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("kind", ["folder", "http", "memory"])
def test_a_log_is_read_from_everywhere(kind: str, log: Log, out: Path, served: str) -> None:
    target = "memory://published" if kind == "memory" else str(out)
    log.append(texts(0, 1500))
    export(log, target)
    reader = open_ledger(served if kind == "http" else target)
    assert isinstance(reader, PublishedLog)
    policy = Policy.of_log(log.verifier)
    assert audit(reader, policy).head.size == 1500
    for index in (0, 255, 256, 1023, 1499):
        prove_inclusion(reader, index, policy).verify(b"entry %d" % index, policy)
        assert reader.find(leaf_hash(b"entry %d" % index)) == index
    assert reader.find(leaf_hash(b"other")) is None
    log.append(texts(1500, 1600))
    export(log, target)
    assert audit(reader, policy).head.size == 1600  # an open reader sees it grow
    with pytest.raises(ConfigError, match="in a log of 1600"):
        reader.entry(1600)


def test_full_tiles_stand_in_for_partial_ones_that_were_removed(log: Log, out: Path) -> None:
    log.append(texts(0, 200))
    export(log, out)
    reader = open_ledger(out)
    old = peek(reader.head())
    log.append(texts(200, 300))
    export(log, out)
    for one in ("tile/0/000.p/200", "tile/entries/000.p/200"):
        (out / one).unlink()
    assert merkle.root(old.size, reader.hashes) == old.root
    assert list(reader.entries(0, 200)) == texts(0, 200)


def test_what_is_published_is_never_replaced_by_a_fork(log: Log, out: Path, tmp_path: Path) -> None:
    log.append(texts(0, 500))
    export(log, out)
    before = files(out)
    for name, entries in (
        ("other-branch", [*texts(0, 499), b"other"]),
        ("shorter", texts(0, 400)),
        ("rewritten", [b"new", *texts(1, 900)]),
    ):
        with create_ledger(tmp_path / name, origin=log.origin) as fork:
            fork.append(entries)
            with pytest.raises(IntegrityError, match="forked"):
                export(fork, out)
    stranger = create_ledger(tmp_path / "stranger", origin="example.com/stranger")
    with stranger, pytest.raises(IntegrityError, match="holds another log, example"):
        export(stranger, out)
    assert files(out) == before


def test_a_log_that_does_not_verify_is_not_published(log: Log, out: Path) -> None:
    log.append(texts(0, 500))
    with log._database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE ledger_entries SET data = CAST(data || 'x' AS BLOB) WHERE number = 40"
        )
    with pytest.raises(IntegrityError, match="entry 40"):
        export(log, out)
    assert not (out / "checkpoint").exists()
    with log._database.write() as connection:
        connection.exec_driver_sql("UPDATE ledger_entries SET data = 'text' WHERE number = 40")
    with pytest.raises(IntegrityError, match="where bytes belong"):
        export(log, out)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""])
def test_damaged_files_are_found(log: Log, out: Path, damage: object) -> None:
    log.append(texts(0, 300))
    export(log, out)
    policy = Policy.of_log(log.verifier)
    for name in (
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/44",
    ):
        file = out / name
        good = file.read_bytes()
        file.write_bytes(damage(good))  # type: ignore[operator]
        with pytest.raises(IntegrityError):
            audit(open_ledger(out), policy)
        file.unlink()
        with pytest.raises(IntegrityError):
            audit(open_ledger(out), policy)
        file.write_bytes(good)
    audit(open_ledger(out), policy)


def test_places_that_cannot_be_used_are_said(out: Path, served: str) -> None:
    with pytest.raises(DataError, match="is no ledger"):
        open_ledger(served)
    with pytest.raises(ConfigError, match="read only"):
        place(served).write("checkpoint", b"x")
    with pytest.raises(ConfigError, match=r"(?i)protocol"):
        place("nonsense://x")
    with pytest.raises(ConfigError, match="URL cannot be read"):
        open_ledger("s3://[bucket")
    with pytest.raises(EnvironmentFailure, match="no answer"):
        open_ledger("http://127.0.0.1:1")
    assert "sesame" not in place("http://me:sesame@127.0.0.1:1/log").where
    assert fsspec.filesystem("memory").protocol  # what the tests above write to is really there


def test_a_folder_that_cannot_be_written_leaves_the_checkpoint(
    log: Log, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    log.append(texts(0, 10))
    export(log, out)
    before = files(out)
    log.append(texts(10, 20))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFailure, match="No space left"):
        export(log, out)
    monkeypatch.undo()
    assert files(out) == before
