"""Whoever holds one older checkpoint finds everything that is done to the tables of a log."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hauberk.core.errors import HauberkError, IntegrityError
from hauberk.crypto.notes import Note, generate, read_signers
from hauberk.ledger import merkle
from hauberk.ledger.auditing import audit
from hauberk.ledger.checking import verify_consistency
from hauberk.ledger.checkpoint import Checkpoint, peek, sign_checkpoint
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.opening import create_ledger, open_log
from hauberk.ledger.policy import Policy
from hauberk.ledger.proving import prove_consistency, prove_inclusion
from hauberk.ledger.store.log import Log
from hauberk.ledger.store.rows import fingerprint

SIZE, KEPT = 700, 300
VICTIM = 123  # covered by the older checkpoint
YOUNG = 650  # covered by the newest one alone


def text(number: int, *, year: int = 2026) -> bytes:
    return b'{"created":"%d-01-01T00:00:00Z","number":%d}' % (year, number)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A ledger, and the checkpoint that somebody kept when it was smaller."""
    folder = tmp_path_factory.mktemp("whole") / "log"
    with create_ledger(folder, origin="example.com/log") as log:
        log.append([text(one) for one in range(KEPT)])
        kept = log.head()
        log.append([text(one) for one in range(KEPT, SIZE)])
    return folder, kept


@pytest.fixture
def copy(whole: tuple[Path, bytes], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[0], tmp_path / "log"))


@pytest.fixture
def raw(copy: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(copy / "ledger.sqlite", isolation_level=None)) as connection:
        yield connection


def change(raw: sqlite3.Connection, number: int, data: bytes) -> None:
    raw.execute(
        "UPDATE ledger_entries SET data = ?, fingerprint = ? WHERE number = ?",
        (data, fingerprint(leaf_hash(data)), number),
    )


def rehash(raw: sqlite3.Connection, entries: list[bytes], signed: bytes) -> None:
    """What a thief of the key can do: everything made anew, so that all of it fits together."""
    raw.execute("BEGIN")
    raw.execute("DELETE FROM ledger_tiles")
    raw.execute("DELETE FROM ledger_entries")
    for number, one in enumerate(entries):
        row = (number, fingerprint(leaf_hash(one)), one)
        raw.execute("INSERT INTO ledger_entries (number, fingerprint, data) VALUES (?, ?, ?)", row)
    tiles: dict[tuple[int, int], bytes] = {}
    frontier = merkle.Frontier(0, [])
    for one in entries:
        for (level, index), value in frontier.append(leaf_hash(one)):
            if level % 8 == 0:
                at = (level // 8, index // 256)
                tiles[at] = tiles.get(at, b"") + value
    for (level, number), row in tiles.items():
        raw.execute("INSERT INTO ledger_tiles (level, number, hashes) VALUES (?, ?, ?)", (level, number, row))
    raw.execute("UPDATE ledger_log SET size = ?, head = ?", (len(entries), signed))
    raw.execute("COMMIT")


def resigned(folder: Path, entries: list[bytes]) -> bytes:
    frontier = merkle.Frontier(0, [])
    for one in entries:
        frontier.append(leaf_hash(one))
    head = Checkpoint("example.com/log", len(entries), frontier.root)
    return bytes(sign_checkpoint(head, read_signers(folder / "key")))


def swap(raw: sqlite3.Connection) -> None:
    rows = {
        n: raw.execute("SELECT data FROM ledger_entries WHERE number = ?", (n,)).fetchone()[0] for n in (5, 6)
    }
    change(raw, 5, rows[6])
    change(raw, 6, rows[5])


def insert_early(raw: sqlite3.Connection) -> None:
    """A back-dated entry pushed in between: all later ones get new numbers."""
    raw.execute("UPDATE ledger_entries SET number = -number - 1 WHERE number >= 5")
    raw.execute("UPDATE ledger_entries SET number = -number WHERE number < 0")
    row = (5, fingerprint(leaf_hash(text(5000, year=2020))), text(5000, year=2020))
    raw.execute("INSERT INTO ledger_entries (number, fingerprint, data) VALUES (?, ?, ?)", row)
    raw.execute("UPDATE ledger_log SET size = size + 1")


def flip_tile(raw: sqlite3.Connection, level: int, number: int, at: int) -> None:
    where = (level, number)
    found = raw.execute("SELECT hashes FROM ledger_tiles WHERE level = ? AND number = ?", where).fetchone()[0]
    changed = found[:at] + bytes([found[at] ^ 1]) + found[at + 1 :]
    raw.execute("UPDATE ledger_tiles SET hashes = ? WHERE level = ? AND number = ?", (changed, *where))


EDITS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "an old entry changed": lambda raw: change(raw, VICTIM, b"other"),
    "an old entry back-dated": lambda raw: change(raw, VICTIM, text(VICTIM, year=2020)),
    "a young entry changed": lambda raw: change(raw, YOUNG, b"other"),
    "one bit of an entry": lambda raw: change(raw, 0, bytes([text(0)[0] ^ 1]) + text(0)[1:]),
    "an entry removed": lambda raw: raw.execute("DELETE FROM ledger_entries WHERE number = ?", (VICTIM,)),
    "the last entry removed": lambda raw: raw.execute(
        "DELETE FROM ledger_entries WHERE number = ?", (SIZE - 1,)
    ),
    "two entries swapped": swap,
    "an entry pushed in": insert_early,
    "the log cut short": lambda raw: raw.execute("UPDATE ledger_log SET size = 200"),
    "a leaf's hash changed": lambda raw: flip_tile(raw, 0, 0, 32 * VICTIM),
    "a node's hash changed": lambda raw: flip_tile(raw, 1, 0, 0),
    "a tile at the edge changed": lambda raw: flip_tile(raw, 0, 2, 3),
    "a tile removed": lambda raw: raw.execute("DELETE FROM ledger_tiles WHERE level = 0 AND number = 1"),
    "a tile cut short": lambda raw: raw.execute("UPDATE ledger_tiles SET hashes = x'00' WHERE level = 0"),
    "a signature changed": lambda raw: raw.execute(
        "UPDATE ledger_log SET head = CAST(replace(CAST(head AS TEXT), '=', '') AS BLOB)"
    ),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edit_is_found(
    edit: Callable[[sqlite3.Connection], object], copy: Path, raw: sqlite3.Connection, whole: tuple[Path, bytes]
) -> None:
    policy = policy_of(whole[0])
    edit(raw)
    with pytest.raises(IntegrityError):
        checked(copy, policy, whole[1])


def policy_of(folder: Path) -> Policy:
    return Policy.load(folder / "policy")


def checked(folder: Path, policy: Policy, kept: bytes) -> None:
    with open_log(folder) as log:
        audit(log, policy, kept)


def test_the_copies_are_in_order_before_they_are_edited(copy: Path, whole: tuple[Path, bytes]) -> None:
    checked(copy, policy_of(whole[0]), whole[1])


REWRITES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "changed": lambda entries: [*entries[:VICTIM], b"other", *entries[VICTIM + 1 :]],
    "removed": lambda entries: [*entries[:VICTIM], *entries[VICTIM + 1 :]],
    "reordered": lambda entries: [entries[1], entries[0], *entries[2:]],
    "back-dated": lambda entries: [text(5000, year=2020), *entries],
    "cut short": lambda entries: entries[: KEPT - 1],
    "begun anew": lambda entries: [b"new"] * 1,
}


@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=REWRITES.keys())
def test_a_rewritten_and_signed_log_is_found_by_who_kept_a_checkpoint(
    rewrite: Callable[[list[bytes]], list[bytes]],
    copy: Path,
    raw: sqlite3.Connection,
    whole: tuple[Path, bytes],
) -> None:
    """The owner of the key lies: everything fits together, and only the older checkpoint does not."""
    policy, kept = policy_of(whole[0]), whole[1]
    entries = rewrite([text(one) for one in range(SIZE)])
    rehash(raw, entries, resigned(copy, entries))
    with open_log(copy) as log:
        assert audit(log, policy).head.size == len(entries)  # alone it looks right
        with pytest.raises(IntegrityError):
            audit(log, policy, kept)
        with pytest.raises(IntegrityError):
            prove_consistency(log, peek(kept), policy)
        proof = merkle.consistency(min(KEPT, len(entries)), len(entries), log.hashes)
        new = peek(log.head())
        with pytest.raises(IntegrityError):
            verify_consistency(KEPT, peek(kept).root, new.size, new.root, proof)


def test_the_log_itself_does_not_continue_after_its_edge_was_edited(
    copy: Path, raw: sqlite3.Connection
) -> None:
    flip_tile(raw, 0, 2, 3)
    with open_log(copy) as log:
        before = log.head()
        with pytest.raises(IntegrityError, match="they were changed"):
            log.append([b"more"])
        assert log.head() == before


def test_a_head_that_the_key_did_not_sign_is_not_continued(copy: Path, raw: sqlite3.Connection) -> None:
    raw.execute("UPDATE ledger_log SET head = CAST(replace(CAST(head AS TEXT), 'A', 'B') AS BLOB)")
    with pytest.raises(IntegrityError), open_log(copy) as log:
        log.append([b"more"])


def test_a_database_put_back_to_an_older_state_is_seen_by_an_open_log(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with create_ledger(folder) as log:
        log.append([b"a"])
        older = log.head()
        with closing(sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)) as raw:
            log.append([b"b"])
            raw.execute("UPDATE ledger_log SET size = 1, head = ?", (older,))
            for act in (log.head, lambda: log.append([b"c"])):
                with pytest.raises(IntegrityError, match="had 2"):
                    act()


def test_an_entry_that_was_changed_has_no_proof(copy: Path, raw: sqlite3.Connection) -> None:
    change(raw, VICTIM, b"other")
    with open_log(copy) as log:
        with pytest.raises(IntegrityError):
            prove_inclusion(log, VICTIM)
        prove_inclusion(log, VICTIM + 1)


def test_cosignatures_are_taken_for_own_heads_only(log: Log, tmp_path: Path) -> None:
    log.append([b"a", b"b"])
    own = log.head()
    witness = generate("witness.example", "cosignature-ed25519")
    line = witness.sign(Note.parse(own).text)
    log.add_cosignatures(own, [line])
    log.add_cosignatures(own, [line])
    assert Note.parse(log.head()).signatures[1:] == (line,)
    log.append([b"c"])
    assert len(Note.parse(log.head()).signatures) == 1
    assert [peek(one).size for one in log.cosigned_heads()] == [2]
    assert Note.parse(log.cosigned_heads()[0]).signatures[1:] == (line,)
    with create_ledger(tmp_path / "other", origin="example.com/log") as other:
        other.append([b"a", b"b"])
        with pytest.raises(HauberkError):
            log.add_cosignatures(other.head(), [line])
    signed = sign_checkpoint(Checkpoint(log.origin, 2, b"\1" * 32), read_signers(Path(log._key_file)))
    with pytest.raises(IntegrityError, match="forked"):
        log.add_cosignatures(bytes(signed), [line])
