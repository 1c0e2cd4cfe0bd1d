"""Connections that do not wait for ever: for a first byte, for the end of a request, for the next one.

uvicorn's protocol limits how long an idle connection lives between requests, and neither how long a request may
take to arrive, nor how long its headers may be, nor how many connections there are. A caller who sends a byte a
minute would hold his connection for ever. Whatever is wrong with a request before the application sees it is
told with a problem document too.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hauberk.serving.limits import Limits
from hauberk.serving.metrics import Metrics
from hauberk.serving.problems import CONTENT_TYPE, Problem, bad_request

MOST_HEADER_BYTES = 32 << 10
_BETWEEN = len(b": \r\n")
_FRAMING = 4  # a chunked body may be so many times larger on the wire than it may be at all


def _cutting(problem: Problem) -> bytes:
    """A whole HTTP response that is the last one on its connection."""
    body = problem.body()
    extra = "".join(f"{name}: {value}\r\n" for name, value in problem.headers.items())
    head = (
        f"HTTP/1.1 {problem.status} {problem.to_json()['title']}\r\n"
        f"content-type: {CONTENT_TYPE.decode()}\r\ncontent-length: {len(body)}\r\n{extra}"
        "x-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


_ANSWERS = {
    "slow": _cutting(Problem(408, "too-slow", "the request was not complete in time")),
    "headers": _cutting(Problem(431, "headers", f"a request may have {MOST_HEADER_BYTES} bytes of headers")),
    "large": _cutting(Problem(413, "too-large", "the request is larger than this server takes")),
    "malformed": _cutting(bad_request("http", "this is not a well-formed HTTP/1.1 request")),
    "many": _cutting(
        Problem(503, "connections", "too many connections are open", headers={"retry-after": "1"})
    ),
}


class Connection(HttpToolsProtocol):
    """One caller's connection, with his certificate where TLS has verified one."""

    limits: ClassVar[Limits] = Limits()
    metrics: ClassVar[Metrics | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._in_headers = True
        self._bytes = 0
        self._why = "malformed"
        self._certificate: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._certificate = _certified(transport)
        if len(self.connections) > self.limits.connections:
            self._cut("many")
        else:
            self._wait(self.limits.idle_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)
        if self._work is not None and not self._work.done():
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._bytes > MOST_HEADER_BYTES:
            self._cut("headers")
        elif self._bytes > _FRAMING * self.limits.body_bytes + MOST_HEADER_BYTES:
            self._cut("large")

    def on_message_begin(self) -> None:
        self._in_headers = True
        self._bytes = 0
        self._stop_waiting()
        self._wait(self.limits.receive_s)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_headers:  # what follows a chunked body must not change what was decided before it
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._check_headers()
        super().on_headers_complete()
        if self._certificate is not None:  # the task that reads the scope starts after this turn of the loop
            self.scope.setdefault("extensions", {})["tls"] = {"client_cert_chain": (self._certificate,)}

    def _check_headers(self) -> None:
        """What the parser lets pass; it hands what is raised here to ``send_400_response``."""
        size, hosts = len(self.url), 0
        for name, value in self.headers:
            size += len(name) + len(value) + _BETWEEN
            hosts += name == b"host"
        if size > MOST_HEADER_BYTES:
            self._why = "headers"
            raise ValueError("too long")
        version = self.parser.get_http_version()
        if hosts != 1 if version == "1.1" else version != "1.0":
            raise ValueError("nobody can tell whom the request is for")

    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._cut(self._why)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._work = self.loop.create_task(cycle.run_asgi(app))
        self._work.add_done_callback(self.tasks.discard)
        self.tasks.add(self._work)

    def _wait(self, seconds: float) -> None:
        self._patience = self.loop.call_later(seconds, self._cut, "slow")

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cut(self, why: str) -> None:
        """End the connection, with an answer unless one is under way."""
        self._stop_waiting()
        if self.transport.is_closing():
            return
        if self.metrics is not None:
            self.metrics.cut(why)
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_ANSWERS[why])
        self.transport.close()


def _certified(transport: asyncio.Transport) -> str | None:
    """A client's certificate in PEM, whose chain TLS has verified."""
    tls = transport.get_extra_info("ssl_object")
    found = None if tls is None else tls.getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(found) if found else None
