"""Pages of other web origins: those that are named, and what they may; others learn nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from model_servers import Server, question, served

from hauberk.core.errors import ConfigError
from hauberk.serving.cors import Cors

APP, PORT = "https://app.example.com", "http://localhost:3000"
INFER = "/v2/models/net/infer"
OTHERS = (
    "https://elsewhere.example",
    "http://app.example.com",
    f"{APP}:8443",
    f"{APP}/",
    f"{APP}.evil.example",
    "https://evil-app.example.com",
    "https://APP.example.com",
    f"{APP},{PORT}",
    f"{APP} {PORT}",
    "null",
    "*",
    "",
)
NONE = (
    "*", "null", "app.example.com", f"{APP}/", f"{APP}/x", "https://A.example", "", "ftp://x",
    "https://*.example.com", "https://u@x", "https://x:0",
)  # fmt: skip


@pytest.fixture(scope="module")
def open_to_two(nets: tuple[Path, Path]) -> Iterator[Server]:
    with served({"net": nets[0]}, cors=Cors((APP, PORT))) as server:
        yield server


def preflight(server: Server, origin: str, path: str = INFER) -> tuple[int, dict[str, str]]:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,inference-header-content-length",
    }
    status, headers, body = server.ask("OPTIONS", path, headers=asked)
    assert status != 200 or body == b""
    return status, headers


def listed(headers: dict[str, str], name: str) -> set[str]:
    return {one.strip().lower() for one in headers.get(name, "").split(",")}


@pytest.mark.parametrize("origin", [APP, PORT])
def test_a_named_origin_may_ask_and_read(open_to_two: Server, origin: str) -> None:
    status, headers = preflight(open_to_two, origin)
    assert status == 200
    assert headers["access-control-allow-origin"] == origin
    assert "post" in listed(headers, "access-control-allow-methods")
    wanted = {"authorization", "content-type", "inference-header-content-length"}
    assert wanted <= listed(headers, "access-control-allow-headers")
    body = question(np.zeros((1, 1, 4, 4)))
    status, headers, _body = open_to_two.ask("POST", INFER, body, {"origin": origin})
    assert (status, headers["access-control-allow-origin"], headers["vary"]) == (200, origin, "origin")
    status, headers, _body = open_to_two.ask("POST", INFER, b"{", {"origin": origin})
    assert (status, headers["access-control-allow-origin"]) == (400, origin)  # problems can be read too
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize("origin", OTHERS)
def test_any_other_may_not(open_to_two: Server, origin: str) -> None:
    status, headers = preflight(open_to_two, origin)
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]
    _status, headers, _body = open_to_two.ask("GET", "/v2", headers={"origin": origin})
    assert headers["vary"] == "origin"  # a cache keeps the two answers apart
    assert not [name for name in headers if name.startswith("access-control")]


def test_metrics_and_two_origins_are_never_shared(open_to_two: Server) -> None:
    status, headers = preflight(open_to_two, APP, "/metrics")
    assert status == 405
    _status, headers, _body = open_to_two.ask("GET", "/metrics", headers={"origin": APP})
    assert not [name for name in headers if name.startswith("access-control")]
    twice = f"Origin: {APP}\r\n" * 2
    raw = open_to_two.raw(f"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{twice}\r\n".encode())
    assert b"access-control" not in raw.lower()


@pytest.mark.parametrize("origin", NONE)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ConfigError, match="is no web origin"):
        Cors((origin,))
