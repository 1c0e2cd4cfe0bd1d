"""FLOE: known answers of four other implementations, both ways, and every kind of damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vectors import files

from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.crypto import floe
from hauberk.crypto.floe import Floe

KNOWN = files("floe", "*_ct.txt")
KEY, AAD = bytes(32), b"This is AAD"  # of all known answers
SMALL = Floe(64)


def read_message(kind: Floe, data: bytes, *, key: bytes = KEY, aad: bytes = AAD) -> bytes:
    """The text of a message, each segment found by its own length field."""
    message = kind.decryption(key, aad, data[: floe.HEADER_BYTES])
    view, text, place, position = memoryview(data), b"", floe.HEADER_BYTES, 0
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        last = length != 0xFFFFFFFF
        segment = view[place : place + (length if last else kind.segment_bytes)]
        part = bytearray(max(0, len(segment) - floe.SEGMENT_OVERHEAD))
        message.segment(position, segment, memoryview(part), last=last)
        text, place, position = text + part, place + len(segment), position + 1
    return text


def replayed(data: bytes, segment_bytes: int) -> Callable[[int], bytes]:
    """The random bytes with which a message was made: its IV, then each segment's nonce."""
    nonces = [data[place + 4 : place + 16] for place in range(floe.HEADER_BYTES, len(data), segment_bytes)]
    drawn = iter([data[10:42], *nonces])
    return lambda count: next(drawn)


def write_message(kind: Floe, text: bytes, random: Callable[[int], bytes]) -> bytes:
    message = kind.encryption(KEY, AAD, random=random)
    out = bytearray(message.header)
    count = kind.segments(len(text))
    for position in range(count):
        part = text[position * kind.text_bytes :][: kind.text_bytes]
        segment = bytearray(len(part) + floe.SEGMENT_OVERHEAD)
        message.segment(position, memoryview(part), memoryview(segment), last=position == count - 1)
        out += segment
    return bytes(out)


def test_known_answers_are_there(absent: Callable[[str, str], None]) -> None:
    if not KNOWN:
        absent(
            "FLOE's known answers", "put them into a folder 'floe' and name the one above in HAUBERK_VECTORS"
        )
    assert len(KNOWN) == 17


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: path.name.removesuffix("_ct.txt"))
def test_known_answer_is_read_and_written(path: Path) -> None:
    data = bytes.fromhex(path.read_text())
    text = bytes.fromhex(path.with_name(path.name.replace("_ct", "_pt")).read_text())
    length = int.from_bytes(data[2:6], "big")
    kind = Floe(length, rotation_bits=2) if "rotation" in path.name else Floe(length)
    assert read_message(kind, data) == text
    if "lastSegEmpty" in path.name:  # an empty last segment behind a full one: read, but never written here
        return
    assert write_message(kind, text, replayed(data, length)) == data


@given(text=st.binary(max_size=200))
def test_round_trip_and_size(text: bytes) -> None:
    data = write_message(SMALL, text, lambda count: bytes(count))
    assert len(data) == SMALL.message_bytes(len(text))
    assert read_message(SMALL, data) == text


def test_every_flipped_byte_and_every_truncation_is_refused() -> None:
    data = write_message(SMALL, bytes(range(70)), lambda count: bytes(count))
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(IntegrityError):
            read_message(SMALL, changed)
    whole = len(read_message(SMALL, data))
    for length in range(len(data)):
        try:
            assert len(read_message(SMALL, data[:length])) < whole
        except IntegrityError:
            continue


def test_segments_do_not_change_places_nor_messages() -> None:
    text = bytes(96)
    one = write_message(SMALL, text, lambda count: bytes(count))
    other = write_message(SMALL, text, lambda count: b"\x01" * count)
    head, first, second, third = one[:74], one[74:138], one[138:202], one[202:]
    for mixed in (
        head + second + first + third,
        head + first + first + third,
        other[:74] + first + second + third,
        head + first + other[138:202] + third,
    ):
        with pytest.raises(IntegrityError):
            read_message(SMALL, mixed)


def test_no_other_key_nor_context_opens_it() -> None:
    data = write_message(SMALL, b"text", lambda count: bytes(count))
    for key, aad in ((b"\x01" * 32, AAD), (KEY, b"other")):
        with pytest.raises(IntegrityError, match="header does not verify"):
            read_message(SMALL, data, key=key, aad=aad)


def test_misuse_is_refused() -> None:
    for length in (32, 2**32 - 1):
        with pytest.raises(ConfigError, match="FLOE segment"):
            Floe(length)
    with pytest.raises(ConfigError, match="32 bytes"):
        SMALL.encryption(b"short", AAD)
    message = SMALL.encryption(KEY, AAD)
    out = memoryview(bytearray(64))
    with pytest.raises(ConfigError, match="takes 32 bytes"):
        message.segment(0, memoryview(bytes(31)), out[:63], last=False)


@given(st.integers(0, 300), st.integers(0, 2**32))
def test_whole_messages_are_the_segments_one_behind_the_other(size: int, seed: int) -> None:
    kind, text = Floe(64), bytes(one % 251 for one in range(size))
    key, aad = seed.to_bytes(32, "big"), b"bound to this"
    sealed = kind.seal(key, aad, text)
    assert len(sealed) == kind.message_bytes(size)
    assert kind.open(key, aad, bytes(sealed)) == text
    message = kind.decryption(key, aad, bytes(sealed[: floe.HEADER_BYTES]))
    count, again = kind.segments(size), bytearray()
    for position in range(count):
        start = floe.HEADER_BYTES + position * kind.segment_bytes
        piece = memoryview(sealed)[start : start + kind.segment_bytes]
        part = bytearray(len(piece) - floe.SEGMENT_OVERHEAD)
        message.segment(position, piece, memoryview(part), last=position == count - 1)
        again += part
    assert again == text
    for cut in {0, 1, len(sealed) // 2, len(sealed) - 1}:
        with pytest.raises(IntegrityError):
            kind.open(key, aad, bytes(sealed[:cut]))
    with pytest.raises(IntegrityError):
        kind.open(key, b"bound to that", bytes(sealed))
