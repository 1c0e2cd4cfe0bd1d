"""Connections that do not wait for ever: for a first byte, for the end of headers, for the next request.

uvicorn limits how long an idle connection lives between requests, and neither how long headers may take nor how
many there may be. A caller who sends a byte a minute would hold his connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hauberk.serving.limits import Limits

MOST_HEADER_BYTES = 32 << 10
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """One caller's connection, with the name in his certificate where TLS has verified one."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience: asyncio.TimerHandle | None = None
        self._in_headers = True
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(self.limits.idle_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._in_headers and self._header_bytes > MOST_HEADER_BYTES:
            self._cut(_TOO_LONG)

    def on_message_begin(self) -> None:
        self._in_headers = True
        self._header_bytes = 0
        self._stop_waiting()
        self._wait(self.limits.receive_s)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._stop_waiting()
        super().on_headers_complete()
        name = _certified(self.transport)
        if name is not None:  # the task that reads the scope starts after this turn of the loop
            self.scope.setdefault("extensions", {})["tls"] = {"client_cert_name": name}  # type: ignore[call-overload]

    def _wait(self, seconds: float) -> None:
        self._patience = self.loop.call_later(seconds, self._cut, _TOO_SLOW)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _cut(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def _certified(transport: asyncio.Transport) -> str | None:
    """The subject of a client certificate as RFC 4514 writes it; TLS has verified the chain already."""
    tls = transport.get_extra_info("ssl_object")
    raw = None if tls is None else tls.getpeercert(binary_form=True)
    if not raw:
        return None
    from cryptography import x509

    return x509.load_der_x509_certificate(raw).subject.rfc4514_string()
