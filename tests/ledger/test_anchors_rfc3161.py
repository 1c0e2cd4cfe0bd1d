"""Time stamps from a local authority made of ``openssl ts``; openssl is also the second opinion on each."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from authority import Authority
from branches import Branch, numbered
from servers import answering, need

from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError
from hauberk.ledger.anchors import receipts, rfc3161, rfc3161_checking

HEAD = Branch(numbered(9)).checkpoint()


@pytest.fixture
def authority(tmp_path: Path, absent: Callable[[str, str], None]) -> Authority:
    if shutil.which("openssl") is None:
        absent("openssl", "apt-get install openssl")
    need(absent, "pip install 'hauberk[timestamp]'", "rfc3161_client")
    return Authority(tmp_path / "tsa")


def test_a_stamp_holds_here_and_for_openssl(authority: Authority, tmp_path: Path) -> None:
    with authority.serving() as url:
        answer = rfc3161.request(url, HEAD)
    path = receipts.save(tmp_path / "anchors", HEAD, "rfc3161", answer)
    assert authority.verifies(path, receipts.head_of(path))
    found = rfc3161_checking.check(path.read_bytes(), receipts.read_head(path), authority.ca)
    assert found.existed_by is not None
    assert abs((datetime.now(UTC) - found.existed_by).total_seconds()) < 60
    assert found.facts["policy"] == "1.3.6.1.4.1.55555.1"


def test_another_head_or_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    with authority.serving() as url:
        answer = rfc3161.request(url, HEAD)
    with pytest.raises(IntegrityError):
        rfc3161_checking.check(answer, HEAD + b"x", authority.ca)
    stranger = Authority(tmp_path / "stranger")
    with pytest.raises(IntegrityError):
        rfc3161_checking.check(answer, HEAD, stranger.ca)
    with pytest.raises(DataError):
        rfc3161_checking.check(answer, HEAD, tmp_path / "tsa" / "settings")


def test_no_changed_byte_passes(authority: Authority) -> None:
    with authority.serving() as url:
        answer = rfc3161.request(url, HEAD)
    told = rfc3161_checking.check(answer, HEAD, authority.ca)
    for place in range(0, len(answer), 3):
        changed = bytearray(answer)
        changed[place] ^= 1
        try:  # bytes that nobody signs may change; what is told may not
            assert rfc3161_checking.check(bytes(changed), HEAD, authority.ca).existed_by == told.existed_by
        except IntegrityError:
            continue
    for short in (b"", answer[:-1], answer[: len(answer) // 2]):
        with pytest.raises(IntegrityError):
            rfc3161_checking.check(short, HEAD, authority.ca)


def test_an_authority_that_refuses_the_digest(tmp_path: Path) -> None:
    picky = Authority(tmp_path / "picky", digests="sha256")
    with picky.serving() as url, pytest.raises(EnvironmentFailure, match="refuses"):
        rfc3161.request(url, HEAD)


def test_an_old_answer_is_noticed(authority: Authority) -> None:
    with authority.serving() as url:
        old = rfc3161.request(url, HEAD)
    with answering(lambda path, body: (200, "application/timestamp-reply", old)) as url:
        for sent in (HEAD, b"another"):
            with pytest.raises(IntegrityError, match="something else"):
                rfc3161.request(url, sent)


@pytest.mark.parametrize("reply", [(200, "text/html", b"<html>"), (500, "text/plain", b""), (200, "", b"")])
def test_what_is_no_authority(authority: Authority, reply: tuple[int, str, bytes]) -> None:
    with answering(lambda path, body: reply) as url, pytest.raises(EnvironmentFailure):
        rfc3161.request(url, HEAD)
