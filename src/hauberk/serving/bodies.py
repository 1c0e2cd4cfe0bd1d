"""The body of a request, within its limits of size; the connection watches how long it takes."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from hauberk.serving.door import Headers
from hauberk.serving.limits import Limits
from hauberk.serving.problems import Problem, bad_request

Receive = Callable[[], Awaitable[dict[str, Any]]]
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's name for the container


class Gone(Exception):
    """The caller hung up; there is nobody to answer."""


async def read_body(receive: Receive, headers: Headers, limits: Limits) -> bytes:
    """All of it, unpacked.

    Raises:
        Problem: 413 for too much, 415 for an unknown packing.
        Gone: the caller hung up, or was cut off.
    """
    announced, encoding = None, "identity"
    for name, value in headers:
        if name == b"content-length":
            announced = int(value) if value.isdigit() else None
        elif name == b"content-encoding":
            encoding = value.decode("latin-1").strip().lower()
    if announced is not None and announced > limits.body_bytes:
        raise _too_large(limits)
    if encoding != "identity" and encoding not in _WINDOWS:
        raise Problem(415, "encoding", f"Content-Encoding {encoding[:40]!r} is not read here; use gzip or none")
    first = await receive()
    if not first.get("more_body"):
        body = _piece(first)
    else:
        body = await _rest(receive, _piece(first), limits)
    if len(body) > limits.body_bytes:
        raise _too_large(limits)
    return body if encoding == "identity" else _unpacked(body, _WINDOWS[encoding], limits)


async def _rest(receive: Receive, body: bytes, limits: Limits) -> bytes:
    pieces, size, more = [body], len(body), True
    while more:
        if size > limits.body_bytes:
            raise _too_large(limits)
        message = await receive()
        piece = _piece(message)
        pieces.append(piece)
        size += len(piece)
        more = message.get("more_body", False)
    return b"".join(pieces)


def _piece(message: dict[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise Gone
    return bytes(message.get("body", b""))


def _unpacked(body: bytes, window: int, limits: Limits) -> bytes:
    packed = zlib.decompressobj(window)
    try:
        text = packed.decompress(body, limits.body_bytes + 1)
    except zlib.error:
        raise bad_request("encoding", "the body is not packed as Content-Encoding says") from None
    if len(text) > limits.body_bytes or packed.unconsumed_tail:
        raise _too_large(limits)
    if not packed.eof or packed.unused_data:
        raise bad_request("encoding", "the packed body is cut short, or something follows it")
    return text


def _too_large(limits: Limits) -> Problem:
    return Problem(
        413, "too-large", f"a request may have {limits.body_bytes} bytes", headers={"connection": "close"}
    )
