"""Who comes in at a server of a vault, and by what; all others are told the same, and nothing shown is kept."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_servers import Server, question, running

from hauberk.access import Access, granting, identities, key_store, open_access
from hauberk.access.jwks import KeySet
from hauberk.access.tokens import TokenVerifier
from hauberk.access.trail.reading import lines
from hauberk.core.errors import EnvironmentFailure
from hauberk.models.package import load
from hauberk.serving.address import Address
from hauberk.serving.limits import Limits
from hauberk.serving.offers import Offer, Offers
from hauberk.serving.recognising import Recogniser
from hauberk.serving.running import Service
from hauberk.serving.used_tokens import UsedTokens
from hauberk.serving.vault_door import VaultDoor
from hauberk.vault import Vault, create_vault

ISSUER, AUDIENCE = "https://login.example.com", "hauberk"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
IMAGES = question(np.zeros((1, 1, 4, 4), np.float32))


@dataclass
class Shown:
    """A source of one model whose version goes by some names."""

    package: Path
    names: tuple[str, ...] = ("3", "production")

    def look(self) -> Offers:
        return Offers((Offer("net", "3", "sha256:net", lambda: load(self.package), names=self.names),))


@dataclass
class House:
    vault: Vault
    access: Access
    keys: Path
    key: str = ""

    def verifier(self) -> TokenVerifier:
        return TokenVerifier(ISSUER, AUDIENCE, KeySet(self.keys))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Ada may predict; Ben is known and may nothing."""
    document = {"keys": [{**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key())), "kid": "one"}]}
    (tmp_path / "jwks.json").write_text(json.dumps(document))
    with create_vault(tmp_path / "vault") as vault:
        access = open_access(vault)
        made = House(vault, access, tmp_path / "jwks.json")
        for name in ("ada", "ben"):
            identities.add(vault.database, name, "service", [(ISSUER, f"{name}'s subject")])
        granting.grant(vault.database, "predictor", "ada")
        made.key = key_store.new(vault.database, "ada").text
        yield made
        access.close()


@contextmanager
def served(house: House, package: Path, recogniser: Recogniser, **names: Any) -> Iterator[Server]:
    service = Service(
        source=Shown(package, **names),
        address=Address(port=0),
        limits=Limits(drain_s=0.0),
        door=lambda _metrics: VaultDoor(house.access, in_use="production", recogniser=recogniser),
        poll_s=3600.0,
    )
    with running(service) as server:
        yield server


def token(key: Any = KEY, *, algorithm: str = "ES256", **changed: Any) -> str:
    present = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada's subject", "exp": present + 600, "iat": present}
    claims = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "one"})


def ask(
    server: Server, given: str | None = None, path: str = "/v2/models/net/infer"
) -> tuple[int, dict[str, Any]]:
    headers = {} if given is None else {"authorization": given}
    status, found, body = server.ask("POST", path, IMAGES, headers)
    return status, {**json.loads(body), "challenge": found.get("www-authenticate")}


def forged() -> dict[str, str]:
    """Tokens that are worth nothing, by why."""
    good = token()
    head, body, signature = good.split(".")

    def packed(document: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()

    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    others = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ben's subject", "exp": 9e9}
    shared = f"{packed({'alg': 'HS256', 'kid': 'one'})}.{body}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, shared.encode(), hashlib.sha256)).rstrip(b"=").decode()
    return {
        "expired": token(exp=int(time.time()) - 3600),
        "not yet": token(nbf=int(time.time()) + 3600),
        "audience": token(aud="somebody else"),
        "no audience": token(aud=None),
        "issuer": token(iss="https://elsewhere.example.com"),
        "no end": token(exp=None),
        "nobody's": token(sub="a stranger"),
        "another key": token(OTHER),
        "no algorithm": f"{packed({'alg': 'none', 'kid': 'one'})}.{body}.",
        "no algorithm, signed": f"{packed({'alg': 'none', 'kid': 'one'})}.{body}.{signature}",
        "a public key as a secret": f"{shared}.{mac}",
        "claims exchanged": f"{head}.{packed(others)}.{signature}",
        "cut": good[:-8],
        "long": good + "A" * 20_000,
        "half": ".".join(good.split(".")[:2]),
        "nested": "[" * 10_000,
    }


def test_everybody_unknown_is_told_the_same_and_nothing_shown_is_kept(
    house: House, nets: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = forged()
    revoked = key_store.new(house.vault.database, "ada")
    key_store.revoke(house.vault.database, revoked.id)
    mistyped = house.key[:-1] + ("0" if house.key[-1] != "0" else "1")
    given: list[str | None] = [None, "", "Bearer", "Bearer ", f"Basic {house.key}", house.key]
    bearers = ("hbk_nothing", mistyped, revoked.text, f"{house.key} {house.key}", *tokens.values())
    given += [f"Bearer {one}" for one in bearers]
    told = []
    with served(house, nets[0], Recogniser(house.access, [house.verifier()])) as server:
        for one in given:
            status, found = ask(server, one)
            assert status == 401, one and one[:40]
            told.append(found)
        two = f"Authorization: Bearer {house.key}\r\n".encode() * 2
        raw = server.raw(b"GET /v2/models/net HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + two + b"\r\n")
        assert raw.startswith(b"HTTP/1.1 401 ")
        assert ask(server, f"Bearer {house.key}")[0] == 200
        assert ask(server, f"bearer {token()}")[0] == 200
    assert [one for one in told if one != told[0]] == []
    assert told[0]["type"] == "urn:hauberk:problem:unknown"
    assert told[0]["challenge"] == "Bearer"
    written = json.dumps([[line._asdict(), digest.hex()] for line, digest in lines(house.vault.database)])
    for secret in (house.key, revoked.text, *tokens.values()):
        assert secret not in written
        assert secret not in caplog.text
        assert secret.split(".")[-1][:40] not in written or len(secret.split(".")[-1]) < 20
    whys = {line.why for line, _digest in lines(house.vault.database) if not line.allowed}
    assert {"the token is not valid: expired", "the key is revoked"} <= whys  # the operator learns why


def test_who_is_known_and_may_not_is_told_something_else(house: House, nets: tuple[Path, Path]) -> None:
    with served(house, nets[0], Recogniser(house.access, [house.verifier()])) as server:
        status, found = ask(server, f"Bearer {token(sub='ben' + chr(39) + 's subject')}")
    assert (status, found["type"]) == (403, "urn:hauberk:problem:refused")


def test_without_issuers_no_token_is_believed(house: House, nets: tuple[Path, Path]) -> None:
    with served(house, nets[0], Recogniser(house.access)) as server:
        assert ask(server, f"Bearer {token()}")[0] == 401


def test_a_token_that_is_good_once(house: House, nets: tuple[Path, Path]) -> None:
    used = UsedTokens(house.vault.database)
    with served(house, nets[0], Recogniser(house.access, [house.verifier()], used)) as server:
        once = f"Bearer {token(jti='first')}"
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda _turn: ask(server, once)[0], range(8)))
        assert sorted(told) == [200] + [401] * 7
        assert ask(server, f"Bearer {token(jti='second')}")[0] == 200
        assert ask(server, f"Bearer {token()}")[0] == 401  # cannot be told from others
        assert ask(server, f"Bearer {token(jti='wrong', aud='x')}")[0] == 401
        assert ask(server, f"Bearer {token(jti='wrong')}")[0] == 200  # only a valid one is used up
        assert [ask(server, f"Bearer {house.key}")[0] for _ in range(2)] == [200, 200]
    with served(
        house, nets[0], Recogniser(house.access, [house.verifier()], UsedTokens(house.vault.database))
    ) as (server):
        assert ask(server, once)[0] == 401  # another process, or after a restart
    whys = [line.why for line, _digest in lines(house.vault.database)]
    assert whys.count("the token is not valid: it was used before") == 9


def test_an_issuer_that_is_away_is_no_fault_of_the_caller(house: House, nets: tuple[Path, Path]) -> None:
    verifier = TokenVerifier(ISSUER, AUDIENCE, KeySet("http://127.0.0.1:9/keys"))
    with served(house, nets[0], Recogniser(house.access, [verifier])) as server:
        status, found = ask(server, f"Bearer {token()}")
        assert (status, found["type"]) == (503, "urn:hauberk:problem:issuer-away")
        assert ask(server, f"Bearer {house.key}")[0] == 200


def test_a_database_that_is_away_lets_nobody_in(
    house: House, nets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_given: object) -> None:
        raise EnvironmentFailure("the database does not answer")

    with served(house, nets[0], Recogniser(house.access)) as server:
        monkeypatch.setattr(house.access, "by_key", away)
        status, found = ask(server, f"Bearer {house.key}")
        assert (status, found["type"]) == (503, "urn:hauberk:problem:no-trail")


def test_a_version_is_denied_by_any_of_its_names(house: House, nets: tuple[Path, Path]) -> None:
    paths = ("/v2/models/net/infer", "/v2/models/net/versions/3/infer")
    with served(house, nets[0], Recogniser(house.access)) as server:
        for pattern in ("net@3", "net@production"):
            assert [ask(server, f"Bearer {house.key}", path)[0] for path in paths] == [200, 200]
            granting.grant(house.vault.database, "model.predict", "ada", pattern, "deny")
            assert [ask(server, f"Bearer {house.key}", path)[0] for path in paths] == [403, 403]
            granting.take_back(house.vault.database, "model.predict", "ada", pattern, "deny")


def test_used_tokens_are_forgotten_when_they_have_expired(house: House) -> None:
    from hauberk.access.tokens import Bearer

    now = [1000.0]
    used = UsedTokens(house.vault.database, seconds=lambda: now[0])
    one = Bearer(ISSUER, "ada", 1100.0, "a")
    assert [used.first(one), used.first(one)] == [True, False]
    assert used.first(Bearer("https://other.example.com", "ada", 1100.0, "a"))
    now[0] = 1401.0
    assert used.first(one)  # its verifier refuses it by then


def problem_of(raw: bytes) -> dict[str, Any]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head, raw[:200]
    return {"status": int(raw.split(b" ", 2)[1]), "document": json.loads(body)}


def test_bad_input_leaves_in_trail_and_log_what_happened_and_no_more(
    house: House, nets: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mark = "MARKED-BY-THE-SENDER"
    key = f"Authorization: Bearer {house.key}\r\n"
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, 1, 4, 4], "data": [0.5] * 16}

    def post(path: str, body: bytes, extra: str = "", *, length: bool = True) -> bytes:
        size = f"Content-Length: {len(body)}\r\n" if length else ""
        return f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{key}{size}{extra}\r\n".encode() + body

    def asked(**changed: Any) -> bytes:
        return json.dumps({"id": mark, "inputs": [{**tensor, **changed}]}).encode()

    infer, bomb = "/v2/models/net/infer", gzip.compress(b" " * (20 << 20))
    tricks = (f"..%2f{mark}/infer", f"{mark}%00/infer", f"..%5c{mark}/infer", f"%2e%2e/{mark}",
              f"net%0d%0a{mark}/infer", f"net/versions/../{mark}")  # fmt: skip
    decided = {  # he is known and may; what he sent cannot be used
        "shape": post(infer, asked(shape=[1, 16])),
        "dtype": post(infer, asked(datatype=mark)),
        "not a number": post(infer, asked(data=[float("nan")] * 16)),
        "infinite": post(infer, asked(data=[float("inf")] * 16)),
        "too large a number": post(infer, asked(data=[1e300] * 16)),
        "out of bounds": post(infer, asked(data=[2.0] * 16)),
        "nested": post(infer, b"[" * 50_000),
        "many inputs": post(infer, b'{"inputs": [' + b"1," * 20_000 + b"1]}"),
        "bomb": post(infer, bomb, "Content-Encoding: gzip\r\n"),
        "bomb in a bomb": post(infer, gzip.compress(bomb), "Content-Encoding: gzip, gzip\r\n"),
        "packing": post(infer, mark.encode(), f"Content-Encoding: {mark}\r\n"),
        "header length": post(infer, asked(), "Inference-Header-Content-Length: 99999\r\n"),
    }  # fmt: skip
    turned_away = {  # before anybody asks who he is
        **{one: post(f"/v2/models/{one}", asked()) for one in tricks},
        "two lengths": post(infer, asked(), "Content-Length: 3\r\n"),
        "length and chunks": post(infer, b"0\r\n\r\n", "Transfer-Encoding: chunked\r\n"),
        "folded": post(infer, b"", f"X-A: b\r\n {mark}\r\n"),
        "two hosts": post(infer, asked(), f"Host: {mark}\r\n"),
        "space in a name": post(infer, asked(), f"X-A : {mark}\r\n"),
        "headers": post(infer, b"", f"X-A: {mark * 4000}\r\n"),
        "not HTTP": f"{mark}\r\n\r\n".encode(),
    }  # fmt: skip
    with served(house, nets[0], Recogniser(house.access)) as server:
        for name, raw in {**decided, **turned_away}.items():
            found = problem_of(server.raw(raw))
            assert 400 <= found["status"] < 500, name
            assert found["document"]["status"] == found["status"], name
            assert house.key not in json.dumps(found)
    written = [line for line, _digest in lines(house.vault.database)]
    assert [(line.who, line.action, line.model, line.version, line.allowed) for line in written] == [
        ("ada", "model.predict", "net", "3 production", True)
    ] * len(decided)
    for text in (json.dumps([line._asdict() for line in written]), caplog.text):
        assert mark not in text
        assert house.key not in text
