"""A whole log is read again, and whatever was done to it is found; proofs are not made from a changed log."""

from __future__ import annotations

from pathlib import Path

import pytest
from branches import Branch, numbered, tree
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.crypto.notes import Note, generate
from hauberk.ledger import merkle
from hauberk.ledger.auditing import audit
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.opening import create_ledger
from hauberk.ledger.policy import Policy
from hauberk.ledger.proving import prove_consistency, prove_inclusion
from hauberk.ledger.tiles import Tile

SIGNER = generate("log.example/models", random=lambda size: bytes([5]) * size)
POLICY = Policy.of_log(SIGNER.verifier)


class Stored(Branch):
    """A branch whose head, hashes and entries can be told apart, as in a database that somebody edited."""

    def __init__(self, entries: list[bytes]) -> None:
        super().__init__(entries, signer=SIGNER)
        self.signed = self.checkpoint()
        self.leaves = [leaf_hash(one) for one in entries]

    def head(self) -> bytes:
        return self.signed

    def hashes(self, level: int, index: int) -> bytes:
        row = self.leaves[index << level : (index + 1) << level]
        while len(row) > 1:
            row = [merkle.fold(row[at : at + 2]) for at in range(0, len(row), 2)]
        return row[0]

    def tile(self, tile: Tile) -> bytes:
        level = tile.level or 0
        return b"".join(self.hashes(8 * level, 256 * tile.index + at) for at in range(tile.width))

    def about(self, subject: str) -> list[int]:
        return []

    def openings(self, number: int) -> dict[str, object]:
        return {}


def stored(count: int) -> Stored:
    return Stored(numbered(count))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 600, 1024])
def test_a_log_in_order_is_believed(size: int) -> None:
    log = stored(size)
    found = audit(log, POLICY)
    assert (found.head.size, found.head.root) == (size, tree(numbered(size)))
    assert found.since is None
    for old in {0, size // 3, size}:
        older = audit(log, POLICY, log.checkpoint(old))
        assert older.since is not None
        assert older.since.size == old


@given(st.integers(1, 700), st.data())
@settings(max_examples=40, deadline=None)
def test_any_changed_entry_is_found_and_named(size: int, draw: st.DataObject) -> None:
    log = stored(size)
    at = draw.draw(st.integers(0, size - 1))
    log.list[at] = b"changed"
    with pytest.raises(IntegrityError, match=f"^entry {at} is not what was logged"):
        audit(log, POLICY)
    with pytest.raises(IntegrityError, match=f"entry {at} is not what"):
        prove_inclusion(log, at)


@given(st.integers(1, 700), st.data())
@settings(max_examples=40, deadline=None)
def test_any_changed_hash_is_found(size: int, draw: st.DataObject) -> None:
    log = stored(size)
    at = draw.draw(st.integers(0, size - 1))
    log.leaves[at] = bytes(32)
    with pytest.raises(IntegrityError, match=f"entry {at} is not what was logged"):
        audit(log, POLICY)
    for index in {0, size - 1} - {at}:
        with pytest.raises(IntegrityError, match="is not what the log"):
            prove_inclusion(log, index)


def test_a_changed_hash_above_the_leaves_is_found() -> None:
    log = stored(600)
    honest = log.tile
    log.tile = lambda tile: bytes(64) if tile.level == 1 else honest(tile)  # type: ignore[method-assign]
    with pytest.raises(IntegrityError, match="entries 0 to 255 are not what was logged"):
        audit(log, POLICY)


@pytest.mark.parametrize(
    "rewritten",
    [
        [*numbered(99), b"changed", *numbered(300)[100:]],  # changed
        [*numbered(99), *numbered(301)[100:]],  # removed, and another at the end
        [*numbered(99), numbered(101)[100], numbered(100)[99], *numbered(300)[101:]],  # reordered
        [b"back-dated", *numbered(299)],
        numbered(120),  # cut short
    ],
)
def test_what_the_log_s_own_key_rewrote_is_found_with_an_older_head(rewritten: list[bytes]) -> None:
    kept = stored(200).signed
    log = Stored(rewritten)
    audit(log, POLICY)  # alone it is in order
    with pytest.raises(IntegrityError, match=r"rewritten since then|cut short"):
        audit(log, POLICY, kept)
    with pytest.raises(IntegrityError, match=r"was rewritten|cut short"):
        prove_consistency(log, peek(kept))


def test_the_head_must_be_believed() -> None:
    log = stored(7)
    with pytest.raises(IntegrityError, match="none of the known keys"):
        audit(log, Policy.of_log(generate(SIGNER.name).verifier))
    with pytest.raises(IntegrityError, match="lacks the witnesses"):
        audit(log, _with_witness()[1])
    log.signed = stored(8).signed
    with pytest.raises(IntegrityError, match="has 7 entries and its head says 8"):
        audit(log, POLICY)
    log.signed = Stored([*numbered(6), b"other"]).signed
    with pytest.raises(IntegrityError, match="do not give the root"):
        audit(log, POLICY)


def _with_witness() -> tuple[object, Policy]:
    witness = generate("w.example", "cosignature-ed25519", random=lambda size: bytes([6]) * size)
    text = f"log {SIGNER.verifier}\nwitness w {witness.verifier}\nquorum w\n"
    return witness, Policy.parse(text)


def test_a_proof_takes_the_newest_head_that_the_policy_believes() -> None:
    log = stored(20)
    witness, policy = _with_witness()

    def cosigned(size: int) -> bytes:
        note = Note.parse(log.checkpoint(size))
        return bytes(note.add(witness.sign(note.text)))  # type: ignore[attr-defined]

    log.cosigned_heads = lambda: [cosigned(8), cosigned(12)]  # type: ignore[method-assign]
    assert peek(prove_inclusion(log, 3).head).size == 20
    assert prove_inclusion(log, 3, policy).verify(b"entry 3", policy).size == 12
    assert prove_consistency(log, 5, policy).verify(log.checkpoint(5), policy).size == 12
    for prove, which in ((prove_inclusion, 12), (prove_consistency, 13)):
        with pytest.raises(ConfigError, match=r"no head .* that the policy believes; the newest has 20"):
            prove(log, which, policy)


def test_what_cannot_be_proved() -> None:
    log = stored(5)
    for index in (5, -1):
        with pytest.raises(ConfigError, match=f"no head over entry {index}; the newest has 5"):
            prove_inclusion(log, index)
    with pytest.raises(ConfigError, match="no head of 6 entries or more"):
        prove_consistency(log, 6)
    with pytest.raises(ConfigError, match="0 or more"):
        prove_consistency(log, -1)
    other = Branch(numbered(3), signer=generate("log.example/other"))
    with pytest.raises(DataError, match=r"the older head is of log\.example/other"):
        prove_consistency(log, peek(other.head()))


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    with create_ledger(tmp_path / "log", origin="log.example/real") as log:
        log.append(numbered(300))
    return tmp_path / "log"


def test_an_edited_database_is_found(ledger: Path) -> None:
    import sqlite3
    from contextlib import closing

    from hauberk.ledger.opening import open_ledger

    policy = Policy.load(ledger / "policy")
    with closing(open_ledger(ledger)) as log:
        assert audit(log, policy).head.size == 300
        kept = log.head()
        prove_inclusion(log, 7)
    with closing(sqlite3.connect(ledger / "ledger.sqlite")) as tables, tables:
        tables.execute("update ledger_entries set data = ? where number = 7", (b"changed",))
    with closing(open_ledger(ledger)) as log:
        for check in (lambda: audit(log, policy, kept), lambda: prove_inclusion(log, 7)):
            with pytest.raises(IntegrityError, match="entry 7 is not what"):
                check()
