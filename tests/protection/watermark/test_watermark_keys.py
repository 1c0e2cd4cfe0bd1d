"""Keys and commitments: what is accepted, and every way in which it is not."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rfc8785

from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.protection.watermark import commitment, keys
from hauberk.protection.watermark.commitment import Place, commit
from hauberk.protection.watermark.embedding import draws as embedder
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import Fingerprint, WhiteBox
from hauberk.protection.watermark.verification import draws as verifier

KEY = MarkKey(bytes(range(32)))
MODEL = "sha256:" + "0" * 64


def when() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_key_comes_back_and_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "owner.key"
    made = keys.generate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.read(path) == made
    assert made.secret.hex() not in repr(made)
    with pytest.raises(ConfigError, match="exists already"):
        keys.generate(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HAUBERK-WATERMARK-KEY-1 0011\n", "64 hexadecimal digits, but 4"),
        ("HAUBERK-WATERMARK-KEY-1 " + "zz" * 32, "64 hexadecimal digits"),
        ("HAUBERK-TRACE-KEY-1 " + "00" * 32, "it is the tracing key of something"),
        ("AGE-SECRET-KEY-1QQQ\n", "opens sealed files"),
        ("-----BEGIN PRIVATE KEY-----\n", "PEM file"),
        ("\x00\x01\x02", "is no watermark key"),
        ("", "is no watermark key"),
    ],
)
def test_other_files_are_no_keys(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(DataError, match=message):
        keys.read(path)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    keys.generate(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="mode 644"):
        keys.read(path)
    with pytest.raises(DataError, match="no watermark key at"):
        keys.read(tmp_path / "none")
    with pytest.raises(ConfigError, match="32 bytes, got 5"):
        MarkKey(b"short")


def test_both_readings_of_the_specification_agree() -> None:
    """And with a third one, from the page: SHAKE-256 over label, use, zero byte and key."""
    page = hashlib.shake_256(b"hauberk-watermark/1 some use\x00" + KEY.secret).digest(24)
    assert embedder.draw(KEY, "some use", 24) == page
    assert verifier.stream(KEY, "some use", 24).tobytes() == page
    assert verifier.words(KEY, "some use", 3).tolist() == [
        int.from_bytes(page[at : at + 8], "big") for at in (0, 8, 16)
    ]
    assert embedder.numbers(KEY, "some use", 3, 10).tolist() == [
        int.from_bytes(page[at : at + 8], "big") % 10 for at in (0, 8, 16)
    ]
    assert embedder.signs(KEY, "some use", (24,)).tolist() == [1.0 if one >= 128 else -1.0 for one in page]


def test_a_commitment_is_the_digest_that_the_page_says(tmp_path: Path) -> None:
    made = commit(KEY, WhiteBox(bits=32), MODEL, clock=when)
    body = {
        "format": "hauberk-watermark-commitment/1", "kind": "whitebox", "settings": {"bits": 32},
        "model": MODEL, "created": "2026-01-02T03:04:05Z", "places": [],
    }  # fmt: skip
    whole = b"hauberk-watermark-commitment/1\x00" + KEY.secret + rfc8785.dumps(body)
    assert made.digest == "sha256:" + hashlib.sha256(whole).hexdigest()
    assert commitment.read(made.save(tmp_path / "c.json"), KEY) == made


def test_places_come_back(tmp_path: Path) -> None:
    places = [Place(row, 1, 2, 500_000 + row) for row in range(16)]
    made = commit(KEY, Fingerprint(lines=16), MODEL, places=places)
    assert commitment.read(made.save(tmp_path / "c.json"), KEY) == made


def test_any_change_and_any_other_key_is_refused(tmp_path: Path) -> None:
    path = commit(KEY, WhiteBox(), MODEL, clock=when).save(tmp_path / "c.json")
    with pytest.raises(IntegrityError, match="not committed to"):
        commitment.read(path, MarkKey(bytes(32)))
    whole = json.loads(path.read_text())
    for name, value in (
        ("kind", "blackbox"), ("settings", {"bits": 16}), ("model", "sha256:1"),
        ("created", "2020-01-01T00:00:00Z"), ("places", [[1, 2, 3, 4]]), ("more", 1),
        ("commitment", "sha256:" + "1" * 64),
    ):  # fmt: skip
        path.write_text(json.dumps({**whole, name: value}))
        with pytest.raises(IntegrityError, match="not committed to"):
            commitment.read(path, KEY)
    del whole["created"]
    path.write_text(json.dumps(whole))
    with pytest.raises(IntegrityError, match="not committed to"):
        commitment.read(path, KEY)
    path.write_text('{"format": "something/1"}')
    with pytest.raises(DataError, match="is not a hauberk-watermark-commitment/1 document"):
        commitment.read(path, KEY)
