"""Issuers' keys: kept, renewed when they rotate, not asked for too often, refused where they are too old."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from access_stores import Hands
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hauberk.access.jwks import KeySet, parse_keys
from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure

KEY = ec.generate_private_key(ec.SECP256R1())


def entry(kid: str | None, **more: Any) -> dict[str, Any]:
    found = {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": kid, **more}
    return {name: value for name, value in found.items() if value is not None}


def jwks(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"keys": entries}).encode()


class Issuer:
    """What stands at an address, and how often it was asked for."""

    def __init__(self) -> None:
        self.data: bytes | None = jwks(entry("one"), entry("two"))
        self.asked = 0

    def __call__(self, _: str) -> bytes:
        self.asked += 1
        if self.data is None:
            raise EnvironmentFailure("nobody answers")
        return self.data


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def keys(issuer: Issuer, clock: Hands) -> KeySet:
    return KeySet("https://login.example.com/keys", fetch=issuer, clock=clock)


def test_keys_are_kept_and_renewed_after_a_while(keys: KeySet, issuer: Issuer, clock: Hands) -> None:
    for _ in range(5):
        assert keys.find("one")
    assert issuer.asked == 1
    issuer.data = jwks(entry("two"))
    clock.move(seconds=601)
    assert keys.find("one") is None, "a key that its issuer took back"
    assert issuer.asked == 2


def test_a_new_key_is_found_at_once_and_unknown_ones_do_not_make_us_ask_and_ask(
    keys: KeySet, issuer: Issuer, clock: Hands
) -> None:
    assert keys.find("one")
    clock.move(seconds=31)
    issuer.data = jwks(entry("three"))
    assert keys.find("three")
    assert issuer.asked == 2
    for number in range(100):
        assert keys.find(f"invented {number}") is None
    assert issuer.asked == 2
    clock.move(seconds=31)
    assert keys.find("invented") is None
    assert issuer.asked == 3


def test_an_issuer_that_is_away_is_believed_for_a_day(keys: KeySet, issuer: Issuer, clock: Hands) -> None:
    assert keys.find("one")
    for broken in (None, b"<html>", jwks(entry("a"), entry("a"))):
        issuer.data = broken
        clock.move(hours=7)
        assert keys.find("one")
    clock.move(hours=4)
    with pytest.raises(EnvironmentFailure, match="cannot be had"):
        keys.find("one")
    issuer.data = jwks(entry("one"))
    clock.move(seconds=31)
    assert keys.find("one")


def test_a_clock_that_is_set_back_keeps_nothing(keys: KeySet, issuer: Issuer, clock: Hands) -> None:
    assert keys.find("one")
    clock.move(days=-2)
    issuer.data = jwks(entry("two"))
    assert keys.find("one") is None


def test_only_public_keys_for_signatures_count() -> None:
    small = rsa.generate_private_key(65537, 1024)
    private = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY))
    found = parse_keys(
        jwks(
            entry("good"),
            entry("encryption", use="enc"),
            entry("wrong algorithm", alg="RS256"),
            entry("hmac", alg="HS256"),
            entry("off the curve", x=entry("x")["y"]),
            {**private, "kid": "private"},
            {"kty": "oct", "k": "AAAA", "kid": "shared"},
            {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(small.public_key())), "kid": "small"},
            {"kty": ["RSA"], "kid": "strange"},
            {"kty": "EC", "crv": "P-256", "kid": 7},
            {"kid": "empty"},
        ),
        "here",
    )
    assert sorted(map(str, found)) == ["good", "private"]
    assert not hasattr(found["private"].key, "private_bytes")
    assert found["good"].algorithms == ("ES256",)


def test_one_key_needs_no_name() -> None:
    assert set(parse_keys(jwks(entry(None)), "here")) == {None}
    assert set(parse_keys(jwks(entry("one")), "here")) == {None, "one"}
    assert set(parse_keys(jwks(entry("one"), entry(None)), "here")) == {"one"}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": 7}', b"\xff", b"[" * 100_000])
def test_what_is_no_jwks_is_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        parse_keys(data, "here")


@pytest.mark.parametrize(
    "where", ["http://login.example.com/keys", "ftp://example.com/keys", "file:///etc/keys"]
)
def test_keys_do_not_come_in_the_clear(where: str) -> None:
    with pytest.raises(ConfigError):
        KeySet(where)


def test_a_file_will_do(tmp_path: Path, clock: Hands) -> None:
    file = tmp_path / "keys.json"
    keys = KeySet(file, clock=clock)
    with pytest.raises(EnvironmentFailure):
        keys.find("one")
    file.write_bytes(jwks(entry("one")))
    clock.move(seconds=31)
    assert keys.find("one")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = jwks(entry("one"))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/keys")
            body = b""
        elif self.path == "/large":
            self.send_response(200)
            body = b" " * 2_000_000
        else:
            self.send_response(200 if self.path == "/keys" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def test_keys_come_over_http_without_detours(server: str, clock: Hands) -> None:
    assert KeySet(f"{server}/keys", clock=clock).find("one")
    for path in ("moved", "large", "nowhere"):
        with pytest.raises(EnvironmentFailure):
            KeySet(f"{server}/{path}", clock=clock).find("one")
