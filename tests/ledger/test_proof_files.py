"""Files of proofs: written, read by another form of the same law, and refused after any change."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress

import pytest
from branches import Branch
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import IntegrityError
from hauberk.crypto.notes import Checkpoint, Note, generate
from hauberk.ledger import merkle
from hauberk.ledger.policy import Policy
from hauberk.ledger.proof import Continuation, Proof

ENTRIES = [b"entry %d" % number for number in range(21)]
WITNESS = generate("w.example", "cosignature-ed25519", random=lambda size: bytes([3]) * size)
LOG = Branch(ENTRIES, signer=generate("log.example/a", random=lambda size: bytes([4]) * size))
POLICY = Policy.parse(f"log {LOG.signer.verifier}\nwitness w {WITNESS.verifier}\nquorum w\n")


def head(size: int, witnessed: bool = True) -> Note:
    checkpoint = Checkpoint("log.example/a", size, merkle.root(size, LOG.hashes))
    note = Note(checkpoint.text, (LOG.signer.sign(checkpoint.text),))
    return note.add(WITNESS.sign(checkpoint.text)) if witnessed else note


def proof(index: int = 13, size: int = 21, extra: bytes | None = None) -> Proof:
    return Proof(index, merkle.inclusion(index, size, LOG.hashes), head(size), extra)


def continuation(old: int = 6, new: int = 21) -> Continuation:
    return Continuation(old, merkle.consistency(old, new, LOG.hashes), head(new))


def test_a_proof_shows_its_entry_and_no_other() -> None:
    file = bytes(proof())
    again = Proof.parse(file)
    assert bytes(again) == file
    assert again.verify(b"entry 13", POLICY).size == 21
    for entry in (b"entry 12", b"entry 14", b"", b"entry 13\n"):
        with pytest.raises(IntegrityError, match="entry 13 is not what the log of 21 entries holds there"):
            again.verify(entry, POLICY)


def test_a_proof_looks_as_the_specification_says() -> None:
    lines = bytes(proof(0, 2, b"more")).decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", f"extra {base64.b64encode(b'more').decode()}", "index 0"]
    assert lines[3] == base64.b64encode(hashlib.sha256(b"\0entry 1").digest()).decode()
    assert lines[4:7] == ["", "log.example/a", "2"]
    assert bytes(proof(0, 1)).decode().split("\n")[:4] == [
        "c2sp.org/tlog-proof@v1",
        "index 0",
        "",
        "log.example/a",
    ]


def test_the_specification_s_own_example_is_read() -> None:
    """Its signature lines are shortened there; a whole one stands in their place."""
    above = """\
c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog hI2DJ1roloI=
"""
    found = Proof.parse(above.encode())
    assert (found.index, len(found.hashes), found.extra) == (73894, 5, b"age-v1.2.1-darwin-arm64.tar.gz")
    assert bytes(found) == above.encode()


def test_any_changed_bit_of_an_inclusion_proof_is_found() -> None:
    file = bytes(proof(5, 11))
    for bit in range(8 * len(file)):
        changed = bytearray(file)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError):
            Proof.parse(bytes(changed)).verify(b"entry 5", POLICY)


def test_any_changed_bit_of_a_consistency_proof_is_found() -> None:
    older = bytes(head(6, witnessed=False))
    file = bytes(continuation(6, 11))
    assert Continuation.parse(file).verify(older, POLICY).size == 11
    for bit in range(8 * len(file)):
        changed = bytearray(file)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError):
            Continuation.parse(bytes(changed)).verify(older, POLICY)
    for bit in range(8 * len(older)):
        changed = bytearray(older)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError):
            Continuation.parse(file).verify(bytes(changed), POLICY)


def test_every_pair_of_sizes_continues() -> None:
    for new in range(len(ENTRIES) + 1):
        for old in range(new + 1):
            Continuation.parse(bytes(continuation(old, new))).verify(head(old), POLICY)


def test_a_rewritten_log_does_not_continue() -> None:
    other = Branch([*ENTRIES[:3], b"changed", *ENTRIES[4:6]], signer=LOG.signer)
    with pytest.raises(IntegrityError, match="was rewritten"):
        continuation().verify(other.checkpoint(6), POLICY)
    with pytest.raises(IntegrityError, match="starts at size 6"):
        continuation().verify(head(7), POLICY)
    twin = generate("log.example/b")
    both = Policy.parse(f"log {LOG.signer.verifier}\nlog {twin.verifier}\nquorum none\n")
    with pytest.raises(IntegrityError, match="of two logs"):
        continuation().verify(Branch(ENTRIES[:6], signer=twin).checkpoint(6), both)


def test_a_consistency_proof_is_what_a_log_sends_to_a_witness() -> None:
    for old in (0, 6, 16, 21):
        asked = Continuation(old, merkle.consistency(old, 21, LOG.hashes), head(21, witnessed=False))
        assert bytes(asked) == LOG.request(old)


def test_the_witness_is_asked_for_on_the_newer_head_only() -> None:
    assert continuation().verify(head(6, witnessed=False), POLICY).size == 21
    alone = Continuation(6, continuation().hashes, head(21, witnessed=False))
    with pytest.raises(IntegrityError, match="lacks the witnesses"):
        alone.verify(head(6), POLICY)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda file: file.replace(b"@v1", b"@v2"), "does not begin with"),
        (lambda file: file.replace(b"index 13", b"index 013"), "not a whole number"),
        (lambda file: file.replace(b"index", b"Index"), "'index NUMBER' is missing"),
        (lambda file: file.replace(b"index 13\n", b""), "'index NUMBER' is missing"),
        (lambda file: b"c2sp.org/tlog-proof@v1" + file[file.index(b"\n\n") :], "'index NUMBER' is missing"),
        (lambda file: file.replace(b"index 13\n", b"index 13\nAAAA\n"), "has not 32 bytes"),
        (lambda file: file.replace(b"index 13\n", b"index 13\n" + b"A" * 43 + b"=\n"), "inclusion proof"),
        (lambda file: file.replace(b"index 13\n", b"index 13\n" + (b"A" * 43 + b"=\n") * 63), "more than 63"),
        (lambda file: file.replace(b"index", b"extra A\nindex"), "the extra data is not base64"),
        (lambda file: file.replace(b"index 13", "index ١٣".encode()), "not ASCII"),
        (lambda file: file.replace(b"\n\n", b"\n"), "no empty line"),
        (lambda file: file + b"x" * 2_000_001, "too long"),
    ],
)  # fmt: skip
def test_a_malformed_proof_is_refused(change, why: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(IntegrityError, match=why):
        Proof.parse(change(bytes(proof()))).verify(b"entry 13", POLICY)


@given(st.binary(max_size=300), st.data())
@settings(max_examples=200, deadline=None)
def test_garbage_is_refused_in_one_way(data: bytes, draw: st.DataObject) -> None:
    file = _FILES[draw.draw(st.integers(0, 1))]
    cut, end = sorted(draw.draw(st.tuples(st.integers(0, len(file)), st.integers(0, len(file)))))
    for one in (data, file[:cut] + data + file[end:]):
        for kind in (Proof, Continuation):
            with suppress(IntegrityError):
                kind.parse(one)


_FILES = (bytes(proof()), bytes(continuation()))
