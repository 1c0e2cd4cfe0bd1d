"""One bounded question over HTTP, to a witness, a node, a calendar or a time-stamping service.

None of them is trusted: an answer has a largest size and a last moment, redirects are not followed, and whoever
asks checks what came. The standard library's client does this; a log asks each witness once for a head, so that
a pool of connections would gain nothing.
"""

from __future__ import annotations

import functools
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import ConfigError, EnvironmentFailure

TIMEOUT_S = 20.0
MOST_BYTES = 1 << 20  # a witness with every kind of key answers in 16 KiB
_PIECE = 1 << 14


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: the HTTP status, such as 200 or 409.
        body: the answer's bytes.
        kind: its ``Content-Type``, empty where none was given.
    """

    status: int
    body: bytes
    kind: str


class _StayHere(urllib.request.HTTPRedirectHandler):
    """A redirect is handed back as an answer: what was configured is who is asked."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Seen:
    """A connection whose socket the question that opened it knows, so that it can be cut."""

    sock: socket.socket

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # of the connection beside it
        _question.sockets.append(self.sock)


_question = threading.local()


class _Http(_Seen, http.client.HTTPConnection): ...


class _Https(_Seen, http.client.HTTPSConnection): ...


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The machine's certificate authorities, read once: a published log is many small files."""
    return ssl.create_default_context()


class _Opening(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Http, request)


class _OpeningTls(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Https, request, context=_trusted())


_OPENER = urllib.request.build_opener(_StayHere, _Opening, _OpeningTls)


@contextmanager
def _limited(timeout_s: float) -> Iterator[None]:
    """Cut what is opened in the block after a while: a socket's own time-out begins anew with each byte."""
    sockets: list[socket.socket] = []
    _question.sockets = sockets
    timer = threading.Timer(timeout_s, _cut, [sockets])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(sockets: list[socket.socket]) -> None:
    for one in sockets:
        with suppress(OSError):  # closed already
            socket.socket.shutdown(one, socket.SHUT_RDWR)  # also of a TLS socket in the middle of a read


def check_url(url: str, what: str) -> str:
    """An ``http`` or ``https`` address without a trailing slash.

    Raises:
        ConfigError: anything else.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:  # not shown: what was mistyped may hold a password
        raise ConfigError(
            f"the address of {what} is not https://HOST or http://HOST", hint="check its spelling"
        )
    return url.rstrip("/")


def shown(url: str) -> str:
    """Where that is, for messages: paths and queries of nodes often hold a key."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def post(url: str, body: bytes, *, kind: str, accept: str = "*/*", timeout_s: float = TIMEOUT_S) -> Answer:
    """Send ``body`` and read the whole answer, whatever its status.

    Args:
        kind: the ``Content-Type`` of ``body``.
        timeout_s: seconds for all of it.

    Raises:
        EnvironmentFailure: nobody answers, too late, or with more than 1 MiB.
    """
    headers = {"Content-Type": kind, "Accept": accept, "User-Agent": "hauberk"}
    check_url(url, "a service")
    return _ask(urllib.request.Request(url, body, headers, method="POST"), timeout_s)  # noqa: S310 (checked)


def get(url: str, *, accept: str = "*/*", timeout_s: float = TIMEOUT_S, most_bytes: int = MOST_BYTES) -> Answer:
    """As ``post``, with nothing to send; ``most_bytes`` is the answer's largest size."""
    headers = {"Accept": accept, "User-Agent": "hauberk"}
    check_url(url, "a service")
    return _ask(urllib.request.Request(url, headers=headers), timeout_s, most_bytes)  # noqa: S310 (checked)


def _ask(request: urllib.request.Request, timeout_s: float, most_bytes: int = MOST_BYTES) -> Answer:
    where, last = shown(request.full_url), time.monotonic() + timeout_s
    try:
        with _limited(timeout_s):
            try:
                answer = _OPENER.open(request, timeout=timeout_s)
            except urllib.error.HTTPError as error:
                answer = error  # an answer too: its status says what is wrong
            with answer:
                body = _whole(answer, where, last, most_bytes)
                return Answer(answer.status, body, answer.headers.get("Content-Type") or "")
    except EnvironmentFailure:
        raise
    except (OSError, http.client.HTTPException) as error:
        reason: Any = getattr(error, "reason", None) or error
        why = "it is too slow" if time.monotonic() > last else getattr(reason, "strerror", None) or reason
        raise EnvironmentFailure(f"no answer from {where}: {why}") from error


def _whole(answer: Any, where: str, last: float, most_bytes: int) -> bytes:
    pieces = bytearray()
    while piece := answer.read1(_PIECE):
        pieces += piece
        if len(pieces) > most_bytes:
            raise EnvironmentFailure(f"{where} answers with more than {most_bytes} bytes")
    if time.monotonic() > last:  # it may have been cut
        raise EnvironmentFailure(f"{where} answers too slowly")
    return bytes(pieces)


def rpc(url: str, method: str, params: list[Any], *, timeout_s: float = TIMEOUT_S) -> Any:
    """The result of one JSON-RPC 2.0 call.

    Raises:
        EnvironmentFailure: no answer, an error, or something that is not JSON-RPC.
    """
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    answer = post(url, body, kind="application/json", timeout_s=timeout_s)
    try:
        document = parse_json(answer.body, where=f"the answer of {shown(url)}")
    except ValueError as error:
        raise EnvironmentFailure(f"{shown(url)} does not speak JSON-RPC (HTTP {answer.status})") from error
    if not isinstance(document, Mapping) or document.get("error") or "result" not in document:
        told = document.get("error") if isinstance(document, Mapping) else document
        said = told.get("message", told) if isinstance(told, Mapping) else told
        raise EnvironmentFailure(f"{shown(url)} refuses {method}: {said}")
    return document["result"]
