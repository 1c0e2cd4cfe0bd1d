"""Callers who do not speak HTTP as they should: slow, half, ambiguous, too many, gone."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from model_servers import Server, question, received, served

IMAGES = np.full((1, 1, 4, 4), 0.5, np.float32)
BODY = question(IMAGES)
POST = b"POST /v2/models/net/infer HTTP/1.1\r\nhost: x\r\n"
GET = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture(scope="module")
def hasty(nets: tuple[Path, Path]) -> Iterator[Server]:
    """A server that waits for nobody."""
    limits = {"receive_s": 0.4, "idle_s": 0.6, "connections": 5, "body_bytes": 1 << 14}
    with served({"net": nets[0]}, limits=limits) as found:
        yield found


def statuses(answer: bytes) -> list[int]:
    """Of all responses in what came back."""
    return [int(one) for one in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def cut(server: Server) -> dict[str, float]:
    lines = server.ask("GET", "/metrics")[2].decode().splitlines()
    found = [one for one in lines if one.startswith("hauberk_connections_cut_total{")]
    return {one.split('"')[1]: float(one.split()[-1]) for one in found}


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v2 HTTP/1.1\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        POST + b"content-length: 2, 3\r\n\r\n{}",
        POST + b"content-length: +2\r\n\r\n{}",
        POST + b"content-length: 0x2\r\n\r\n{}",
        POST + b"content-length: -1\r\n\r\n{}",
        POST + b"content-length: 99999999999999999999\r\n\r\n{}",
        POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\nZZ\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        GET + b"x: a\n\n",
        GET + b"x : a\r\n\r\n",
        GET + b"x: a\r\n folded: b\r\n\r\n",
        GET + b"x: a\x00b\r\n\r\n",
        GET + b"x: a\rb: c\r\n\r\n",
        b"GET /v2/health/live\r\n\r\n",
        b"GET /v2/health/live HTTP/1.1\r\n\r\n",
        GET + b"host: y\r\n\r\n",
        b"GET /v2/health/live HTTP/9.9\r\n\r\n",
        b"GET /v2/health/live HTTP/1.1\nhost: x\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_ambiguous_requests_are_refused_and_nothing_follows_them(hasty: Server, request_: bytes) -> None:
    answer = hasty.raw(request_)
    assert statuses(answer) == [400]
    assert b"connection: close" in answer.lower()
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert told["type"] == "urn:hauberk:problem:http"


def test_half_requests_are_cut_off(hasty: Server) -> None:
    for half in (
        b"",
        b"GET /v2",
        GET,
        POST + b"content-length: 20\r\n\r\n",
        POST + b"content-length: 20\r\n\r\nhalf",
        POST + b"transfer-encoding: chunked\r\n\r\n5\r\nhal",
    ):
        begin = time.perf_counter()
        answer = hasty.raw(half)
        assert time.perf_counter() - begin < 2.0, half
        assert statuses(answer) == [408], half


def test_a_byte_now_and_then_holds_no_connection(hasty: Server) -> None:
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=5) as connection:
        for byte in GET * 10:
            try:
                connection.sendall(bytes([byte]))
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(0.05)
            if time.perf_counter() - begin > 3:
                pytest.fail("a slow caller was not cut off")
    assert cut(hasty)["slow"] >= 1


def test_an_idle_connection_is_closed_between_requests(hasty: Server) -> None:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=5) as connection:
        connection.sendall(GET + b"\r\n")
        assert statuses(received(connection)) == [200]


def test_headers_have_an_end(hasty: Server) -> None:
    for long in (
        GET + b"x: " + b"a" * 40_000 + b"\r\n\r\n",
        GET + b"".join(b"x%d: a\r\n" % number for number in range(5000)) + b"\r\n",
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
        GET + b"x: " + b"a" * 400_000,
    ):
        assert statuses(hasty.raw(long)) in ([431], [])  # the answer may be lost with what was not read


def test_a_chunked_body_has_an_end(hasty: Server) -> None:
    chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
    answer = hasty.raw(POST + b"transfer-encoding: chunked\r\n\r\n" + chunk * 20)
    assert statuses(answer) in ([413], [])
    ones = POST + b"transfer-encoding: chunked\r\n\r\n" + (b"1;" + b"e" * 2000 + b"\r\nx\r\n") * 200
    assert statuses(hasty.raw(ones)) in ([413], [])


def test_trailers_change_nothing(hasty: Server) -> None:
    tail = b"0\r\ninference-header-content-length: 1\r\nauthorization: x\r\n\r\n"
    body = b"%x\r\n" % len(BODY) + BODY + b"\r\n" + tail
    answer = hasty.raw(POST + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n" + body)
    assert statuses(answer) == [200]


def test_requests_in_a_row_are_answered_in_order(hasty: Server) -> None:
    post = POST + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
    answer = hasty.raw(post + GET + b"\r\n" + post + GET + b"connection: close\r\n\r\n")
    assert statuses(answer) == [200, 200, 200, 200]
    assert [b'"live"' in one for one in answer.split(b"HTTP/1.1 200")[1:]] == [False, True, False, True]


def test_upgrades_are_not_taken(hasty: Server) -> None:
    for kind in (b"websocket", b"h2c"):
        asked = GET + b"connection: upgrade, close\r\nupgrade: " + kind + b"\r\n\r\n"
        answer = hasty.raw(asked)
        assert statuses(answer) == [200]


def test_more_connections_than_there_may_be(hasty: Server) -> None:
    time.sleep(0.1)
    held = [socket.create_connection(("127.0.0.1", hasty.port), timeout=5) for _ in range(5)]
    time.sleep(0.1)
    try:
        answer = hasty.raw(b"")
        assert statuses(answer) == [503]
        assert b"retry-after: 1" in answer
    finally:
        for one in held:
            one.close()
    time.sleep(0.1)
    assert hasty.ask("GET", "/v2")[0] == 200


def test_a_caller_who_hangs_up_is_let_go(hasty: Server) -> None:
    def gone() -> float:
        lines = hasty.ask("GET", "/metrics")[2].decode().splitlines()
        return next(float(one.split()[-1]) for one in lines if one.startswith("hauberk_callers_gone_total"))

    before = gone()
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=5) as connection:
        connection.sendall(POST + b"content-length: 20\r\n\r\nhalf")
        time.sleep(0.1)
    time.sleep(0.2)
    assert gone() == before + 1
