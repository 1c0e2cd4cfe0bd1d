"""OpenTimestamps against a calendar and a library of its makers, and a chain of our own with little work."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from branches import Branch, numbered
from servers import answering, need

from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError
from hauberk.ledger.anchors import ots, ots_checking, ots_format, receipts

HEAD = Branch(numbered(9)).checkpoint()
HEIGHT, TIME = 4711, 1_800_000_000


@pytest.fixture
def makers(absent: Callable[[str, str], None]) -> Any:
    """Their library: the calendar is made of it, and it reads what we write."""
    need(absent, "pip install opentimestamps", "opentimestamps")
    import opentimestamps.core
    import opentimestamps.core.notary
    import opentimestamps.core.op
    import opentimestamps.core.serialize
    import opentimestamps.core.timestamp

    return opentimestamps.core


class Calendar:
    """A calendar made of their library, with a block for all that it was given; and an Esplora server."""

    def __init__(self, makers: Any) -> None:
        self._makers = makers
        self.url = ""
        self.mined = False
        self.headers: dict[int, bytes] = {}
        self.asked: list[str] = []

    def _serialised(self, stamp: Any) -> bytes:
        out = io.BytesIO()
        stamp.serialize(self._makers.serialize.StreamSerializationContext(out))
        return out.getvalue()

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        self.asked.append(path)
        op, stamps = self._makers.op, self._makers.timestamp
        if path == "/digest":
            stamp = stamps.Timestamp(body)
            end = stamp.ops.add(op.OpAppend(b"nonce")).ops.add(op.OpSHA256()).ops.add(op.OpPrepend(b"t"))
            end.attestations.add(self._makers.notary.PendingAttestation(self.url))
            return 200, "application/octet-stream", self._serialised(stamp)
        if path.startswith("/timestamp/"):
            if not self.mined:
                return 404, "text/plain", b"Pending confirmation in Bitcoin blockchain"
            stamp = stamps.Timestamp(bytes.fromhex(path.rpartition("/")[2]))
            end = stamp.ops.add(op.OpAppend(b"tree")).ops.add(op.OpSHA256()).ops.add(op.OpSHA256())
            end.attestations.add(self._makers.notary.BitcoinBlockHeaderAttestation(HEIGHT))
            self.headers[HEIGHT] = _header(end.msg)
            return 200, "application/octet-stream", self._serialised(stamp)
        if path.startswith("/block-height/"):
            header = self.headers.get(int(path.rpartition("/")[2]))
            return (200, "text/plain", _name(header).encode()) if header else (404, "text/plain", b"")
        found = {_name(one): one for one in self.headers.values()}[path.split("/")[2]]
        return 200, "text/plain", found.hex().encode()


def _name(header: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1].hex()


def _header(root: bytes, bits: int = 0x207FFFFF) -> bytes:
    """A block header with this Merkle root; the target of a test network lets every second one pass."""
    start = bytes(36) + root + TIME.to_bytes(4, "little") + bits.to_bytes(4, "little")
    target = (bits & 0xFFFFFF) << (8 * ((bits >> 24) - 3))
    nonce = 0
    while int(_name(start + nonce.to_bytes(4, "little")), 16) > target:
        nonce += 1
    return start + nonce.to_bytes(4, "little")


@pytest.fixture
def calendar(makers: Any) -> Any:
    made = Calendar(makers)
    with answering(made.answer) as made.url:
        yield made


def _theirs(makers: Any, data: bytes) -> Any:
    context = makers.serialize.StreamDeserializationContext(io.BytesIO(data))
    return makers.timestamp.DetachedTimestampFile.deserialize(context)


def test_from_a_calendar_to_a_block(calendar: Calendar, makers: Any, tmp_path: Path) -> None:
    pending = ots.submit(calendar.url, HEAD)
    path = receipts.save(tmp_path, HEAD, "ots", pending)
    theirs = _theirs(makers, path.read_bytes())
    assert theirs.file_digest == hashlib.sha256(HEAD).digest()
    assert [one.uri for _, one in theirs.timestamp.all_attestations()] == [calendar.url]

    with pytest.raises(IntegrityError, match="not in Bitcoin yet"):
        ots_checking.check(pending, HEAD, calendar.url, least_work=1)
    assert ots.upgrade(calendar.url, pending) == pending
    calendar.mined = True
    done = ots.upgrade(calendar.url, pending)
    [(message, attestation)] = _theirs(makers, done).timestamp.all_attestations()
    assert (attestation.height, message) == (HEIGHT, calendar.headers[HEIGHT][36:68])

    found = ots_checking.check(done, HEAD, calendar.url, least_work=1)
    assert found.existed_by == datetime.fromtimestamp(TIME, UTC)
    assert found.facts == {"block": HEIGHT, "merkle_root": message[::-1].hex()}


@pytest.fixture
def done(calendar: Calendar) -> bytes:
    calendar.mined = True
    return ots.upgrade(calendar.url, ots.submit(calendar.url, HEAD))


def test_every_bit_of_a_proof_counts(calendar: Calendar, done: bytes) -> None:
    for place in range(len(done)):
        changed = bytearray(done)
        changed[place] ^= 1
        with pytest.raises((IntegrityError, DataError, EnvironmentFailure)):
            ots_checking.check(bytes(changed), HEAD, calendar.url, least_work=1)
    for cut in range(len(done)):
        with pytest.raises(DataError):
            ots_format.read(done[:cut])
    with pytest.raises(DataError):
        ots_format.read(done + b"\x00")


def test_another_head_is_refused(calendar: Calendar, done: bytes) -> None:
    with pytest.raises(IntegrityError, match="something else"):
        ots_checking.check(done, HEAD + b"x", calendar.url, least_work=1)


def test_blocks_are_judged_by_their_work(calendar: Calendar, done: bytes) -> None:
    with pytest.raises(IntegrityError, match="too little work"):
        ots_checking.check(done, HEAD, calendar.url)
    root = calendar.headers[HEIGHT][36:68]
    calendar.headers[HEIGHT] = _header(root, bits=0x1F7FFFFF)
    assert ots_checking.check(done, HEAD, calendar.url, least_work=256)
    missed = bytearray(_header(root))
    missed[75] = 0x1D  # claims the target of Bitcoin's first block, which it does not meet
    calendar.headers[HEIGHT] = bytes(missed)
    with pytest.raises(IntegrityError, match="too little work"):
        ots_checking.check(done, HEAD, calendar.url, least_work=1)
    calendar.headers[HEIGHT] = _header(bytes(32))
    with pytest.raises(IntegrityError, match="does not hold"):
        ots_checking.check(done, HEAD, calendar.url, least_work=1)


def test_the_work_of_known_blocks() -> None:
    """Bitcoin's first block, of difficulty 1: 2^32 hashes and a little."""
    first = bytes.fromhex(
        "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e"
        "67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
    )
    assert _name(first) == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert ots_checking._work(first) == 4_295_032_833
    assert ots_checking._work(first[:-1] + b"\x00") == 0


def test_only_the_calendar_that_was_named_is_asked(calendar: Calendar) -> None:
    pending = ots.submit(calendar.url, HEAD)
    with pytest.raises(DataError, match="waits for"):
        ots.upgrade("http://127.0.0.1:9", pending)


@pytest.mark.parametrize(
    "reply",
    [
        (200, b""),
        (200, b"\xf0"),
        (200, b"\x67"),
        (200, b"\x02"),
        (200, b"\x08" * 300),
        (200, b"\xff"),
        (500, b"oops"),
        (302, b"/x"),
    ],
)
def test_what_is_no_calendar(reply: tuple[int, bytes]) -> None:
    with (
        answering(lambda path, body: (reply[0], "text/plain", reply[1])) as url,
        pytest.raises(EnvironmentFailure, match="does not answer as an OpenTimestamps calendar"),
    ):
        ots.submit(url, HEAD)


def test_what_is_no_bitcoin_server(done: bytes) -> None:
    for reply in ((200, b"<html>"), (404, b"Block not found"), (200, b"00" * 32)):
        with (
            answering(lambda path, body, reply=reply: (reply[0], "text/plain", reply[1])) as url,  # type: ignore[misc]
            pytest.raises(EnvironmentFailure),
        ):
            ots_checking.check(done, HEAD, url, least_work=1)


def test_a_proof_with_two_calendars_survives_both_libraries(makers: Any) -> None:
    """Branches side by side are marked by 0xff; theirs reads ours, and ours theirs, to the same tree."""
    stamp = ots_format.Stamp(hashlib.sha256(HEAD).digest())
    for name in ("https://a.example", "https://b.example/path"):
        step = ots_format.Step(0xF0, name.encode())
        below = ots_format.Stamp(step(stamp.message), [ots_format.pending(name)])
        stamp.steps.append((step, below))
    written = ots_format.write(stamp)
    theirs = _theirs(makers, written)
    found = {one.uri for _, one in theirs.timestamp.all_attestations()}
    assert found == {"https://a.example", "https://b.example/path"}
    out = io.BytesIO()
    theirs.serialize(makers.serialize.StreamSerializationContext(out))
    assert ots_format.read(out.getvalue()) == stamp
